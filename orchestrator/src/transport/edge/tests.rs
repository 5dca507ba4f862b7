//! The edge around a few handlers that misbehave.

use super::*;
use axum::Router;
use axum::routing::{get, post};
use http_body_util::BodyExt;
use serde_json::Value;
use shared::clock::SystemClock;
use std::time::Duration;
use tower::ServiceExt;

fn router(settings: HttpSettings) -> (Router, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new("test"));
    let state = Edge {
        settings: Arc::new(settings),
        metrics: Arc::clone(&metrics),
        clock: SystemClock::shared(),
    };
    async fn panics() -> StatusCode {
        panic!("secret-xyz")
    }
    let fails = || async { (StatusCode::INTERNAL_SERVER_ERROR, "secret-xyz") };
    let slow = || std::future::pending::<StatusCode>();
    let denied = || async { Refusal::new(Code::AccessDenied, "no").with("rule", "r1") };
    let router = Router::new()
        .route("/ok", get(|| async { "fine" }).post(|| async { "fine" }))
        .route("/items/{id}", get(denied))
        .route("/panics", get(panics))
        .route("/fails", get(fails))
        .route("/slow", get(slow))
        .route("/mcp", post(denied))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(axum::middleware::from_fn_with_state(state, edge));
    (router, metrics)
}

async fn check(router: &Router, request: http::request::Builder) -> (StatusCode, HeaderMap, Value) {
    let request = request
        .header("host", "localhost")
        .body(Body::empty())
        .unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let document = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    (parts.status, parts.headers, document)
}

fn a(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path)
}

/// Acceptance: 124
#[tokio::test(start_paused = true)]
async fn every_error_is_the_error_document() {
    let (router, _) = router(HttpSettings::default());
    for (method, path, status, code) in [
        ("GET", "/items/7", 403, "ACCESS_DENIED"),
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("DELETE", "/ok", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/panics", 500, "INTERNAL_ERROR"),
        ("GET", "/fails", 500, "INTERNAL_ERROR"),
        ("GET", "/slow", 504, "TIMEOUT"),
    ] {
        let (got, headers, document) = check(&router, a(method, path)).await;
        assert_eq!(got.as_u16(), status, "{path}");
        assert_eq!(document["success"], false, "{path}");
        let error = &document["error"];
        assert_eq!(error["code"], code, "{path}");
        assert!(
            error["message"].is_string() && error["details"].is_object(),
            "{path}"
        );
        assert!(
            error["timestamp"].as_str().unwrap().ends_with('Z'),
            "{path}"
        );
        assert_eq!(
            error["request_id"],
            headers["x-request-id"].to_str().unwrap()
        );
        assert!(error["request_id"].as_str().unwrap().starts_with("req_"));
    }
    let (_, headers, _) = check(&router, a("DELETE", "/ok")).await;
    assert!(headers["allow"].to_str().unwrap().contains("GET"));
}

/// Acceptance: 125
#[tokio::test]
async fn internal_text_stays_inside() {
    let (router, _) = router(HttpSettings::default());
    for path in ["/panics", "/fails"] {
        let (status, headers, document) = check(&router, a("GET", path)).await;
        assert_eq!(status, 500);
        assert!(!document.to_string().contains("secret-xyz"));
        assert!(!format!("{headers:?}").contains("secret-xyz"));
    }
}

#[tokio::test]
async fn json_rpc_routes_answer_json_rpc_errors() {
    let (router, _) = router(HttpSettings::default());
    let (status, _, document) = check(&router, a("POST", "/mcp")).await;
    assert_eq!(status, 403);
    assert_eq!(document["jsonrpc"], "2.0");
    assert_eq!(document["error"]["data"]["code"], "ACCESS_DENIED");
    assert_eq!(document["error"]["data"]["rule"], "r1");
}

#[tokio::test]
async fn answers_carry_ids_and_security_headers() {
    let (router, _) = router(HttpSettings {
        https: true,
        ..HttpSettings::default()
    });
    let (status, headers, _) =
        check(&router, a("GET", "/ok").header("x-correlation-id", "abc")).await;
    assert_eq!(status, 200);
    assert_eq!(headers["x-correlation-id"], "abc");
    for name in [
        "content-security-policy",
        "x-frame-options",
        "x-content-type-options",
        "referrer-policy",
        "permissions-policy",
        "cross-origin-embedder-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "strict-transport-security",
    ] {
        assert!(headers.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn only_listed_origins_may_read_answers() {
    let (router, _) = router(HttpSettings {
        cors_origins: vec!["https://desk.example".into()],
        ..HttpSettings::default()
    });
    let allowed = "access-control-allow-origin";
    let (_, headers, _) = check(
        &router,
        a("GET", "/ok").header("origin", "https://desk.example"),
    )
    .await;
    assert_eq!(headers[allowed], "https://desk.example");
    let (status, headers, _) = check(
        &router,
        a("GET", "/ok").header("origin", "https://evil.example"),
    )
    .await;
    assert!(status == 403 && !headers.contains_key(allowed));
    let preflight = |origin: &str| {
        a("OPTIONS", "/ok")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
    };
    let (status, headers, _) = check(&router, preflight("https://desk.example")).await;
    assert!(status == 204 && headers.contains_key("access-control-allow-headers"));
    let (status, headers, _) = check(&router, preflight("https://evil.example")).await;
    assert!(status == 403 && !headers.contains_key(allowed));
}

#[tokio::test]
async fn a_body_declared_too_large_is_refused() {
    let (router, _) = router(HttpSettings {
        body_bytes: 10,
        ..HttpSettings::default()
    });
    let (status, _, document) =
        check(&router, a("POST", "/ok").header("content-length", "11")).await;
    assert_eq!(
        (status.as_u16(), &document["error"]["code"]),
        (413, &"PAYLOAD_TOO_LARGE".into())
    );
}

/// Acceptance: 202, 203
#[tokio::test]
async fn requests_are_counted_by_template() {
    let (router, metrics) = router(HttpSettings::default());
    for path in ["/items/1", "/items/2", "/nowhere"] {
        check(&router, a("GET", path)).await;
    }
    let text = metrics.render();
    let count = |endpoint: &str, status: &str| {
        let labels = format!("endpoint=\"{endpoint}\",method=\"GET\",status=\"{status}\"");
        text.contains(&format!("waygate_requests_total{{{labels}}}"))
    };
    assert!(
        count("/items/{id}", "403") && count("unknown", "404"),
        "{text}"
    );
    assert!(text.contains(
        r#"waygate_request_duration_seconds_count{endpoint="/items/{id}",method="GET"} 2"#
    ));
}

/// Acceptance: 204
#[tokio::test(start_paused = true)]
async fn open_requests_are_counted_as_active() {
    let (router, metrics) = router(HttpSettings::default());
    let active = || metrics.render().contains("waygate_active_connections 1");
    let slow = check(&router, a("GET", "/slow"));
    tokio::pin!(slow);
    let early = tokio::time::timeout(Duration::from_secs(1), &mut slow).await;
    assert!(early.is_err() && active());
    slow.await;
    assert!(!active());
}
