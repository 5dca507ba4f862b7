//! A stand-in: an MCP server that wants a token, and the authorization server that gives it.

use axum::extract::{Form, Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::StatusCode;
use http::header::{AUTHORIZATION, LOCATION, WWW_AUTHENTICATE};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

type Words = HashMap<String, String>;

/// A running stand-in; ends with the test.
pub(crate) struct Authority {
    /// `http://127.0.0.1:port`; the MCP server is at `/mcp`.
    pub(crate) base: String,
    seen: Shared,
}

type Shared = Arc<Mutex<Seen>>;

#[derive(Default)]
struct Seen {
    base: String,
    /// In the place of the issuer's own name.
    renamed: Option<String>,
    /// Code → what was agreed to.
    codes: HashMap<String, Words>,
    /// Access token → scope.
    access: HashMap<String, String>,
    /// Refresh token → scope.
    refresh: HashMap<String, String>,
    registrations: usize,
    refreshes: usize,
    issued: usize,
}

impl Authority {
    #[expect(
        clippy::disallowed_methods,
        reason = "the server ends with the test's runtime"
    )]
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let seen: Shared = Arc::default();
        seen.lock().base.clone_from(&base);
        let router = Router::new()
            .route("/mcp", post(mcp))
            .route("/prm", get(protection))
            .route("/.well-known/oauth-authorization-server/as", get(issuer))
            .route("/as/register", post(register))
            .route("/as/authorize", get(authorize))
            .route("/as/token", post(token))
            .with_state(Arc::clone(&seen));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, seen }
    }

    /// What a person's browser is sent to after they agreed.
    pub(crate) async fn agree(&self, url: &str) -> String {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let answer = client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 302, "{url}");
        answer.headers()[LOCATION].to_str().unwrap().to_owned()
    }

    pub(crate) fn tokens(&self) -> Vec<String> {
        let seen = self.seen.lock();
        seen.access
            .keys()
            .chain(seen.refresh.keys())
            .cloned()
            .collect()
    }

    pub(crate) fn forget_access(&self) {
        self.seen.lock().access.clear();
    }

    pub(crate) fn rename(&self, issuer: &str) {
        self.seen.lock().renamed = Some(issuer.to_owned());
    }

    pub(crate) fn registrations(&self) -> usize {
        self.seen.lock().registrations
    }

    pub(crate) fn refreshes(&self) -> usize {
        self.seen.lock().refreshes
    }
}

async fn protection(State(seen): State<Shared>) -> Json<Value> {
    let base = seen.lock().base.clone();
    Json(json!({
        "resource": format!("{base}/mcp"),
        "authorization_servers": [format!("{base}/as")],
        "scopes_supported": ["read", "write"],
    }))
}

async fn issuer(State(seen): State<Shared>) -> Json<Value> {
    let seen = seen.lock();
    let base = &seen.base;
    let own = format!("{base}/as");
    Json(json!({
        "issuer": seen.renamed.as_ref().unwrap_or(&own),
        "authorization_endpoint": format!("{base}/as/authorize"),
        "token_endpoint": format!("{base}/as/token"),
        "registration_endpoint": format!("{base}/as/register"),
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn register(State(seen): State<Shared>, Json(asked): Json<Value>) -> Response {
    assert_eq!(asked["token_endpoint_auth_method"], "client_secret_post");
    assert_eq!(asked["application_type"], "native");
    seen.lock().registrations += 1;
    let made = json!({"client_id": "made", "client_secret": "made secret"});
    (StatusCode::CREATED, Json(made)).into_response()
}

async fn authorize(State(seen): State<Shared>, Query(asked): Query<Words>) -> Response {
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["client_id"], "made");
    let mut seen = seen.lock();
    let base = seen.base.clone();
    assert_eq!(asked["resource"], format!("{base}/mcp"));
    seen.issued += 1;
    let code = format!("code{}", seen.issued);
    let mut back: url::Url = asked["redirect_uri"].parse().unwrap();
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &asked["state"])
        .append_pair("iss", &format!("{base}/as"));
    seen.codes.insert(code, asked);
    (StatusCode::FOUND, [(LOCATION, back.to_string())]).into_response()
}

async fn token(State(seen): State<Shared>, Form(asked): Form<Words>) -> Response {
    let mut seen = seen.lock();
    assert_eq!(asked["resource"], format!("{}/mcp", seen.base));
    let secret = match asked["client_id"].as_str() {
        "made" => "made secret",
        _ => "given secret",
    };
    assert_eq!(asked["client_secret"], secret);
    let scope = match asked["grant_type"].as_str() {
        "authorization_code" => {
            let agreed = seen.codes.remove(&asked["code"]).unwrap();
            let verifier = asked["code_verifier"].as_bytes();
            let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier);
            let hash = BASE64_URL_SAFE_NO_PAD.encode(hash);
            assert_eq!(hash, agreed["code_challenge"]);
            assert_eq!(asked["redirect_uri"], agreed["redirect_uri"]);
            agreed["scope"].clone()
        }
        "refresh_token" => {
            seen.refreshes += 1;
            seen.refresh.remove(&asked["refresh_token"]).unwrap()
        }
        _ => asked["scope"].clone(),
    };
    seen.issued += 1;
    let (access, refresh) = (
        format!("at{}-secret", seen.issued),
        format!("rt{}-secret", seen.issued),
    );
    seen.access.insert(access.clone(), scope.clone());
    seen.refresh.insert(refresh.clone(), scope.clone());
    Json(json!({
        "access_token": access, "token_type": "Bearer", "expires_in": 3600,
        "refresh_token": refresh, "scope": scope,
    }))
    .into_response()
}

/// A server with sessions' manners and two tools; `change` wants the scope `write`.
async fn mcp(State(seen): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let token = parts.headers.get(AUTHORIZATION);
    let token = token.and_then(|value| value.to_str().unwrap().strip_prefix("Bearer "));
    let seen = seen.lock();
    let scope = token.and_then(|token| seen.access.get(token)).cloned();
    let metadata = format!("resource_metadata=\"{}/prm\"", seen.base);
    let refuse = |status: StatusCode, told: String| {
        (
            status,
            [(WWW_AUTHENTICATE, format!("Bearer {told}, {metadata}"))],
        )
            .into_response()
    };
    let Some(scope) = scope else {
        return refuse(StatusCode::UNAUTHORIZED, "scope=\"read\"".into());
    };
    let wanted = asked["params"]["name"].as_str() == Some("change");
    if wanted && !scope.contains("write") {
        let told = "error=\"insufficient_scope\", scope=\"write\"".into();
        return refuse(StatusCode::FORBIDDEN, told);
    }
    let result = match asked["method"].as_str().unwrap() {
        "initialize" => json!({
            "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "notes", "version": "1"},
        }),
        "tools/list" => json!({"tools": [
            {"name": "look", "inputSchema": {"type": "object"}},
            {"name": "change", "inputSchema": {"type": "object"}},
        ]}),
        "tools/call" => json!({"content": [{"type": "text", "text": scope}]}),
        _ if asked.get("id").is_none() => return StatusCode::ACCEPTED.into_response(),
        _ => {
            let error = json!({"code": -32601, "message": "unknown method"});
            let body = json!({"jsonrpc": "2.0", "id": asked["id"], "error": error});
            return (StatusCode::BAD_REQUEST, Json(body)).into_response();
        }
    };
    Json(json!({"jsonrpc": "2.0", "id": asked["id"], "result": result})).into_response()
}
