//! Plain JSON-RPC.

use crate::hub::{TestHub, a};
use axum::body::Body;
use serde_json::{Value, json};

async fn check(hub: &TestHub, body: &str) -> (u16, Value) {
    let request = a("POST", "/rpc", &hub.user).header("content-type", "application/json");
    let answer = hub
        .send(request.body(Body::from(body.to_owned())).unwrap())
        .await;
    (answer.status.as_u16(), answer.json())
}

/// Acceptance: 270
#[tokio::test]
async fn a_request_is_answered_under_its_id_and_faults_have_their_code() {
    let hub = TestHub::start().await;
    let call = r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"test.echo","arguments":{"text":"hi"}}}"#;
    let (status, answer) = check(&hub, call).await;
    assert_eq!((status, &answer["id"]), (200, &json!("x")));
    assert_eq!(answer["result"]["isError"], false);
    for (body, status, code) in [
        ("{", 400, -32700),
        (r#"{"jsonrpc":"2.0","id":1}"#, 400, -32600),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#,
            200,
            -32601,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#,
            200,
            -32601,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}"#,
            200,
            -32602,
        ),
    ] {
        let (got, answer) = check(&hub, body).await;
        assert_eq!(
            (got, &answer["error"]["code"]),
            (status, &json!(code)),
            "{body}"
        );
    }
    let note = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(check(&hub, note).await, (204, Value::Null));
}

/// Acceptance: 271
#[tokio::test]
async fn a_batch_is_answered_by_id_good_and_bad_together() {
    let hub = TestHub::start().await;
    let post = async |body: Value| hub.post("/rpc/batch", &hub.user, &body).await;
    let one = |id: u8, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method});
    let three = post(json!([
        one(1, "ping"),
        one(2, "no/such"),
        one(3, "tools/list")
    ]))
    .await;
    let answers = three.json();
    assert_eq!(answers.as_array().unwrap().len(), 3);
    let by_id = |id: u8| {
        let mut all = answers.as_array().unwrap().iter();
        all.find(|answer| answer["id"] == id).unwrap().clone()
    };
    assert_eq!(by_id(1)["result"], json!({}));
    assert_eq!(by_id(2)["error"]["code"], -32601);
    assert!(by_id(3)["result"]["tools"].is_array());
    let empty = post(json!([])).await;
    assert_eq!(empty.json()["error"]["code"], -32600);
    let many = post(vec![one(1, "ping"); 101].into()).await;
    assert_eq!(many.json()["error"]["code"], -32600);
    let odd = post(json!([7, one(9, "ping")])).await.json();
    assert_eq!(odd[0]["error"]["code"], -32600);
    assert_eq!(odd[1]["id"], 9);
    let notes = post(json!([{"jsonrpc": "2.0", "method": "notifications/x"}])).await;
    assert_eq!(notes.status, 204);
}

/// Acceptance: 272
#[tokio::test]
async fn introspection_lists_only_what_works() {
    let hub = TestHub::start().await;
    let listed = hub.get("/rpc/introspection", &hub.user).await.json();
    let methods = listed["methods"].as_array().unwrap().clone();
    assert!(methods.len() > 5);
    for method in methods {
        let name = method["name"].as_str().unwrap();
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": name, "params": {}});
        let (_, answer) = check(&hub, &request.to_string()).await;
        assert_ne!(answer["error"]["code"], -32601, "{name}");
    }
}

/// Acceptance: 282
#[tokio::test]
async fn one_server_is_reached_under_its_name_and_others_are_not_there() {
    let hub = TestHub::start().await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let own = hub.post("/servers/77_test_mcp/rpc", &hub.user, &list).await;
    assert!(!own.json()["result"]["tools"].as_array().unwrap().is_empty());
    let unknown = hub.post("/servers/nobody/rpc", &hub.user, &list).await;
    assert_eq!(unknown.status, 404);
    for path in ["/servers/nobody/mcp", "/servers/nobody/rpc"] {
        assert_eq!(hub.post(path, &hub.user, &list).await.status, 404, "{path}");
    }
}

/// Acceptance: 283
#[tokio::test]
async fn every_transport_needs_a_credential() {
    let hub = TestHub::start().await;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    for path in [
        "/mcp",
        "/rpc",
        "/rpc/batch",
        "/messages",
        "/sse/events",
        "/sse/broadcast",
        "/ws/send",
        "/ws/broadcast",
        "/servers/77_test_mcp/mcp",
        "/servers/77_test_mcp/rpc",
    ] {
        assert_eq!(hub.post(path, "", &ping).await.status, 401, "POST {path}");
    }
    for path in [
        "/mcp",
        "/sse",
        "/ws",
        "/sse/status",
        "/ws/status",
        "/ws/ping",
        "/sse/replay/x",
        "/rpc/introspection",
        "/servers/77_test_mcp/sse",
        "/servers/77_test_mcp/ws",
        "/rpc/health",
        "/sse/health",
        "/ws/health",
        "/mcp/health",
        "/mcp/status",
        "/mcp/capabilities",
    ] {
        assert_eq!(hub.get(path, "").await.status, 401, "GET {path}");
    }
}
