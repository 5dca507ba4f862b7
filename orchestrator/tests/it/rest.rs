//! The hub's plain routes through the front door.

use crate::hub::{TestHub, a};
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use orchestrator::limits::LimitsConfig;
use orchestrator::transport::HttpSettings;
use serde_json::json;
use std::net::SocketAddr;

/// Acceptance: 104
#[tokio::test]
async fn the_root_says_what_this_is() {
    let hub = TestHub::start().await;
    let answer = hub.get("/", "").await;
    assert_eq!(answer.status, 200);
    let root = answer.json();
    assert_eq!(
        (&root["service"], &root["api_version"]),
        (&json!("waygate"), &json!("2.0.0"))
    );
    assert_eq!(
        (&root["status"], &root["mode"]),
        (&json!("operational"), &json!("local_vm"))
    );
    assert_eq!(root["version"], env!("CARGO_PKG_VERSION"));
}

/// Acceptance: 105
#[tokio::test]
async fn health_has_its_shape_and_details_are_for_readers() {
    let hub = TestHub::start().await;
    let answer = hub.get("/health", "").await;
    assert_eq!(answer.status, 200);
    let health = answer.json();
    assert_eq!(health["status"], "healthy");
    for check in ["database", "cache", "filesystem", "services"] {
        assert_eq!(health["checks"][check], "ok", "{check}");
    }
    assert!(health["uptime_seconds"].is_u64() && health.get("details").is_none());
    let at: jiff::Timestamp = health["timestamp"].as_str().unwrap().parse().unwrap();
    assert!(at.as_second() > 0);
    let details = hub.get("/health", &hub.user).await.json()["details"].clone();
    assert!(details["pool"]["open"].is_u64() && details["services"]["77_test_mcp"].is_string());
    assert!(
        hub.get("/health", "wgk_wrong")
            .await
            .json()
            .get("details")
            .is_none()
    );
}

/// Acceptance: 106, 107
#[tokio::test]
async fn health_and_readiness_are_truthful() {
    let hub = TestHub::start().await;
    assert_eq!(hub.get("/ready", "").await.json(), json!({"ready": true}));
    hub.hub.store.close().await;
    crate::fixture::eventually("the break is noticed", async || {
        hub.get("/health", "").await.status == 503
    })
    .await;
    let health = hub.get("/health", "").await;
    assert_eq!(health.status, 503);
    assert_eq!(health.json()["status"], "unhealthy");
    assert_eq!(health.json()["checks"]["database"], "error");
    let ready = hub.get("/ready", "").await;
    assert_eq!(
        (ready.status.as_u16(), ready.json()),
        (503, json!({"ready": false}))
    );
}

/// Acceptance: 107
#[tokio::test]
async fn a_stopping_hub_is_not_ready() {
    let hub = TestHub::start().await;
    hub.hub.readiness.stopping();
    assert_eq!(hub.get("/ready", "").await.status, 503);
}

/// Acceptance: 108, 109
#[tokio::test]
async fn metrics_are_for_internal_networks_and_grow() {
    let settings = HttpSettings {
        metrics_allow: vec!["127.0.0.0/8".parse().unwrap()],
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..HttpSettings::default()
    };
    let hub = TestHub::with(settings, LimitsConfig::default()).await;
    hub.get("/", "").await;
    let answer = hub.get("/metrics", "").await;
    assert!(answer.header("content-type").starts_with("text/plain"));
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(
        text.contains(r#"waygate_requests_total{endpoint="/",method="GET",status="200"} 1"#),
        "{text}"
    );
    let outside = a("GET", "/metrics", "").header("x-forwarded-for", "203.0.113.7");
    let refused = hub.send(outside.body(Body::empty()).unwrap()).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["error"]["code"]),
        (403, &json!("FORBIDDEN"))
    );
}

/// Acceptance: 123
#[tokio::test]
async fn the_document_describes_every_route_and_is_guarded() {
    let limits = LimitsConfig {
        ip_per_minute: 10_000,
        ..LimitsConfig::default()
    };
    let settings = HttpSettings {
        public_url: "http://localhost:8000".into(),
        ..HttpSettings::default()
    };
    let hub = TestHub::with(settings, limits).await;
    assert_eq!(hub.get("/openapi.json", "").await.status, 401);
    assert_eq!(hub.get("/openapi.json", &hub.user).await.status, 403);
    let document = hub.get("/openapi.json", &hub.admin).await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    assert_eq!(document["info"]["version"], "2.0.0");
    let scheme = &document["components"]["securitySchemes"]["ApiKeyAuth"];
    assert_eq!(
        (&scheme["in"], &scheme["name"]),
        (&json!("header"), &json!("x-api-key"))
    );
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let path = path
                .replace("{id}", "x")
                .replace("{name}", "x")
                .replace("{tool}", "x")
                .replace("{target}", "x")
                .replace("{command_id}", "x");
            let request =
                a(&method.to_uppercase(), &path, "").header("content-type", "application/json");
            let answer = hub.send(request.body(Body::from("{}")).unwrap()).await;
            assert!(
                ![404, 405].contains(&answer.status.as_u16()),
                "{method} {path} is described and not served"
            );
            let open = operation["security"].as_array().unwrap().is_empty();
            let guarded = answer.status == 401;
            assert!(
                open || guarded,
                "{method} {path} is served without a credential: {}",
                answer.status
            );
        }
    }
    let references = document.to_string();
    for schema in references.split("#/components/schemas/").skip(1) {
        let name = schema.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"].get(name).is_some(),
            "{name} is not described"
        );
    }
    let open = HttpSettings {
        development: true,
        ..HttpSettings::default()
    };
    let desk = TestHub::with(open, LimitsConfig::default()).await;
    assert_eq!(desk.get("/openapi.json", "").await.status, 200);
}

/// Acceptance: 124
#[tokio::test]
async fn errors_of_every_kind_are_the_error_document() {
    let hub = TestHub::start().await;
    let reader = hub.key(&["read"]).await;
    let text = a("POST", "/mcp/execute", &hub.user).header("content-type", "text/plain");
    let answers = [
        (
            hub.post("/mcp/execute", &hub.user, &json!({"params": {}}))
                .await,
            400,
            "MISSING_REQUIRED_FIELD",
        ),
        (
            hub.post("/mcp/execute", &hub.user, &json!({"action": 1}))
                .await,
            400,
            "INVALID_INPUT",
        ),
        (
            hub.post("/mcp/execute", &hub.user, &json!([1])).await,
            400,
            "INVALID_REQUEST",
        ),
        (
            hub.post("/mcp/execute", &hub.user, &json!({"action": "no"}))
                .await,
            400,
            "INVALID_COMMAND",
        ),
        (hub.get("/mcp/tools", "").await, 401, "UNAUTHORIZED"),
        (
            hub.post("/mcp/execute", &reader, &json!({"action": "test"}))
                .await,
            403,
            "INSUFFICIENT_RIGHTS",
        ),
        (hub.get("/nowhere", &hub.user).await, 404, "NOT_FOUND"),
        (
            hub.get("/mcp/execute", &hub.user).await,
            405,
            "METHOD_NOT_ALLOWED",
        ),
        (
            hub.send(text.body(Body::from("{}")).unwrap()).await,
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            hub.post("/auth/api-keys", &hub.admin, &json!({"name": ""}))
                .await,
            422,
            "VALIDATION_FAILED",
        ),
    ];
    for (answer, status, code) in answers {
        let error = &answer.json()["error"];
        assert_eq!(
            (answer.status.as_u16(), &error["code"]),
            (status, &json!(code)),
            "{error}"
        );
        assert!(error["message"].is_string() && error["details"].is_object());
        assert_eq!(error["request_id"], answer.header("x-request-id"));
    }
}

/// Acceptance: 140
#[tokio::test]
async fn a_key_that_reads_does_not_write_or_manage() {
    let hub = TestHub::start().await;
    let reader = hub.key(&["read"]).await;
    assert_eq!(hub.get("/mcp/tools", &reader).await.status, 200);
    for path in [
        "/mcp/execute",
        "/mcp/tools/execute",
        "/api/admin/breakers/x/reset",
        "/api/admin/pins/a.b/accept",
    ] {
        assert_eq!(
            hub.post(path, &reader, &json!({})).await.status,
            403,
            "{path}"
        );
    }
    for path in [
        "/api/admin/audit",
        "/api/admin/services",
        "/api/admin/breakers",
        "/admin/pins",
        "/openapi.json",
    ] {
        assert_eq!(hub.get(path, &reader).await.status, 403, "{path}");
    }
}

/// Acceptance: 141
#[tokio::test]
async fn one_key_over_its_limit_leaves_others_alone() {
    let hub = TestHub::start().await;
    let asked = json!({"name": "five", "permissions": ["read", "execute"], "rate_limit": 5});
    let made = hub.post("/auth/api-keys", &hub.admin, &asked).await;
    let five = made.json()["data"]["key"].as_str().unwrap().to_owned();
    let call = |number: usize| json!({"server_name": "77_test_mcp", "tool_name": "test.echo", "parameters": {"text": number.to_string()}});
    for number in 0..5 {
        assert_eq!(
            hub.post("/mcp/tools/execute", &five, &call(number))
                .await
                .status,
            200
        );
    }
    let sixth = hub.post("/mcp/tools/execute", &five, &call(5)).await;
    assert_eq!(
        (sixth.status.as_u16(), &sixth.json()["error"]["code"]),
        (429, &json!("RATE_LIMITED"))
    );
    assert!(sixth.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(
        (
            sixth.header("x-ratelimit-limit"),
            sixth.header("x-ratelimit-remaining")
        ),
        ("5", "0")
    );
    assert_eq!(
        hub.post("/mcp/tools/execute", &hub.user, &call(5))
            .await
            .status,
        200
    );
}

/// Acceptance: 144
#[tokio::test]
async fn a_body_over_the_limit_is_refused_chunked_too() {
    let hub = TestHub::start().await;
    let limit = 10_485_760;
    for path in ["/mcp", "/mcp/execute", "/auth/api-keys"] {
        let big = || vec![b' '; limit + 1];
        let request = || a("POST", path, &hub.admin).header("content-type", "application/json");
        let declared = request()
            .header("content-length", limit + 1)
            .body(Body::from(big()))
            .unwrap();
        assert_eq!(hub.send(declared).await.status, 413, "{path}");
        let chunks = futures::stream::iter(
            big()
                .chunks(65_536)
                .map(|it| Ok::<_, std::io::Error>(it.to_vec()))
                .collect::<Vec<_>>(),
        );
        let chunked = request().body(Body::from_stream(chunks)).unwrap();
        assert_eq!(hub.send(chunked).await.status, 413, "{path}");
    }
    let settings = HttpSettings {
        body_bytes: 64,
        ..HttpSettings::default()
    };
    let small = TestHub::with(settings, LimitsConfig::default()).await;
    let long = json!({"action": "echo", "params": {"a": "x".repeat(64)}});
    assert_eq!(
        small.post("/mcp/execute", &small.user, &long).await.status,
        413
    );
}

#[tokio::test]
async fn an_address_that_guesses_is_slowed_down() {
    let limits = LimitsConfig {
        ip_per_minute: 3,
        ..LimitsConfig::default()
    };
    let hub = TestHub::with(HttpSettings::default(), limits).await;
    for _ in 0..3 {
        assert_eq!(hub.get("/mcp/tools", "wgk_wrong").await.status, 401);
    }
    let slowed = hub.get("/mcp/tools", "wgk_wrong").await;
    assert_eq!(
        (slowed.status.as_u16(), &slowed.json()["error"]["code"]),
        (429, &json!("RATE_LIMITED"))
    );
    assert_eq!(hub.get("/mcp/tools", &hub.user).await.status, 200);
    assert_eq!(hub.get("/health", "").await.status, 200);
}

#[tokio::test]
async fn a_key_travels_in_one_header_only() {
    let hub = TestHub::start().await;
    let bearer = a("GET", "/mcp/tools", "").header("authorization", format!("Bearer {}", hub.user));
    assert_eq!(
        hub.send(bearer.body(Body::empty()).unwrap()).await.status,
        200
    );
    let both =
        a("GET", "/mcp/tools", &hub.user).header("authorization", format!("Bearer {}", hub.user));
    assert_eq!(
        hub.send(both.body(Body::empty()).unwrap()).await.status,
        400
    );
    let address = format!("/mcp/tools?api_key={}", hub.user);
    assert_eq!(hub.get(&address, "").await.status, 401);
}

#[tokio::test]
async fn foreign_hosts_are_refused_but_probes_answer() {
    let hub = TestHub::start().await;
    let foreign = |path: &str| -> Request<Body> {
        let mut request = a("GET", path, &hub.user)
            .header("host", "evil.example")
            .body(Body::empty())
            .unwrap();
        request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
        request
    };
    assert_eq!(hub.send(foreign("/mcp/tools")).await.status, 403);
    assert_eq!(hub.send(foreign("/health")).await.status, 200);
}
