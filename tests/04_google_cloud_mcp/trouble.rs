//! Refusals, missing settings, and the ways to sign in.

use crate::{before, with};
use serde_json::json;
use shared::error::Code;
use spoke_04_google_cloud_mcp::SERVICE;
use tests::google::{Google, ZONE, private_key};
use tests::rig::Rig;

const INFO: &str = "cloud.gcloud.compute.getInstanceInfo";
const LIST: &str = "cloud.gcloud.compute.listInstances";

#[tokio::test]
async fn refusals_are_told_without_what_does_not_belong_to_the_caller() {
    let stub = Google::start().await;
    let mut google = before(&stub).await;
    let secret = json!({"error": {"code": 1, "message": "key hunter2"}});
    let web1 = json!({"instanceName": "web1", "zone": ZONE});
    for (status, code, retryable) in [
        (403, Code::BadGateway, false),
        (429, Code::RateLimited, true),
        (500, Code::ServiceUnavailable, true),
    ] {
        stub.refuse_next(status, secret.clone());
        let error = google.call(INFO, web1.clone()).await.unwrap_err();
        assert_eq!((error.code, error.retryable), (code, retryable), "{status}");
        assert!(!error.message.contains("hunter2"), "{error}");
    }
    let (_, health) = google.probe("/health").await;
    assert_eq!(health["status"], "degraded", "{health}");
    stub.refuse_next(200, json!({"items": 7}));
    let error = google.call(LIST, json!({})).await.unwrap_err();
    assert_eq!(error.code, Code::BadGateway);
    // A token that is not taken any more is replaced, once.
    stub.refuse_next(401, json!({}));
    assert!(google.call(INFO, web1).await.is_ok());
    assert_eq!(stub.tokens(), 2);
}

#[tokio::test]
async fn a_service_account_signs_in_with_its_key() {
    let stub = Google::start().await;
    let key = json!({
        "type": "service_account", "private_key_id": "key-1", "client_email": "spoke@acme-1",
        "private_key": private_key(),
        "token_uri": format!("{}/token", stub.url()),
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.json");
    std::fs::write(&path, key.to_string()).unwrap();
    let mut settings = stub.settings();
    settings.push(("GCP_CREDENTIAL", "key".into()));
    settings.push(("GOOGLE_APPLICATION_CREDENTIALS", path.display().to_string()));
    let listed = with(&settings).await.call(LIST, json!({})).await.unwrap();
    assert_eq!(listed["count"], 3);
    assert_eq!(stub.tokens(), 1);
}

/// Acceptance: 42
#[tokio::test]
async fn without_settings_the_missing_one_is_named_and_health_says_so() {
    for (variables, setting) in [
        (vec![], "GCP_PROJECT_ID"),
        (
            vec![("GCP_PROJECT_ID", "acme-1")],
            "GOOGLE_APPLICATION_CREDENTIALS",
        ),
    ] {
        let mut google = Rig::start(&SERVICE, &variables).await;
        let error = google.call(LIST, json!({})).await.unwrap_err();
        assert_eq!(error.code, Code::NotConfigured);
        assert!(error.message.contains(setting), "{error}");
        let (_, health) = google.probe("/health").await;
        assert_eq!(health["status"], "degraded");
        assert!(health.to_string().contains(setting), "{health}");
    }
}
