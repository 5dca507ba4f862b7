//! Storage accounts and SQL servers against the stub of Resource Manager.

use crate::before;
use serde_json::json;
use shared::error::Code;
use shared::tool::Effect;
use tests::azure::Azure;

const RESTART: &str = "cloud.azure.sql.restartSqlServer";

#[tokio::test]
async fn accounts_containers_servers_and_databases_are_listed() {
    let stub = Azure::start().await;
    let mut azure = before(&stub).await;
    let accounts = azure.call("cloud.azure.storage.listStorageAccounts", json!({}));
    let accounts = accounts.await.unwrap();
    assert_eq!(accounts["accounts"][0]["sku"], "Standard_LRS");
    let arguments = json!({"accountName": "devstoreaccount1", "resourceGroup": "prod"});
    let containers = azure.call("cloud.azure.storage.listBlobContainers", arguments);
    let containers = containers.await.unwrap();
    assert_eq!(
        containers["containers"][0],
        json!({"name": "docs", "public_access": "None", "modified_at": "2026-11-01T00:00:00Z",
               "lease_state": "available"})
    );
    let servers = azure.call("cloud.azure.sql.listSqlServers", json!({}));
    assert_eq!(
        servers.await.unwrap()["servers"][0]["fqdn"],
        "db1.database.windows.net"
    );
    let arguments = json!({"serverName": "db1", "resourceGroup": "prod"});
    let databases = azure.call("cloud.azure.sql.listSqlDatabases", arguments);
    let databases = databases.await.unwrap();
    assert_eq!(
        (&databases["count"], &databases["databases"][0]["name"]),
        (&json!(3), &json!("crm"))
    );
}

#[tokio::test]
async fn a_logical_server_is_failed_over_database_by_database_and_then_left_alone() {
    let stub = Azure::start().await;
    let mut azure = before(&stub).await;
    let arguments = json!({"serverName": "db1", "resourceGroup": "prod"});
    let done = azure
        .approved(RESTART, arguments.clone(), Effect::Critical)
        .await;
    let done = done.unwrap();
    assert_eq!(done["count"], 2, "not master: {done}");
    assert_eq!(done["operations"][1]["target"], "shop");
    assert_eq!(done["operations"][1]["status"], "succeeded");
    let soon = azure.approved(RESTART, arguments, Effect::Critical).await;
    let soon = soon.unwrap_err();
    assert_eq!(soon.code, Code::NotReady);
    assert!(soon.details.unwrap().to_string().contains("restarted at"));
}

#[tokio::test]
async fn other_kinds_of_servers_are_restarted_as_a_whole() {
    for (kind, path) in [
        (
            "managedInstance",
            "Microsoft.Sql/managedInstances/db1/failover",
        ),
        (
            "postgres",
            "Microsoft.DBforPostgreSQL/flexibleServers/db1/restart",
        ),
        ("mysql", "Microsoft.DBforMySQL/flexibleServers/db1/restart"),
    ] {
        let stub = Azure::start().await;
        let mut azure = before(&stub).await;
        let arguments = json!({"serverName": "db1", "resourceGroup": "prod", "kind": kind});
        let done = azure
            .approved(RESTART, arguments, Effect::Critical)
            .await
            .unwrap();
        assert_eq!(done["count"], 1);
        let seen = stub.seen();
        let posted = |line: &&String| line.starts_with("POST ") && line.contains(path);
        assert_eq!(seen.iter().filter(posted).count(), 1, "{seen:?}");
    }
}
