//! Instances against the stub of Compute Engine.

use crate::before;
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::Effect;
use tests::google::{Google, ZONE};

const LIST: &str = "cloud.gcloud.compute.listInstances";
const INFO: &str = "cloud.gcloud.compute.getInstanceInfo";
const START: &str = "cloud.gcloud.compute.startInstance";
const STOP: &str = "cloud.gcloud.compute.stopInstance";
const DELETE: &str = "cloud.gcloud.compute.deleteInstance";
const CREATE: &str = "cloud.gcloud.compute.createInstance";

fn named(name: &str) -> Value {
    json!({"instanceName": name, "zone": ZONE})
}

/// Acceptance: 42
#[tokio::test]
async fn instances_are_listed_over_two_pages_with_states_and_addresses() {
    let stub = Google::start().await;
    let mut google = before(&stub).await;
    let listed = google.call(LIST, json!({})).await.unwrap();
    assert_eq!(listed["count"], 3, "{listed}");
    let web = &listed["instances"][1];
    let expected = json!({
        "id": "4711", "name": "web1", "zone": ZONE, "status": "RUNNING",
        "machine_type": "e2-medium", "internal_ip": "10.0.0.4", "external_ip": "34.9.8.7",
        "labels": {"team": "ops"}, "created_at": "2026-11-01T15:00:00Z",
    });
    assert_eq!(web, &expected);
    let here = google.call(LIST, json!({"zone": ZONE})).await.unwrap();
    assert_eq!(here["count"], 2);
    let whole = google.call(INFO, named("web1")).await.unwrap();
    assert_eq!(whole["tags"], json!(["http"]));
    assert_eq!(whole["disks"][0]["deviceName"], "disk-0");
    assert_eq!(stub.tokens(), 1, "one token serves all requests");
}

#[tokio::test]
async fn an_instance_is_stopped_started_deleted_and_each_is_waited_for() {
    let stub = Google::start().await;
    let mut google = before(&stub).await;
    let stopped = google.approved(STOP, named("web1"), Effect::Critical).await;
    let stopped = stopped.unwrap();
    let told = (&stopped["status"], &stopped["operation_id"]);
    assert_eq!(told, (&json!("succeeded"), &json!("operation-7")));
    let again = google.approved(STOP, named("web1"), Effect::Critical).await;
    assert_eq!(again.unwrap_err().code, Code::NotReady);
    let arguments = json!({"instanceName": "web1", "zone": ZONE, "wait": false});
    let started = google.approved(START, arguments, Effect::Mutate).await;
    let started = started.unwrap();
    assert_eq!(
        (&started["status"], &started["percent"]),
        (&json!("in_progress"), &json!(40))
    );
    let running = google.approved(DELETE, named("web1"), Effect::Critical);
    assert_eq!(running.await.unwrap_err().code, Code::NotReady);
    let deleted = google.approved(DELETE, named("old1"), Effect::Critical);
    assert_eq!(deleted.await.unwrap()["status"], "succeeded");
    let gone = google.call(INFO, named("old1")).await.unwrap_err();
    assert_eq!(gone.code, Code::NotFound);
}

/// Acceptance: 42
#[tokio::test]
async fn without_approval_or_against_protection_nothing_is_sent() {
    let stub = Google::start().await;
    let mut google = before(&stub).await;
    let refused = google.call(STOP, named("web1")).await.unwrap_err();
    assert_eq!(refused.code, Code::ApprovalRequired);
    stub.change(|project| {
        project.instance("web1")["labels"] = json!({"waygate-protect": "true"});
        project.instance("old1")["deletionProtection"] = json!(true);
    });
    for (tool, name) in [(STOP, "web1"), (DELETE, "old1")] {
        let kept = google.approved(tool, named(name), Effect::Critical).await;
        assert_eq!(kept.unwrap_err().code, Code::NotReady, "{tool}");
    }
    let seen = stub.seen();
    assert!(seen.iter().all(|line| line.starts_with("GET ")), "{seen:?}");
}

fn new_instance() -> Value {
    json!({
        "instanceName": "web9", "zone": ZONE, "subnetwork": "inner", "publicIp": true,
        "labels": {"team": "ops"},
    })
}

#[tokio::test]
async fn an_instance_is_created_once_as_the_documents_describe_it() {
    let stub = Google::start().await;
    let mut google = before(&stub).await;
    let created = google.approved(CREATE, new_instance(), Effect::Mutate);
    let created = created.await.unwrap();
    assert_eq!(created["status"], "succeeded", "{created}");
    assert_eq!(created["instance"]["name"], "web9");
    let seen = stub.seen();
    let posted = seen.iter().find(|line| line.starts_with("POST ")).unwrap();
    for part in [
        "requestId=",
        "projects/debian-cloud/global/images/family/debian-12",
        "projects/acme-1/regions/europe-west1/subnetworks/inner",
        "ONE_TO_ONE_NAT",
    ] {
        assert!(posted.contains(part), "{part}: {posted}");
    }
    let twice = google.approved(CREATE, new_instance(), Effect::Mutate);
    assert_eq!(twice.await.unwrap_err().code, Code::AlreadyExists);
}

#[tokio::test]
async fn work_that_fails_there_is_told_as_its_state() {
    let stub = Google::start().await;
    let mut google = before(&stub).await;
    stub.change(|project| {
        let error = json!({"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "no room"});
        project.failure = Some(error);
    });
    let started = google.approved(START, named("old1"), Effect::Mutate).await;
    let started = started.unwrap();
    assert_eq!(started["status"], "failed");
    assert_eq!(started["error"], "ZONE_RESOURCE_POOL_EXHAUSTED: no room");
}

#[tokio::test]
async fn names_lead_nowhere_else() {
    let stub = Google::start().await;
    let mut google = before(&stub).await;
    for (tool, arguments) in [
        (LIST, json!({"zone": "a/b"})),
        (INFO, json!({"instanceName": "../x", "zone": ZONE})),
        (INFO, json!({"instanceName": "x?y", "zone": ZONE})),
        (INFO, json!({"instanceName": "x", "zone": ".."})),
        (
            "cloud.gcloud.storage.listBucketObjects",
            json!({"bucketName": "a/b"}),
        ),
    ] {
        let error = google.call(tool, arguments).await.unwrap_err();
        assert_eq!((error.code, error.did_not_run), (Code::InvalidInput, true));
    }
    assert!(stub.seen().is_empty());
}
