//! `ServiceNow` over a strict stand-in: credentials, pages, refusals, missing settings.

use crate::running::{CSV, Cmdb, attempt, over};
use serde_json::{Value, json};
use shared::error::Code;
use std::time::Duration;
use tests::servicenow::{Accepts, CLIENT, CLIENT_SECRET, PASSWORD, ServiceNow, USER};

const CI: &str = "cmdb.servicenow.getCiDetails";
const INCIDENT: &str = "cmdb.servicenow.getIncident";

async fn before(stub: &ServiceNow, more: &[(&str, &str)]) -> Cmdb {
    let url = stub.url();
    let mut variables = vec![
        ("SERVICENOW_URL", url.as_str()),
        ("WAYGATE_OUTBOUND_ALLOW", "127.0.0.1"),
    ];
    variables.extend_from_slice(more);
    over(Some(CSV), &variables).await
}

async fn with_basic(stub: &ServiceNow) -> Cmdb {
    let account = [("SERVICENOW_USER", USER), ("SERVICENOW_PASSWORD", PASSWORD)];
    before(stub, &account).await
}

fn basic(url: &str) -> [(&str, &str); 4] {
    [
        ("SERVICENOW_URL", url),
        ("SERVICENOW_USER", USER),
        ("SERVICENOW_PASSWORD", PASSWORD),
        ("WAYGATE_OUTBOUND_ALLOW", "127.0.0.1"),
    ]
}

fn id(number: u32) -> String {
    format!("{number:032x}")
}

/// Acceptance: 54
#[tokio::test]
async fn basic_credentials_bring_the_record() {
    let stub = ServiceNow::start(Accepts::Basic).await;
    let mut cmdb = with_basic(&stub).await;
    let found = cmdb.call(CI, json!({"sys_id": id(2)})).await.unwrap();
    assert_eq!(found["ci"]["name"], "app2");
    assert_eq!(
        (&found["table"], &found["sys_id"]),
        (&json!("cmdb_ci"), &json!(id(2)))
    );
    let named = json!({"name": "app^1", "table": "cmdb_ci_server"});
    let found = cmdb.call(CI, named).await.unwrap();
    assert_eq!(found["sys_id"], id(1));
    for nobody in [json!({"sys_id": id(7)}), json!({"name": "nobody"})] {
        let found = cmdb.call(CI, nobody).await.unwrap();
        assert_eq!(
            (&found["ci"], &found["sys_id"]),
            (&json!(null), &json!(null))
        );
    }
    let found = cmdb
        .call(INCIDENT, json!({"number": "INC0010001"}))
        .await
        .unwrap();
    assert_eq!(found["incident"]["state"], "2");
    let found = cmdb
        .call(INCIDENT, json!({"number": "INC9"}))
        .await
        .unwrap();
    assert_eq!(found["incident"], json!(null));
    let figures = cmdb.call("cmdb.getMetrics", json!({})).await.unwrap();
    assert_eq!(figures["metrics"]["servicenow_client_initialized"], true);
}

/// Acceptance: 54
#[tokio::test]
async fn a_token_is_fetched_once_and_again_when_it_is_refused() {
    for (accepts, account) in [
        (Accepts::ClientToken, vec![]),
        (
            Accepts::UserToken,
            vec![("SERVICENOW_USER", USER), ("SERVICENOW_PASSWORD", PASSWORD)],
        ),
    ] {
        let stub = ServiceNow::start(accepts).await;
        let mut variables = vec![
            ("SERVICENOW_AUTH", "oauth"),
            ("SERVICENOW_CLIENT_ID", CLIENT),
            ("SERVICENOW_CLIENT_SECRET", CLIENT_SECRET),
        ];
        variables.extend(account);
        let mut cmdb = before(&stub, &variables).await;
        for (step, expected) in [1, 1, 2].into_iter().enumerate() {
            stub.revoke_if(step == 2);
            let found = cmdb
                .call(INCIDENT, json!({"number": "INC0010001"}))
                .await
                .unwrap();
            assert_eq!(found["incident"]["number"], "INC0010001");
            assert_eq!(stub.tokens(), expected);
        }
    }
}

/// Acceptance: 54, 25
#[tokio::test]
async fn without_settings_each_tool_names_what_is_missing() {
    let missing = async |variables: &[(&str, &str)], setting: &str| {
        let mut cmdb = over(Some(CSV), variables).await;
        for (tool, arguments) in [
            (CI, json!({"name": "x"})),
            (INCIDENT, json!({"number": "INC1"})),
            ("cmdb.queryAssets", json!({"source": "servicenow"})),
        ] {
            let error = cmdb.call(tool, arguments).await.unwrap_err();
            assert_eq!(error.code, Code::NotConfigured);
            assert!(
                error.message.contains(setting),
                "{setting} in {}",
                error.message
            );
        }
        let (_, body) = cmdb.probe("/health").await;
        body["status"].as_str().unwrap().to_owned()
    };
    let url = ("SERVICENOW_URL", "https://acme.example");
    let oauth = ("SERVICENOW_AUTH", "oauth");
    assert_eq!(missing(&[], "SERVICENOW_URL").await, "healthy");
    assert_eq!(missing(&[url], "SERVICENOW_USER").await, "degraded");
    let user = ("SERVICENOW_USER", "u");
    assert_eq!(
        missing(&[url, user], "SERVICENOW_PASSWORD_SECRET_PATH").await,
        "degraded"
    );
    assert_eq!(
        missing(&[url, oauth], "SERVICENOW_CLIENT_ID").await,
        "degraded"
    );
    let client = ("SERVICENOW_CLIENT_ID", "c");
    assert_eq!(
        missing(&[url, oauth, client], "SERVICENOW_CLIENT_SECRET_PATH").await,
        "degraded"
    );
}

/// Acceptance: 25
#[tokio::test]
async fn a_secret_file_that_is_missing_stops_the_start_and_is_named() {
    let variables = [("SERVICENOW_CLIENT_SECRET_PATH", "no/such/file")];
    let error = attempt(Some(CSV), &variables, "").await.err().unwrap();
    assert!(error.is_configuration());
    assert!(
        error.to_string().contains("SERVICENOW_CLIENT_SECRET_PATH"),
        "{error}"
    );
}

#[tokio::test]
async fn queries_are_asked_page_by_page_and_joined_with_the_file() {
    let stub = ServiceNow::start(Accepts::Basic).await;
    let mut cmdb = with_basic(&stub).await;
    let query = json!({
        "filters": {"os_type": {"op": "in", "value": ["linux", "debian linux"]}},
        "fields": ["hostname", "sys_id"],
        "source": "all",
    });
    let found = cmdb.call("cmdb.queryAssets", query).await.unwrap();
    assert_eq!(
        found["assets"],
        json!([
            {"hostname": "web1", "source": "local"},
            {"hostname": "app^1", "sys_id": id(1), "source": "servicenow"},
            {"hostname": "app2", "sys_id": id(2), "source": "servicenow"},
        ])
    );
    let asked = "cmdb_ci_server?osINlinux,debian linux^ORDERBYsys_id 0+49";
    assert_eq!(stub.reads(), [asked]);
    let settings = "[servicenow]\npage_size = 2\n";
    let mut cmdb = attempt(None, &basic(&stub.url()), settings).await.unwrap();
    for (limit, count, pages) in [
        (300, 3, vec!["0+2", "2+2"]),
        (3, 3, vec!["0+2", "2+1"]),
        (2, 2, vec!["0+2"]),
    ] {
        let query = json!({"source": "servicenow", "limit": limit});
        let found = cmdb.call("cmdb.queryAssets", query).await.unwrap();
        assert_eq!(found["count"], count);
        let asked = pages
            .iter()
            .map(|page| format!("cmdb_ci_server?ORDERBYsys_id {page}"));
        assert_eq!(stub.reads(), asked.collect::<Vec<_>>());
    }
    let query = json!({"filters": {"name": "x^ORname=sql1"}, "source": "servicenow"});
    assert_eq!(
        cmdb.call("cmdb.queryAssets", query).await.unwrap()["count"],
        0
    );
}

#[tokio::test]
async fn refusals_are_told_in_our_own_words() {
    let stub = ServiceNow::start(Accepts::Basic).await;
    let mut cmdb = with_basic(&stub).await;
    for (status, code, retryable) in [
        (400, Code::InvalidInput, false),
        (403, Code::BadGateway, false),
        (429, Code::RateLimited, true),
        (302, Code::BadGateway, false),
        (500, Code::ServiceUnavailable, true),
        (503, Code::ServiceUnavailable, true),
    ] {
        stub.refuse_next(&[(status, Some("7"))]);
        let error = cmdb.call(CI, json!({"name": "x"})).await.unwrap_err();
        assert_eq!((error.code, error.retryable), (code, retryable), "{status}");
        assert!(!error.message.contains("hunter2"), "{}", error.message);
    }
    let (_, body) = cmdb.probe("/health").await;
    assert_eq!(body["status"], "degraded", "{body}");
    let wrong = [("SERVICENOW_USER", USER), ("SERVICENOW_PASSWORD", "wrong")];
    let mut cmdb = before(&stub, &wrong).await;
    let error = cmdb.call(CI, json!({"name": "x"})).await.unwrap_err();
    assert_eq!(error.code, Code::BadGateway);
    assert!(
        error.message.contains("SERVICENOW_USER"),
        "{}",
        error.message
    );
    let refused = cmdb
        .call(CI, json!({"name": "x", "table": "cmdb_ci_nothing"}))
        .await;
    assert!(refused.is_err());
}

/// Acceptance: 303
#[tokio::test]
async fn an_address_that_is_not_allowed_is_not_asked() {
    let stub = ServiceNow::start(Accepts::Basic).await;
    let url = stub.url();
    let variables = [
        ("SERVICENOW_URL", url.as_str()),
        ("SERVICENOW_USER", USER),
        ("SERVICENOW_PASSWORD", PASSWORD),
    ];
    let mut cmdb = over(Some(CSV), &variables).await;
    let error = cmdb.call(CI, json!({"name": "x"})).await.unwrap_err();
    assert_eq!(
        (error.code, error.did_not_run),
        (Code::AddressRefused, true)
    );
    assert!(stub.reads().is_empty());
}

#[tokio::test]
async fn a_server_that_is_away_or_slow_is_a_retryable_failure() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url =
        |listener: &std::net::TcpListener| format!("http://{}", listener.local_addr().unwrap());
    let (away, slow) = (url(&gone), url(&silent));
    drop(gone);
    let ask = async |url: &str| -> (Code, bool, Duration) {
        let quick = "[servicenow]\ntimeout_seconds = 1\n";
        let mut cmdb = attempt(None, &basic(url), quick).await.unwrap();
        let begun = tokio::time::Instant::now();
        let error = cmdb.call(CI, json!({"name": "x"})).await.unwrap_err();
        (error.code, error.retryable, begun.elapsed())
    };
    let (code, retryable, _) = ask(&away).await;
    assert_eq!((code, retryable), (Code::ProxyError, true));
    let (code, retryable, waited) = ask(&slow).await;
    assert_eq!((code, retryable), (Code::Timeout, true));
    assert!(waited < Duration::from_secs(10), "{waited:?}");
}

/// Acceptance: 31
#[tokio::test]
async fn every_read_runs_without_approval() {
    let stub = ServiceNow::start(Accepts::Basic).await;
    let mut cmdb = with_basic(&stub).await;
    let arguments = |tool: &str| -> Value {
        match tool {
            "cmdb.local.getServerInfo" => json!({"hostname": "web1"}),
            "cmdb.local.findServers" => json!({"query_field": "user", "query_value": ""}),
            "cmdb.local.services.getServiceInfo" => json!({"serviceName": "nginx"}),
            "cmdb.servicenow.getCiDetails" => json!({"name": "app2"}),
            "cmdb.servicenow.getIncident" => json!({"number": "INC0010001"}),
            _ => json!({}),
        }
    };
    let mut reads = 0;
    for tool in cmdb.hub.spoke.tools.clone() {
        if tool.effect != i32::from(proto::spoke::Effect::Read) {
            continue;
        }
        reads += 1;
        let result = cmdb.call(&tool.id, arguments(&tool.id)).await;
        assert!(result.is_ok(), "{}: {result:?}", tool.id);
    }
    assert_eq!(reads, 10);
}
