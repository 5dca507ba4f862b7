//! `HashiCorp` Vault over a strict stub of its KV engine: token, namespace, versions, refusals.

use crate::running::{ALL, Secrets, attempt, with};
use serde_json::json;
use shared::error::Code;
use std::time::Duration;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

const GET: &str = "secrets.vault.getSecret";
const TOKEN: &str = "hvs.stub-token-of-vault";

/// Answers as the API documentation of Vault describes it, and refuses what it does not.
struct Stub {
    version: u8,
    namespace: Option<&'static str>,
}

impl Respond for Stub {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let header = |name: &str| {
            let value = request.headers.get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let errors = |status: u16, text: &str| {
            ResponseTemplate::new(status).set_body_json(json!({"errors": [text]}))
        };
        if header("x-vault-request").as_deref() != Some("true") || request.method != "GET" {
            return errors(400, "missing header");
        }
        if header("x-vault-namespace").as_deref() != self.namespace {
            return errors(404, "no such namespace");
        }
        if header("x-vault-token").as_deref() != Some(TOKEN) {
            return errors(
                403,
                "permission denied: the secret of this server is hunter2",
            );
        }
        let query: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
        match (self.version, request.url.path(), query.as_slice()) {
            (2, "/v1/secret/data/app/db%20one", []) => second(2, "new password"),
            (2, "/v1/secret/data/app/db%20one", [(name, version)]) if name == "version" => {
                match version.as_str() {
                    "1" => second(1, "old password"),
                    "2" => second(2, "new password"),
                    // A deleted version has no data and is answered with 404.
                    _ => errors(404, ""),
                }
            }
            (2, "/v1/team/data/app", []) => second(7, "of the team"),
            (2, "/v1/secret/data/odd", []) => {
                ResponseTemplate::new(200).set_body_json(json!({"data": {"data": "text"}}))
            }
            (2, "/v1/secret/data/large", []) => second(1, &"x".repeat(300_000)),
            (2, "/v1/secret/data/long", []) => second(1, &"x".repeat(70_000)),
            (2, "/v1/secret/data/busy", []) => {
                errors(429, "busy").insert_header("retry-after", "7")
            }
            (2, "/v1/secret/data/sealed", []) => errors(503, "Vault is sealed"),
            (2, "/v1/secret/data/moved", []) => {
                ResponseTemplate::new(307).insert_header("location", "http://10.0.0.1/")
            }
            (2, "/v1/secret/data/slow", []) => second(1, "x").set_delay(Duration::from_secs(5)),
            (1, "/v1/secret/app", []) => ResponseTemplate::new(200).set_body_json(json!({
                "lease_id": "", "renewable": false, "lease_duration": 2_764_800,
                "data": {"value": "of the first engine", "port": 5432},
            })),
            _ => errors(404, ""),
        }
    }
}

fn second(version: u64, value: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(json!({
        "request_id": "r", "lease_id": "", "renewable": false, "lease_duration": 0,
        "data": {
            "data": {"value": value, "user name": "app", "port": 5432, "none": null},
            "metadata": {"created_time": "2026-01-01T00:00:00Z", "custom_metadata": null,
                "deletion_time": "", "destroyed": false, "version": version},
        },
    }))
}

async fn stub(version: u8, namespace: Option<&'static str>) -> MockServer {
    let server = MockServer::start().await;
    let responder = Stub { version, namespace };
    Mock::given(matchers::any())
        .respond_with(responder)
        .mount(&server)
        .await;
    server
}

async fn before(server: &MockServer, more: &[(&str, &str)]) -> Secrets {
    let url = server.uri();
    let mut variables = vec![("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", TOKEN)];
    variables.extend_from_slice(more);
    with(ALL, &variables).await
}

/// Acceptance: 56
#[tokio::test]
async fn the_newest_version_and_older_ones_and_other_mounts_are_read() {
    let server = stub(2, None).await;
    let mut secrets = before(&server, &[]).await;
    for (arguments, value, version) in [
        (json!({"path": "app/db one"}), "new password", 2),
        (
            json!({"path": "/app/db one/", "version": 1}),
            "old password",
            1,
        ),
        (
            json!({"path": "app/db one", "field": "user name"}),
            "app",
            2,
        ),
        (json!({"path": "app/db one", "field": "port"}), "5432", 2),
        (json!({"path": "app", "mount": "team"}), "of the team", 7),
    ] {
        let found = secrets.call(GET, arguments.clone()).await.unwrap();
        assert_eq!(
            (&found["value"], &found["version"]),
            (&json!(value), &json!(version)),
            "{arguments}"
        );
        assert!(
            found["ref"]
                .as_str()
                .unwrap()
                .starts_with("secretref://vault-")
        );
    }
    let named = json!({"secretName": "vault-app/db one#user name", "version": "1"});
    let found = secrets.call("secrets.getSecret", named).await.unwrap();
    assert_eq!(
        (&found["value"], &found["backend"], &found["version"]),
        (&json!("app"), &json!("vault"), &json!("1"))
    );
    let backends = secrets.figure("initialized_backends").await;
    let expected =
        json!({"keepass": false, "azure_kv": false, "gcp_sm": false, "vault": true, "env": false});
    assert_eq!(backends, expected);
    assert_eq!(secrets.figure("reads").await, 6);
}

#[tokio::test]
async fn the_first_engine_keeps_no_versions() {
    let server = stub(1, None).await;
    let mut secrets = before(&server, &[("VAULT_KV_VERSION", "1")]).await;
    let found = secrets.call(GET, json!({"path": "app"})).await.unwrap();
    assert_eq!(
        (&found["value"], &found["version"]),
        (&json!("of the first engine"), &json!(0))
    );
    let error = secrets
        .call(GET, json!({"path": "app", "version": 1}))
        .await;
    assert_eq!(error.unwrap_err().code, Code::InvalidInput);
}

#[tokio::test]
async fn the_namespace_goes_along() {
    let server = stub(2, Some("team-a")).await;
    let mut secrets = before(&server, &[("VAULT_NAMESPACE", "team-a")]).await;
    let found = secrets.call(GET, json!({"path": "app/db one"})).await;
    assert_eq!(found.unwrap()["version"], 2);
}

#[tokio::test]
async fn refusals_are_told_in_our_own_words() {
    let server = stub(2, None).await;
    let mut secrets = before(&server, &[]).await;
    for (path, code, retryable) in [
        ("nothing", Code::NotFound, false),
        ("app/db", Code::NotFound, false),
        ("odd", Code::BadGateway, false),
        ("large", Code::BadGateway, false),
        ("long", Code::PayloadTooLarge, false),
        ("busy", Code::RateLimited, true),
        ("sealed", Code::ServiceUnavailable, true),
        ("moved", Code::BadGateway, false),
    ] {
        let error = secrets.call(GET, json!({"path": path})).await.unwrap_err();
        assert_eq!((error.code, error.retryable), (code, retryable), "{error}");
    }
    for field in ["none", "nobody"] {
        let arguments = json!({"path": "app/db one", "field": field});
        let error = secrets.call(GET, arguments).await.unwrap_err();
        assert_eq!(error.code, Code::NotFound);
    }
    let deleted = json!({"path": "app/db one", "version": 9});
    let error = secrets.call(GET, deleted).await.unwrap_err();
    assert_eq!(error.code, Code::NotFound);
    let mut wrong = before(&server, &[("VAULT_TOKEN", "another token")]).await;
    let error = wrong.call(GET, json!({"path": "odd"})).await.unwrap_err();
    assert_eq!(error.code, Code::BadGateway);
    assert!(error.message.contains("VAULT_TOKEN_SECRET_PATH"), "{error}");
    assert!(!error.message.contains("hunter2"), "{error}");
    let (status, _) = wrong.health("vault").await;
    assert_eq!(status, "degraded");
}

#[tokio::test]
async fn a_slow_server_is_given_up_on_and_may_be_asked_again() {
    let server = stub(2, None).await;
    let url = server.uri();
    let variables = [("VAULT_ADDR", url.as_str()), ("VAULT_TOKEN", TOKEN)];
    let settings = "[remote]\ntimeout_seconds = 1\n";
    let mut secrets = attempt(ALL, &variables, settings).await.unwrap();
    let error = secrets
        .call(GET, json!({"path": "slow"}))
        .await
        .unwrap_err();
    assert_eq!((error.code, error.retryable), (Code::Timeout, true));
}

/// Acceptance: 25
#[tokio::test]
async fn a_setting_that_is_missing_is_named() {
    let read = |path: &str| json!({"path": path});
    let mut secrets = with(ALL, &[]).await;
    let error = secrets.call(GET, read("x")).await.unwrap_err();
    assert_eq!(error.message, "not configured: set VAULT_ADDR");
    assert_eq!(secrets.health("vault").await.0, "healthy", "a choice");
    let mut secrets = with(ALL, &[("VAULT_ADDR", "http://127.0.0.1:1")]).await;
    let error = secrets.call(GET, read("x")).await.unwrap_err();
    assert_eq!(error.message, "not configured: set VAULT_TOKEN_SECRET_PATH");
    assert_eq!(secrets.health("vault").await.0, "degraded", "half a choice");
}

/// Acceptance: 303
#[tokio::test]
async fn an_address_that_is_not_allowed_is_not_asked() {
    let server = stub(2, None).await;
    let mut secrets = before(&server, &[("WAYGATE_OUTBOUND_ALLOW", "192.0.2.1")]).await;
    let error = secrets.call(GET, json!({"path": "app/db one"})).await;
    assert_eq!(error.unwrap_err().code, Code::AddressRefused);
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}
