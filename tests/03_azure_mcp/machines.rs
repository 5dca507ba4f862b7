//! Virtual machines against the stub of Resource Manager.

use crate::before;
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::Effect;
use spoke_03_azure_mcp::SERVICE;
use tests::azure::{Azure, SECRET};
use tests::rig::{Rig, now};

const LIST: &str = "cloud.azure.compute.listVMs";
const INFO: &str = "cloud.azure.compute.getVMInfo";
const START: &str = "cloud.azure.compute.startVM";
const STOP: &str = "cloud.azure.compute.stopVM";
const RESTART: &str = "cloud.azure.compute.restartVM";
const DELETE: &str = "cloud.azure.compute.deleteVM";
const CREATE: &str = "cloud.azure.compute.createVM";

fn vm(name: &str) -> Value {
    json!({"vmName": name, "resourceGroup": "prod"})
}

/// Acceptance: 41
#[tokio::test]
async fn machines_are_listed_over_two_pages_with_states_and_addresses() {
    let stub = Azure::start().await;
    let mut azure = before(&stub).await;
    let listed = azure.call(LIST, json!({})).await.unwrap();
    assert_eq!(listed["count"], 3, "{listed}");
    let web = listed["vms"].as_array().unwrap();
    let web = web.iter().find(|vm| vm["name"] == "web1").unwrap();
    assert_eq!(
        (&web["power_state"], &web["size"], &web["os_type"]),
        (&json!("running"), &json!("Standard_B2s"), &json!("Linux"))
    );
    assert_eq!(
        (&web["private_ips"], &web["public_ips"], &web["tags"]),
        (
            &json!(["10.0.0.4"]),
            &json!(["20.1.2.3"]),
            &json!({"team": "ops"})
        )
    );
    assert_eq!(stub.tokens(), 1, "one token serves all requests");
    let dev = azure.call(LIST, json!({"resourceGroup": "dev"})).await;
    assert_eq!(dev.unwrap()["count"], 1);
    let whole = azure.call(INFO, vm("web1")).await.unwrap();
    assert_eq!(whole["disks"].as_array().unwrap().len(), 2);
    assert_eq!(whole["nics"][0]["name"], "web1-nic");
    assert_eq!(whole["public_ips"], json!(["20.1.2.3"]));
    assert_eq!(whole["image"]["offer"], "debian-12");
}

#[tokio::test]
async fn a_machine_is_stopped_deleted_and_each_is_waited_for() {
    let stub = Azure::start().await;
    let mut azure = before(&stub).await;
    let stopped = azure.approved(STOP, vm("web1"), Effect::Critical).await;
    let stopped = stopped.unwrap();
    assert_eq!(
        (
            &stopped["status"],
            &stopped["action"],
            &stopped["operation_id"]
        ),
        (&json!("succeeded"), &json!("deallocate"), &json!("op-7"))
    );
    let again = azure.approved(STOP, vm("web1"), Effect::Critical).await;
    assert_eq!(again.unwrap_err().code, Code::NotReady);
    let arguments = json!({"vmName": "web1", "resourceGroup": "prod", "wait": false});
    let started = azure.approved(START, arguments, Effect::Mutate).await;
    assert_eq!(started.unwrap()["status"], "in_progress");
    let restarted = azure.approved(RESTART, vm("web1"), Effect::Critical).await;
    assert_eq!(restarted.unwrap()["status"], "succeeded");
    let running = azure.approved(DELETE, vm("web1"), Effect::Critical).await;
    assert_eq!(running.unwrap_err().code, Code::NotReady);
    let deleted = azure.approved(DELETE, vm("old1"), Effect::Critical).await;
    assert_eq!(deleted.unwrap()["status"], "succeeded");
    let gone = azure.call(INFO, vm("old1")).await.unwrap_err();
    assert_eq!(gone.code, Code::NotFound);
}

/// Acceptance: 41
#[tokio::test]
async fn without_approval_or_against_a_lock_nothing_is_sent() {
    let stub = Azure::start().await;
    let mut azure = before(&stub).await;
    let refused = azure.call(DELETE, vm("old1")).await.unwrap_err();
    assert_eq!(refused.code, Code::ApprovalRequired);
    stub.lock("resourceGroups/prod");
    let locked = azure.approved(DELETE, vm("old1"), Effect::Critical).await;
    let locked = locked.unwrap_err();
    assert_eq!(locked.code, Code::NotReady);
    assert!(locked.details.unwrap().to_string().contains("keep"));
    stub.tag("web1", json!({"Waygate-Protect": "TRUE"}));
    for tool in [STOP, RESTART] {
        let kept = azure.approved(tool, vm("web1"), Effect::Critical).await;
        assert_eq!(kept.unwrap_err().code, Code::NotReady, "{tool}");
    }
    let seen = stub.seen();
    assert!(seen.iter().all(|line| line.starts_with("GET ")), "{seen:?}");
}

fn new_vm() -> Value {
    json!({
        "vmName": "web9", "resourceGroup": "prod", "location": "westeurope",
        "image": {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2", "version": "latest"},
        "adminUsername": "ops", "sshPublicKey": "ssh-ed25519 AAAA ops",
        "subnetId": "/subscriptions/s/resourceGroups/n/providers/Microsoft.Network/virtualNetworks/v/subnets/a",
    })
}

#[tokio::test]
async fn a_machine_is_created_once_with_an_interface_of_its_own() {
    let stub = Azure::start().await;
    let mut azure = before(&stub).await;
    let created = azure
        .approved(CREATE, new_vm(), Effect::Mutate)
        .await
        .unwrap();
    assert_eq!(created["status"], "succeeded", "{created}");
    assert_eq!(created["vm"]["name"], "web9");
    let seen = stub.seen();
    let put = seen.iter().filter(|line| line.starts_with("PUT "));
    let put: Vec<&String> = put.collect();
    assert!(put[0].contains("/networkInterfaces/web9-nic"), "{put:?}");
    assert!(
        put[1].contains("\"disablePasswordAuthentication\":true"),
        "{put:?}"
    );
    let mut existing = new_vm();
    existing["vmName"] = json!("dev1");
    let twice = azure.approved(CREATE, existing, Effect::Mutate).await;
    assert_eq!(twice.unwrap_err().code, Code::AlreadyExists);
}

#[tokio::test]
async fn a_password_is_taken_by_reference_only() {
    let stub = Azure::start().await;
    let mut azure = before(&stub).await;
    let mut arguments = new_vm();
    arguments.as_object_mut().unwrap().remove("sshPublicKey");
    let without = azure
        .approved(CREATE, arguments.clone(), Effect::Mutate)
        .await;
    assert_eq!(without.unwrap_err().code, Code::InvalidInput);
    arguments["adminPasswordSecret"] = json!("hunter2-hunter2");
    // Whoever gives one is told before anybody is asked to approve it, and nothing is sent after.
    let asked = azure.hub.assess(&now(CREATE, &arguments)).await;
    assert!(asked.unwrap_err().message().contains("adminPasswordSecret"));
    let plain = azure.approved(CREATE, arguments, Effect::Mutate).await;
    let plain = plain.unwrap_err();
    assert_eq!((plain.code, plain.did_not_run), (Code::InvalidInput, true));
    assert!(!plain.message.contains("hunter2"), "{plain}");
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn names_lead_nowhere_else() {
    let stub = Azure::start().await;
    let mut azure = before(&stub).await;
    for (tool, arguments) in [
        (LIST, json!({"resourceGroup": "a/b"})),
        (INFO, json!({"vmName": "../x", "resourceGroup": "prod"})),
        (INFO, json!({"vmName": "x?y", "resourceGroup": "prod"})),
        (INFO, json!({"vmName": "x", "resourceGroup": ".."})),
    ] {
        let error = azure.call(tool, arguments).await.unwrap_err();
        assert_eq!((error.code, error.did_not_run), (Code::InvalidInput, true));
    }
    assert!(stub.seen().is_empty());
}

#[tokio::test]
async fn refusals_are_told_without_what_does_not_belong_to_the_caller() {
    let stub = Azure::start().await;
    let mut azure = before(&stub).await;
    let secret = json!({"error": {"code": "X", "message": "key hunter2"}});
    for (status, code, retryable) in [
        (403, Code::BadGateway, false),
        (429, Code::RateLimited, true),
        (500, Code::ServiceUnavailable, true),
    ] {
        stub.refuse_next(status, secret.clone());
        let error = azure.call(INFO, vm("web1")).await.unwrap_err();
        assert_eq!((error.code, error.retryable), (code, retryable), "{status}");
        assert!(!error.message.contains("hunter2"), "{error}");
    }
    let (_, health) = azure.probe("/health").await;
    assert_eq!(health["status"], "degraded", "{health}");
    let elsewhere = json!({"value": [], "nextLink": "https://evil.example/steal"});
    stub.refuse_next(200, elsewhere);
    let tool = "cloud.azure.sql.listSqlServers";
    let error = azure.call(tool, json!({})).await.unwrap_err();
    assert_eq!(error.code, Code::BadGateway, "a token goes nowhere else");
    let mut settings = stub.settings("http://127.0.0.1:1/{account}");
    settings.retain(|(name, _)| *name != "AZURE_CLIENT_SECRET");
    settings.push(("AZURE_CLIENT_SECRET", "wrong-secret".into()));
    let mut azure = crate::with(&settings).await;
    let error = azure.call(LIST, json!({})).await.unwrap_err();
    assert!(
        error.message.contains("AZURE_CLIENT_SECRET_SECRET_PATH"),
        "{error}"
    );
    assert!(!error.message.contains(SECRET) && !error.message.contains("wrong-secret"));
}

#[tokio::test]
async fn other_identities_sign_in_too() {
    let stub = Azure::start().await;
    let mut settings = stub.settings("http://127.0.0.1:1/{account}");
    settings.retain(|(name, _)| *name != "AZURE_CLIENT_SECRET");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "federated-token\n").unwrap();
    let url = settings[4].1.clone();
    for more in [
        vec![
            ("AZURE_CREDENTIAL", "workload".to_owned()),
            ("AZURE_FEDERATED_TOKEN_FILE", file.display().to_string()),
        ],
        vec![
            ("AZURE_CREDENTIAL", "managed".to_owned()),
            ("AZURE_IMDS_URL", url),
        ],
    ] {
        let before = stub.tokens();
        let settings = [settings.clone(), more].concat();
        let listed = crate::with(&settings).await.call(LIST, json!({})).await;
        assert_eq!(listed.unwrap()["count"], 3);
        assert_eq!(stub.tokens(), before + 1);
    }
}

/// Acceptance: 41
#[tokio::test]
async fn without_settings_the_missing_one_is_named_and_health_says_so() {
    for (variables, setting) in [
        (vec![], "AZURE_SUBSCRIPTION_ID"),
        (
            vec![("AZURE_SUBSCRIPTION_ID", "s"), ("AZURE_TENANT_ID", "t")],
            "AZURE_CLIENT_ID",
        ),
    ] {
        let mut azure = Rig::start(&SERVICE, &variables).await;
        let error = azure.call(LIST, json!({})).await.unwrap_err();
        assert_eq!(error.code, Code::NotConfigured);
        assert!(error.message.contains(setting), "{error}");
        let (_, health) = azure.probe("/health").await;
        assert_eq!(health["status"], "degraded");
        assert!(health.to_string().contains(setting), "{health}");
    }
}
