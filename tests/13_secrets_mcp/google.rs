//! Google Secret Manager over a strict stub of its REST API and of the token endpoint, which checks
//! the signature of what it is sent.

use crate::running::{ALL, attempt, with};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use shared::error::Code;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};

const GET: &str = "secrets.gcpsm.getSecret";
const EMAIL: &str = "reader@acme-1.iam.gserviceaccount.com";
const TOKEN: &str = "ya29.stub";

/// The token endpoint and Secret Manager, at one address.
#[derive(Clone)]
struct Stub {
    key: Arc<KeyPair>,
    tokens: Arc<AtomicU32>,
}

impl Stub {
    fn new() -> Self {
        Self {
            key: Arc::new(KeyPair::generate(KeySize::Rsa2048).unwrap()),
            tokens: Arc::default(),
        }
    }

    async fn start(&self) -> MockServer {
        let server = MockServer::start().await;
        let mock = Mock::given(matchers::any()).respond_with(self.clone());
        mock.mount(&server).await;
        server
    }

    /// The key file of the service account, with the stub as token endpoint.
    fn key_file(&self, url: &str) -> (TempDir, String) {
        let der = self.key.as_der().unwrap();
        let body = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = body
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        let lines = lines.join("\n");
        let marks = ["BEGIN", "END"].map(|word| format!("-----{word} PRIVATE KEY-----"));
        let pem = format!("{}\n{lines}\n{}\n", marks[0], marks[1]);
        let document = json!({
            "type": "service_account", "project_id": "acme-1", "private_key_id": "key-1",
            "private_key": pem, "client_email": EMAIL, "client_id": "1",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": format!("{url}/token"),
        });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        std::fs::write(&path, document.to_string()).unwrap();
        (folder, path.display().to_string())
    }

    fn token(&self, request: &Request) -> ResponseTemplate {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let form = reqwest::Url::parse(&format!("http://x/?{body}")).unwrap();
        let value = |name: &str| {
            let mut pairs = form.query_pairs();
            pairs.find(|(key, _)| key == name).unwrap().1.into_owned()
        };
        assert_eq!(
            value("grant_type"),
            "urn:ietf:params:oauth:grant-type:jwt-bearer"
        );
        let assertion = value("assertion");
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = self.key.public_key();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref())
            .verify(signed.as_bytes(), &signature)
            .unwrap();
        let parts: Vec<Value> = signed
            .split('.')
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        let now = jiff::Timestamp::now().as_second();
        let [iat, exp] = ["iat", "exp"].map(|name| parts[1][name].as_i64().unwrap());
        assert!((now - 60..=now + 5).contains(&iat) && exp > now && exp - iat <= 3600);
        assert_eq!(
            parts[0],
            json!({"typ": "JWT", "alg": "RS256", "kid": "key-1"})
        );
        let [iss, scope, aud] = ["iss", "scope", "aud"].map(|name| &parts[1][name]);
        assert_eq!(iss, EMAIL);
        assert_eq!(scope, "https://www.googleapis.com/auth/cloud-platform");
        assert!(aud.as_str().unwrap().ends_with("/token"));
        self.tokens.fetch_add(1, Ordering::SeqCst);
        let body = json!({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"});
        ResponseTemplate::new(200).set_body_json(body)
    }
}

impl Respond for Stub {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let error = |code: u16, status: &str| {
            let body = json!({"error": {"code": code, "message": "hunter2", "status": status}});
            ResponseTemplate::new(code).set_body_json(body)
        };
        if request.url.path() == "/token" && request.method == "POST" {
            return self.token(request);
        }
        let good = format!("Bearer {TOKEN}");
        let shown = request.headers.get("authorization").map(|it| it.as_bytes());
        if shown != Some(good.as_bytes()) || request.method != "GET" {
            return error(401, "UNAUTHENTICATED");
        }
        let access = |project: &str, version: u32, data: &[u8]| {
            let name = format!("projects/{project}/secrets/db_password/versions/{version}");
            let payload = json!({"data": STANDARD.encode(data), "dataCrc32c": "1"});
            ResponseTemplate::new(200).set_body_json(json!({"name": name, "payload": payload}))
        };
        match request.url.path() {
            "/v1/projects/acme-1/secrets/db_password/versions/latest:access" => {
                access("123456", 3, "new pässword".as_bytes())
            }
            "/v1/projects/acme-1/secrets/db_password/versions/1:access" => {
                access("123456", 1, b"old password")
            }
            "/v1/projects/other-2/secrets/db_password/versions/latest:access" => {
                access("654321", 9, b"of the other")
            }
            "/v1/projects/acme-1/secrets/binary/versions/latest:access" => {
                access("123456", 1, &[0xff, 0xfe])
            }
            "/v1/projects/acme-1/secrets/hidden/versions/latest:access" => {
                error(403, "PERMISSION_DENIED")
            }
            _ => error(404, "NOT_FOUND"),
        }
    }
}

/// Acceptance: 56
#[tokio::test]
async fn versions_and_projects_are_read_with_a_token_for_a_signed_assertion() {
    let stub = Stub::new();
    let server = stub.start().await;
    let (_folder, file) = stub.key_file(&server.uri());
    let url = server.uri();
    let variables = [
        ("GOOGLE_APPLICATION_CREDENTIALS", file.as_str()),
        ("GCP_PROJECT_ID", "acme-1"),
        ("GCP_SECRETMANAGER_URL", url.as_str()),
    ];
    let mut secrets = with(ALL, &variables).await;
    for (arguments, value, version) in [
        (json!({"secretName": "db_password"}), "new pässword", "3"),
        (
            json!({"secretName": "db_password", "version": "1"}),
            "old password",
            "1",
        ),
        (
            json!({"secretName": "db_password", "projectId": "other-2"}),
            "of the other",
            "9",
        ),
    ] {
        let found = secrets.call(GET, arguments).await.unwrap();
        assert_eq!(
            (&found["value"], &found["version"]),
            (&json!(value), &json!(version))
        );
    }
    assert_eq!(stub.tokens.load(Ordering::SeqCst), 1);
    let named = json!({"secretName": "gcpsm-db_password"});
    let found = secrets.call("secrets.getSecret", named).await.unwrap();
    assert_eq!(found["backend"], "gcpsm");
    for (name, code) in [
        ("nobody", Code::NotFound),
        ("hidden", Code::BadGateway),
        ("binary", Code::NotSupported),
        ("a/b", Code::InvalidInput),
    ] {
        let error = secrets.call(GET, json!({"secretName": name})).await;
        let error = error.unwrap_err();
        assert_eq!(error.code, code, "{name}");
        assert!(!error.message.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_key_file_that_is_none_stops_the_start_without_being_repeated() {
    let folder = tempfile::tempdir().unwrap();
    for (text, expected) in [
        (
            r#"{"type": "authorized_user"}"#,
            "is no key of a service account",
        ),
        ("hunter2", "is no key of a service account"),
        (
            r#"{"type": "service_account", "client_email": "e", "private_key": "hunter2",
                "token_uri": "https://oauth2.googleapis.com/token"}"#,
            "holds a private key that is none",
        ),
        (
            r#"{"type": "service_account", "client_email": "e", "private_key": "hunter2",
                "token_uri": "http://evil.example/token"}"#,
            "names no https address for tokens",
        ),
    ] {
        let path = folder.path().join("key.json");
        std::fs::write(&path, text).unwrap();
        let path = path.display().to_string();
        let variables = [("GOOGLE_APPLICATION_CREDENTIALS", path.as_str())];
        let error = attempt(ALL, &variables, "").await.err().unwrap();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(expected), "{source}");
        assert!(!source.contains("hunter2"), "{source}");
    }
}

#[tokio::test]
async fn the_missing_setting_is_named() {
    let mut secrets = with(ALL, &[]).await;
    let error = secrets
        .call(GET, json!({"secretName": "x"}))
        .await
        .unwrap_err();
    assert_eq!(error.message, "not configured: set GCP_PROJECT_ID");
    let mut secrets = with(ALL, &[("GCP_PROJECT_ID", "acme-1")]).await;
    let error = secrets
        .call(GET, json!({"secretName": "x"}))
        .await
        .unwrap_err();
    assert_eq!(
        error.message,
        "not configured: set GOOGLE_APPLICATION_CREDENTIALS"
    );
}
