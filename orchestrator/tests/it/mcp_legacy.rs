//! The revisions with sessions through the front door.

use crate::hub::{TestHub, a, legacy, message};
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tower::ServiceExt;

const REVISIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

fn hello(revision: &str) -> Value {
    json!({
        "protocolVersion": revision,
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    })
}

/// Opens a session; its id.
async fn session(hub: &TestHub) -> String {
    let answer = hub
        .legacy("2025-11-25", "initialize", &hello("2025-11-25"))
        .await;
    answer.header("mcp-session-id").to_owned()
}

fn within(hub: &TestHub, id: &str, method: &str, params: &Value) -> Request<Body> {
    legacy(&hub.user, "2025-11-25", method, params)
        .header("mcp-session-id", id)
        .body(message(method, params))
        .unwrap()
}

fn notice(hub: &TestHub, id: &str, method: &str, params: &Value) -> Request<Body> {
    let body = json!({"jsonrpc": "2.0", "method": method, "params": params});
    let request = legacy(&hub.user, "2025-11-25", method, params);
    request
        .header("mcp-session-id", id)
        .body(Body::from(body.to_string()))
        .unwrap()
}

#[tokio::test]
async fn every_revision_is_agreed_on_and_served() {
    let hub = TestHub::start().await;
    for revision in REVISIONS {
        let opened = hub.legacy(revision, "initialize", &hello(revision)).await;
        let result = &opened.json()["result"];
        assert_eq!(result["protocolVersion"], revision);
        assert_eq!(result["capabilities"]["tools"]["listChanged"], true);
        let id = opened.header("mcp-session-id");
        assert_eq!(id.len(), 32);
        let call = json!({"name": "test_echo", "arguments": {"text": revision}});
        let request = legacy(&hub.user, revision, "tools/call", &call).header("mcp-session-id", id);
        let answer = hub
            .send(request.body(message("tools/call", &call)).unwrap())
            .await
            .json();
        let text: Value =
            serde_json::from_str(answer["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text["text"], revision);
        assert_eq!(
            answer["result"].get("structuredContent").is_some(),
            revision != "2025-03-26"
        );
        assert!(answer["result"].get("resultType").is_none());
    }
}

#[tokio::test]
async fn a_client_of_another_revision_gets_the_newest_with_sessions() {
    let hub = TestHub::start().await;
    for asked in ["2024-11-05", "2026-07-28", "2031-01-01"] {
        let body = message("initialize", &hello(asked));
        let request = a("POST", "/mcp", &hub.user)
            .header("content-type", "application/json")
            .body(body);
        let answer = hub.send(request.unwrap()).await.json();
        assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{asked}");
    }
    let nothing = hub
        .legacy("2025-11-25", "initialize", &json!({}))
        .await
        .json();
    assert_eq!(nothing["error"]["code"], -32602);
}

#[tokio::test]
async fn requests_without_a_session_are_served_and_unknown_sessions_are_not() {
    let hub = TestHub::start().await;
    let plain = hub.legacy("2025-06-18", "tools/list", &json!({})).await;
    assert!(plain.json()["result"]["tools"].is_array());
    for method in ["tools/list", "ping"] {
        let unknown = hub
            .send(within(&hub, &"x".repeat(32), method, &json!({})))
            .await;
        assert_eq!(unknown.status, 404);
    }
    let id = session(&hub).await;
    assert_eq!(
        hub.send(within(&hub, &id, "ping", &json!({}))).await.json()["result"],
        json!({})
    );
    let other = hub.key(&["read", "execute"]).await;
    let foreign = legacy(&other, "2025-11-25", "ping", &json!({})).header("mcp-session-id", &id);
    assert_eq!(
        hub.send(foreign.body(message("ping", &json!({}))).unwrap())
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_session_ends_with_delete() {
    let hub = TestHub::start().await;
    let id = session(&hub).await;
    let delete = |id: &str| {
        a("DELETE", "/mcp", &hub.user)
            .header("mcp-session-id", id)
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(hub.send(delete(&id)).await.status, 204);
    assert_eq!(hub.send(delete(&id)).await.status, 404);
    assert_eq!(
        hub.send(within(&hub, &id, "ping", &json!({}))).await.status,
        404
    );
    let nameless = a("DELETE", "/mcp", &hub.user).body(Body::empty()).unwrap();
    assert_eq!(hub.send(nameless).await.status, 400);
}

#[tokio::test]
async fn doors_that_are_shut_say_so() {
    let hub = TestHub::start().await;
    assert_eq!(hub.get("/mcp", &hub.user).await.status, 405);
    let modern = |method: &str| {
        let request = a(method, "/mcp", &hub.user).header("mcp-protocol-version", "2026-07-28");
        request.body(Body::empty()).unwrap()
    };
    for method in ["GET", "DELETE", "PUT"] {
        assert_eq!(hub.send(modern(method)).await.status, 405, "{method}");
    }
    let version = hub.legacy("1999-01-01", "tools/list", &json!({})).await;
    assert_eq!(version.status, 400);
    let origin = within(&hub, &session(&hub).await, "ping", &json!({}));
    let (mut parts, body) = origin.into_parts();
    parts
        .headers
        .insert("origin", "https://evil.example".parse().unwrap());
    assert_eq!(hub.send(Request::from_parts(parts, body)).await.status, 403);
}

#[tokio::test]
async fn legacy_errors_keep_200_and_notifications_are_accepted() {
    let hub = TestHub::start().await;
    let unknown = hub.legacy("2025-11-25", "no/such", &json!({})).await;
    assert_eq!(
        (unknown.status.as_u16(), &unknown.json()["error"]["code"]),
        (200, &json!(-32601))
    );
    let id = session(&hub).await;
    let accepted = hub
        .send(notice(&hub, &id, "notifications/initialized", &json!({})))
        .await;
    assert_eq!(accepted.status, 202);
    assert!(accepted.body.is_empty());
    let response = json!({"jsonrpc": "2.0", "id": 1, "result": {}});
    assert_eq!(hub.post("/mcp", &hub.user, &response).await.status, 202);
}

#[tokio::test]
async fn a_notification_cancels_and_nothing_is_said_after() {
    let hub = TestHub::start().await;
    let id = session(&hub).await;
    let call = hub.send(within(
        &hub,
        &id,
        "tools/call",
        &json!({"name": "test.slow"}),
    ));
    let cancel = async {
        hub.script.waiting().await;
        let foreign = notice(
            &hub,
            &id,
            "notifications/cancelled",
            &json!({"requestId": 2}),
        );
        hub.send(foreign).await;
        hub.send(notice(
            &hub,
            &id,
            "notifications/cancelled",
            &json!({"requestId": 1}),
        ))
        .await;
    };
    let (answer, ()) = tokio::join!(call, cancel);
    assert!(answer.body.is_empty(), "{:?}", answer.body);
    tokio::time::timeout(Duration::from_secs(5), hub.script.dropped())
        .await
        .unwrap();
}

#[tokio::test]
async fn the_stream_of_a_session_tells_of_changed_tools() {
    let hub = TestHub::start().await;
    let id = session(&hub).await;
    let open = |last: Option<&str>| {
        let mut request = a("GET", "/mcp", &hub.user)
            .header("host", "localhost")
            .header("accept", "text/event-stream")
            .header("mcp-session-id", &id)
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        hub.router
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
    };
    let answer = open(None).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b":"));
    let extra = orchestrator::upstream::local::LocalUpstream::new(
        "78_more_mcp",
        "1",
        &["more"],
        vec![shared::testkit::Script::read_named("more.tool")],
    );
    hub.hub
        .registry
        .add_own(std::sync::Arc::new(extra.unwrap()))
        .await
        .unwrap();
    let change = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let text = std::str::from_utf8(&change).unwrap();
    assert!(text.contains("notifications/tools/list_changed"), "{text}");
    let missed = open(Some("0"))
        .await
        .unwrap()
        .into_body()
        .frame()
        .await
        .unwrap()
        .unwrap();
    let missed = missed.into_data().unwrap();
    assert!(
        std::str::from_utf8(&missed)
            .unwrap()
            .contains("list_changed")
    );
}
