//! The local CMDB: looking up, checking, changing with approval.

use crate::running::{CSV, over};
use serde_json::json;
use shared::error::Code;
use spoke_12_cmdb_mcp::SERVICE;

/// Acceptance: 52
#[tokio::test]
async fn the_spoke_is_on_8012_and_well() {
    assert_eq!(8000 + SERVICE.number, 8012);
    let cmdb = over(Some(CSV), &[]).await;
    let (status, body) = cmdb.probe("/health").await;
    assert_eq!(
        (status, &body["status"]),
        (200, &json!("healthy")),
        "{body}"
    );
    assert!(cmdb.running.stop().await.is_empty());
}

/// Acceptance: 53
#[tokio::test]
async fn a_known_host_is_a_row_an_unknown_one_null_and_search_ignores_case() {
    let mut cmdb = over(Some(CSV), &[]).await;
    for (hostname, expected) in [
        ("web1", json!("10.0.0.1")),
        ("DB1", json!("2001:db8::1")),
        ("nobody", json!(null)),
    ] {
        let found = cmdb
            .call("cmdb.local.getServerInfo", json!({"hostname": hostname}))
            .await
            .unwrap();
        assert_eq!(found["server"]["ip_address"], expected);
    }
    let query = json!({"query_field": "os_type", "query_value": "LINUX"});
    let found = cmdb.call("cmdb.local.findServers", query).await.unwrap();
    assert_eq!(found["count"], 1);
    assert_eq!(found["servers"][0]["hostname"], "web1");
    let query = json!({"filters": {"services": {"op": "contains", "value": "SQL"}}});
    let found = cmdb.call("cmdb.queryAssets", query).await.unwrap();
    assert_eq!(found["assets"][0]["hostname"], "db1");
}

/// Acceptance: 55
#[tokio::test]
async fn bad_rows_are_named_by_number_and_good_rows_stay_available() {
    let mut cmdb = over(Some(CSV), &[]).await;
    let report = cmdb.call("cmdb.local.validate", json!({})).await.unwrap();
    assert_eq!(report["valid_rows"], 3);
    let errors: Vec<_> = report["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            (
                error["row"].as_u64().unwrap(),
                error["field"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        errors,
        [(3, "ip_address"), (5, "hostname"), (6, "hostname")]
    );
    let found = cmdb
        .call("cmdb.local.getServerInfo", json!({"hostname": "web3"}))
        .await;
    assert_eq!(found.unwrap()["server"]["os_type"], "Windows");
    let figures = cmdb.call("cmdb.getMetrics", json!({})).await.unwrap();
    for (name, value) in [
        ("status", json!("healthy")),
        ("local_cmdb_loaded", json!(true)),
        ("rows", json!(3)),
        ("rejected_rows", json!(3)),
        ("servicenow_client_initialized", json!(false)),
        ("requests_processed", json!(2)),
        ("errors_encountered", json!(0)),
    ] {
        assert_eq!(figures["metrics"][name], value, "{name} in {figures}");
    }
}

#[tokio::test]
async fn a_change_needs_approval_and_leaves_the_rest_as_it_was() {
    let mut cmdb = over(Some(CSV), &[]).await;
    let tool = "cmdb.local.updateServer";
    let arguments = json!({"hostname": "db1", "changes": {"os_version": "16"}});
    let refused = cmdb.call(tool, arguments.clone()).await.unwrap_err();
    assert!(refused.did_not_run, "{refused}");
    assert_eq!(cmdb.csv(), CSV);
    let changed = cmdb.approved(tool, arguments).await.unwrap();
    assert_eq!(changed["server"]["os_version"], "16");
    assert_eq!(cmdb.csv(), CSV.replace("FreeBSD,15", "FreeBSD,16"));
    let backup = changed["backup_path"].as_str().unwrap();
    assert_eq!(std::fs::read_to_string(backup).unwrap(), CSV);
}

#[tokio::test]
async fn servers_come_and_go_with_their_relations() {
    let mut cmdb = over(None, &[]).await;
    let content = "hostname,ip_address\na,10.0.0.1\nb,10.0.0.2\nbad_name,10.0.0.3\n";
    let done = cmdb
        .approved("cmdb.local.importCsv", json!({"content": content}))
        .await
        .unwrap();
    assert_eq!(
        (&done["created"], &done["errors"][0]["row"]),
        (&json!(2), &json!(4))
    );
    let record = json!({"record": {"hostname": "c", "ip_address": "::3"}});
    cmdb.approved("cmdb.local.createServer", record.clone())
        .await
        .unwrap();
    let relation = json!({"from": "a", "relation": "depends_on", "to": "c"});
    cmdb.approved("cmdb.local.addRelation", relation)
        .await
        .unwrap();
    let gone = cmdb
        .approved("cmdb.local.deleteServer", json!({"hostname": "c"}))
        .await
        .unwrap();
    assert_eq!(
        (&gone["deleted"], &gone["relations_removed"]),
        (&json!(true), &json!(1))
    );
    let exported = cmdb
        .call("cmdb.local.exportCsv", json!({"columns": ["hostname"]}))
        .await;
    assert_eq!(exported.unwrap()["content"], "hostname\na\nb\n");
    let record = json!({"record": {"hostname": "A", "ip_address": "::3"}});
    let taken = cmdb
        .approved("cmdb.local.createServer", record)
        .await
        .unwrap_err();
    assert_eq!((taken.code, taken.did_not_run), (Code::AlreadyExists, true));
}

#[tokio::test]
async fn a_file_that_cannot_be_understood_degrades_and_says_why() {
    let mut cmdb = over(Some("name\nx\n"), &[]).await;
    let error = cmdb
        .call("cmdb.local.validate", json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::ServiceUnavailable);
    assert!(
        error.message.contains("no column hostname"),
        "{}",
        error.message
    );
    let (status, body) = cmdb.probe("/health").await;
    assert_eq!(
        (status, &body["status"]),
        (200, &json!("degraded")),
        "{body}"
    );
}
