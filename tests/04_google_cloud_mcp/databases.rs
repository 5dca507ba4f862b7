//! Database servers against the stub of Cloud SQL Admin.

use crate::before;
use serde_json::json;
use shared::error::Code;
use shared::tool::Effect;
use tests::google::Google;

const LIST: &str = "cloud.gcloud.sql.listSqlInstances";
const RESTART: &str = "cloud.gcloud.sql.restartSqlInstance";

#[tokio::test]
async fn servers_are_listed_and_restarted_once_in_a_while() {
    let stub = Google::start().await;
    let mut google = before(&stub).await;
    let listed = google.call(LIST, json!({})).await.unwrap();
    let expected = json!({
        "name": "crm", "database_version": "POSTGRES_15", "region": "europe-west1",
        "tier": "db-f1-micro", "state": "RUNNABLE", "ip_addresses": ["34.1.2.3"],
    });
    assert_eq!(listed["instances"], json!([expected]));
    let arguments = json!({"instanceName": "crm"});
    let done = google.approved(RESTART, arguments.clone(), Effect::Critical);
    assert_eq!(done.await.unwrap()["status"], "succeeded");
    let soon = google.approved(RESTART, arguments, Effect::Critical).await;
    let soon = soon.unwrap_err();
    assert_eq!(soon.code, Code::NotReady);
    let details = soon.details.unwrap().to_string();
    assert!(details.contains("last restart"), "{details}");
}

#[tokio::test]
async fn a_server_that_is_busy_or_not_well_is_left_alone() {
    let stub = Google::start().await;
    let mut google = before(&stub).await;
    let arguments = json!({"instanceName": "crm"});
    stub.change(|project| {
        let backup = json!({"name": "b", "operationType": "BACKUP_VOLUME", "status": "RUNNING"});
        project.past = vec![backup];
    });
    let busy = google.approved(RESTART, arguments.clone(), Effect::Critical);
    let busy = busy.await.unwrap_err();
    assert_eq!(busy.code, Code::NotReady);
    assert!(busy.details.unwrap().to_string().contains("BACKUP_VOLUME"));
    stub.change(|project| {
        project.past.clear();
        project.sql_state = "MAINTENANCE".into();
    });
    let ill = google.approved(RESTART, arguments, Effect::Critical).await;
    assert_eq!(ill.unwrap_err().code, Code::NotReady);
    let seen = stub.seen();
    assert!(seen.iter().all(|line| line.starts_with("GET ")), "{seen:?}");
}
