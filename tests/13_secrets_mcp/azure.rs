//! Azure Key Vault over a strict stub of its REST API 7.4 and of the token endpoint.

use crate::running::{ALL, Secrets, with};
use serde_json::json;
use shared::error::Code;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

const GET: &str = "secrets.azurekv.getSecret";
const SECRET: &str = "s3cret of the app~";
const FIRST: &str = "0123456789abcdef0123456789abcdef";
const SECOND: &str = "fedcba9876543210fedcba9876543210";

/// The token endpoint and one vault, at one address.
#[derive(Clone, Default)]
struct Stub {
    /// Tokens handed out; the last one is good.
    tokens: Arc<AtomicU32>,
    /// Tokens up to this one are not good any more.
    revoked: Arc<AtomicU32>,
}

impl Stub {
    async fn start(&self) -> MockServer {
        let server = MockServer::start().await;
        let mock = Mock::given(matchers::any()).respond_with(self.clone());
        mock.mount(&server).await;
        server
    }

    fn token(&self, request: &Request) -> ResponseTemplate {
        let form: BTreeMap<String, String> = reqwest::Url::parse(&format!(
            "http://x/?{}",
            String::from_utf8_lossy(&request.body)
        ))
        .unwrap()
        .query_pairs()
        .into_owned()
        .collect();
        let expected = [
            ("client_id", "app-1"),
            ("client_secret", SECRET),
            ("grant_type", "client_credentials"),
            ("scope", "https://vault.azure.net/.default"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        if request.method != "POST" || form != BTreeMap::from(expected) {
            let body =
                json!({"error": "invalid_client", "error_description": "AADSTS7000215 hunter2"});
            return ResponseTemplate::new(401).set_body_json(body);
        }
        let token = format!("token-{}", self.tokens.fetch_add(1, Ordering::SeqCst) + 1);
        let body = json!({"token_type": "Bearer", "expires_in": 3599, "access_token": token});
        ResponseTemplate::new(200).set_body_json(body)
    }

    fn secret(&self, request: &Request) -> ResponseTemplate {
        let error = |status, code: &str| {
            let body = json!({"error": {"code": code, "message": "hunter2"}});
            ResponseTemplate::new(status).set_body_json(body)
        };
        let last = self.tokens.load(Ordering::SeqCst);
        let good = format!("Bearer token-{last}");
        let shown = request.headers.get("authorization").map(|it| it.as_bytes());
        if shown != Some(good.as_bytes()) || last <= self.revoked.load(Ordering::SeqCst) {
            return error(401, "Unauthorized");
        }
        if request.url.query() != Some("api-version=7.4") || request.method != "GET" {
            return error(400, "BadParameter");
        }
        let version = match request.url.path() {
            "/secrets/db-password" => SECOND,
            path => match path.strip_prefix("/secrets/db-password/") {
                Some(version) if [FIRST, SECOND].contains(&version) => version,
                _ => return error(404, "SecretNotFound"),
            },
        };
        let value = if version == FIRST { "old" } else { "new" };
        ResponseTemplate::new(200).set_body_json(json!({
            "value": value,
            "id": format!("https://acme.vault.azure.net/secrets/db-password/{version}"),
            "attributes": {"enabled": true, "created": 1_493_938_410, "recoveryLevel": "Recoverable"},
        }))
    }
}

impl Respond for Stub {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        match request.url.path() {
            "/tenant-1/oauth2/v2.0/token" => self.token(request),
            _ => self.secret(request),
        }
    }
}

async fn before(server: &MockServer, secret: &str) -> Secrets {
    let url = server.uri();
    let variables = [
        ("AZURE_VAULT_URL", url.as_str()),
        ("AZURE_LOGIN_URL", url.as_str()),
        ("AZURE_TENANT_ID", "tenant-1"),
        ("AZURE_CLIENT_ID", "app-1"),
        ("AZURE_CLIENT_SECRET", secret),
    ];
    with(ALL, &variables).await
}

/// Acceptance: 56
#[tokio::test]
async fn the_newest_and_older_versions_are_read_with_one_token() {
    let stub = Stub::default();
    let server = stub.start().await;
    let mut secrets = before(&server, SECRET).await;
    for (arguments, value, version) in [
        (json!({"secretName": "db-password"}), "new", SECOND),
        (
            json!({"secretName": "DB-Password", "version": FIRST}),
            "old",
            FIRST,
        ),
        (
            json!({"secretName": "db-password", "vaultUrl": server.uri()}),
            "new",
            SECOND,
        ),
    ] {
        let found = secrets.call(GET, arguments).await.unwrap();
        assert_eq!(
            (&found["value"], &found["version"]),
            (&json!(value), &json!(version))
        );
    }
    assert_eq!(stub.tokens.load(Ordering::SeqCst), 1);
    stub.revoked.store(1, Ordering::SeqCst);
    let named = json!({"secretName": "azurekv-db-password"});
    let found = secrets.call("secrets.getSecret", named).await.unwrap();
    assert_eq!(
        (&found["value"], &found["backend"]),
        (&json!("new"), &json!("azurekv"))
    );
    assert_eq!(stub.tokens.load(Ordering::SeqCst), 2, "a new token");
}

#[tokio::test]
async fn a_token_is_shown_to_vaults_only() {
    let stub = Stub::default();
    let server = stub.start().await;
    let mut secrets = before(&server, SECRET).await;
    for url in [
        "https://evil.example",
        "https://acme.vault.azure.net.evil.example",
        "https://vault.azure.net",
        "https://a.b.vault.azure.net",
        "http://acme.vault.azure.net",
        "https://acme.vault.azure.net:8443",
        "https://u:p@acme.vault.azure.net",
        "https://acme.vault.azure.net/?x=1",
        "http://127.0.0.1:1",
        "file:///etc/passwd",
        "not an address",
    ] {
        let arguments = json!({"secretName": "db-password", "vaultUrl": url});
        let error = secrets.call(GET, arguments).await.unwrap_err();
        assert_eq!(
            (error.code, error.details.unwrap()["field"].as_str()),
            (Code::InvalidInput, Some("vaultUrl")),
            "{url}"
        );
    }
    assert_eq!(stub.tokens.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn refusals_name_the_settings_and_repeat_nothing() {
    let server = Stub::default().start().await;
    let mut secrets = before(&server, "wrong").await;
    let error = secrets
        .call(GET, json!({"secretName": "x"}))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::BadGateway);
    assert!(error.message.contains("AZURE_CLIENT_ID"), "{error}");
    assert!(!error.message.contains("hunter2"), "{error}");
    assert_eq!(secrets.health("azure_kv").await.0, "degraded");
    let mut secrets = before(&server, SECRET).await;
    for (arguments, code) in [
        (json!({"secretName": "nobody"}), Code::NotFound),
        (
            json!({"secretName": "db-password", "version": "../x"}),
            Code::InvalidInput,
        ),
        (json!({"secretName": "a/b"}), Code::InvalidInput),
    ] {
        let error = secrets.call(GET, arguments).await.unwrap_err();
        assert_eq!(error.code, code);
    }
}

#[tokio::test]
async fn the_missing_setting_is_named() {
    let url = ("AZURE_VAULT_URL", "https://acme.vault.azure.net");
    let tenant = ("AZURE_TENANT_ID", "t");
    let client = ("AZURE_CLIENT_ID", "c");
    for (variables, setting) in [
        (vec![], "AZURE_VAULT_URL"),
        (vec![url], "AZURE_TENANT_ID"),
        (vec![url, tenant], "AZURE_CLIENT_ID"),
        (vec![url, tenant, client], "AZURE_CLIENT_SECRET_SECRET_PATH"),
    ] {
        let mut secrets = with(ALL, &variables).await;
        let error = secrets
            .call(GET, json!({"secretName": "x"}))
            .await
            .unwrap_err();
        assert_eq!(error.message, format!("not configured: set {setting}"));
    }
}
