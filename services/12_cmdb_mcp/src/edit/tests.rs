//! What changes leave in the file, what they refuse, and what the approver reads.

use super::*;
use crate::store::tests::store;
use crate::testing::{run, summary};
use serde_json::json;

const TEXT: &str =
    "hostname,ip_address,os_type\nweb1,10.0.0.1,linux\nbad_row,x,\ndb1,10.0.0.2,linux\n";

#[tokio::test]
async fn a_server_is_added_once_and_beside_bad_rows() {
    let (store, dir) = store(Some(TEXT));
    let tool = CreateServer(store);
    let record = json!({"record": {"hostname": " web2 ", "ip_address": "::1", "user": "root"}});
    let stored = run(&tool, record.clone()).await.unwrap();
    assert_eq!(stored["server"]["hostname"], "web2");
    assert!(
        stored["backup_path"]
            .as_str()
            .unwrap()
            .ends_with("cmdb.csv.BAK_20260102_030405")
    );
    let again = run(&tool, record.clone()).await.unwrap_err();
    assert_eq!((again.code, again.did_not_run), (Code::AlreadyExists, true));
    assert!(summary(&tool, record).await.is_err());
    let text = std::fs::read_to_string(dir.path().join("cmdb.csv")).unwrap();
    assert_eq!(
        text,
        "hostname,ip_address,os_type,user\nweb1,10.0.0.1,linux\nbad_row,x,\ndb1,10.0.0.2,linux\nweb2,::1,,root\n"
    );
}

#[tokio::test]
async fn the_first_server_makes_the_file() {
    let (store, dir) = store(None);
    let record = json!({"record": {"hostname": "a", "ip_address": "10.0.0.1"}});
    let stored = run(&CreateServer(store), record).await.unwrap();
    assert_eq!(stored["backup_path"], json!(null));
    let text = std::fs::read_to_string(dir.path().join("cmdb.csv")).unwrap();
    assert!(text.starts_with(
        "hostname,ip_address,os_type,os_version,services,path,user,ssh_access_notes\na,10.0.0.1,"
    ));
}

/// Acceptance: 55
#[tokio::test]
async fn a_bad_record_is_refused_by_field() {
    let (store, _dir) = store(Some(TEXT));
    let create = CreateServer(Arc::clone(&store));
    let update = UpdateServer(store);
    for (hostname, address, field) in [
        ("", "10.0.0.9", "hostname"),
        ("a b", "10.0.0.9", "hostname"),
        ("a", "10.0.0.300", "ip_address"),
    ] {
        let record = json!({"hostname": hostname, "ip_address": address});
        let error = run(&create, json!({"record": record})).await.unwrap_err();
        assert_eq!(error.code, Code::InvalidInput);
        assert!(
            error.message.starts_with(&format!("record.{field}: ")),
            "{}",
            error.message
        );
        let changes = json!({"hostname": "web1", "changes": record});
        let error = run(&update, changes).await.unwrap_err();
        assert!(
            error.message.starts_with(&format!("changes.{field}: ")),
            "{}",
            error.message
        );
    }
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_twice_is_once() {
    let (store, _dir) = store(Some(TEXT));
    let tool = UpdateServer(Arc::clone(&store));
    let arguments = json!({"hostname": "WEB1", "changes": {"os_type": "bsd", "services": "nginx"}});
    assert_eq!(
        summary(&tool, arguments.clone()).await.unwrap(),
        "Change server \"web1\" of the local CMDB:\nos_type: \"linux\" becomes \"bsd\"\nservices: \"\" becomes \"nginx\""
    );
    let first = run(&tool, arguments.clone()).await.unwrap();
    let second = run(&tool, arguments).await.unwrap();
    assert_eq!(first["server"], second["server"]);
    assert_eq!(first["server"]["ip_address"], "10.0.0.1");
    assert!(first["backup_path"].is_string());
    assert!(second["backup_path"].is_null());
    let taken = json!({"hostname": "web1", "changes": {"hostname": "DB1"}});
    assert_eq!(
        run(&tool, taken).await.unwrap_err().code,
        Code::AlreadyExists
    );
    let renaming = json!({"hostname": "db1", "changes": {"hostname": "db9"}});
    for _ in 0..2 {
        assert_eq!(
            run(&tool, renaming.clone()).await.unwrap()["server"]["hostname"],
            "db9"
        );
    }
    let recased = json!({"hostname": "web1", "changes": {"hostname": "Web1"}});
    assert_eq!(
        run(&tool, recased).await.unwrap()["server"]["hostname"],
        "Web1"
    );
    let stranger = json!({"hostname": "no", "changes": {}});
    assert_eq!(run(&tool, stranger).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn a_deleted_server_takes_its_relations_along() {
    let (store, dir) = store(Some(TEXT));
    let relations = dir.path().join("cmdb_relations.csv");
    std::fs::write(&relations, "from,relation,to\nweb1,depends_on,db1\n").unwrap();
    let tool = DeleteServer(store);
    let arguments = json!({"hostname": "DB1"});
    assert_eq!(
        summary(&tool, arguments.clone()).await.unwrap(),
        "Remove server \"db1\" (10.0.0.2) from the local CMDB\nrelations that go with it: 1"
    );
    let gone = run(&tool, arguments.clone()).await.unwrap();
    assert_eq!(
        (&gone["deleted"], &gone["relations_removed"]),
        (&json!(true), &json!(1))
    );
    let again = run(&tool, arguments).await.unwrap();
    assert_eq!(
        again,
        json!({"deleted": false, "backup_path": null, "relations_removed": 0})
    );
    assert_eq!(
        std::fs::read_to_string(relations).unwrap(),
        "from,relation,to\n"
    );
}

#[tokio::test]
async fn a_summary_cannot_be_forged_by_an_argument() {
    let (store, _dir) = store(None);
    let record = json!({"record": {"hostname": "a", "ip_address": "::1", "ssh_access_notes": "x\nuser: root"}});
    let summary = summary(&CreateServer(store), record).await.unwrap();
    assert_eq!(summary.lines().count(), 3, "{summary}");
}
