//! Tools and commands over plain HTTP.

use crate::hub::{TestHub, a};
use axum::body::Body;
use serde_json::{Value, json};

/// Acceptance: 118
#[tokio::test]
async fn tools_are_listed_and_called_over_plain_http() {
    let hub = TestHub::start().await;
    let tools = hub.get("/mcp/tools", &hub.user).await.json();
    assert_eq!(
        tools["total_tools"],
        tools["all_tools"].as_array().unwrap().len()
    );
    let all = tools["all_tools"].as_array().unwrap();
    assert!(all.iter().any(|tool| tool["mcp_server"] == "77_test_mcp"));
    let call = |tool: &str| json!({"server_name": "77_test_mcp", "tool_name": tool, "parameters": {"text": "a"}});
    let done = hub
        .post("/mcp/tools/execute", &hub.user, &call("test.echo"))
        .await;
    assert_eq!(done.json()["text"], "a");
    let asked = hub
        .post("/mcp/tools/execute", &hub.user, &call("test.add"))
        .await;
    assert_eq!(asked.status, 403);
    assert_eq!(asked.json()["error"]["code"], "APPROVAL_REQUIRED");
    assert_eq!(
        asked.json()["error"]["details"]["approval"]["state"],
        "pending"
    );
    let missing = hub
        .post(
            "/mcp/tools/execute",
            &hub.user,
            &json!({"tool_name": "test.echo"}),
        )
        .await;
    assert_eq!(
        (
            missing.status.as_u16(),
            &missing.json()["error"]["details"]["field"]
        ),
        (400, &json!("server_name"))
    );
    let of_server = hub
        .get("/mcp/servers/77_test_mcp/tools", &hub.user)
        .await
        .json();
    let own = all
        .iter()
        .filter(|tool| tool["mcp_server"] == "77_test_mcp");
    assert_eq!(of_server["tool_count"], own.count());
    assert_eq!(
        hub.get("/mcp/servers/none/tools", &hub.user).await.status,
        404
    );
}

/// Acceptance: 110, 111, 112, 114, 116
#[tokio::test]
async fn the_engine_runs_its_commands() {
    let hub = TestHub::start().await;
    let run = async |body: Value| hub.post("/mcp/execute", &hub.user, &body).await.json();
    let test = run(json!({"action": "test"})).await;
    assert_eq!(test["status"], "success");
    assert!(
        !test["result"].is_null() && test["duration_ms"].is_u64() && test["command_id"].is_string()
    );
    let called = run(
        json!({"action": "execute", "params": {"tool": "test.echo", "arguments": {"text": "x"}}}),
    )
    .await;
    assert_eq!(called["result"]["text"], "x");
    let failed = run(json!({"action": "execute", "params": {"tool": "test.add"}})).await;
    assert_eq!(
        (&failed["status"], &failed["error"]["code"]),
        (&json!("failed"), &json!("APPROVAL_REQUIRED"))
    );
    let unknown = run(json!({"action": "nonsense"})).await;
    assert_eq!(unknown["error"]["details"]["available_commands"][0], "test");
    let status = hub.get("/mcp/status", &hub.user).await.json();
    assert_eq!(
        (&status["plugins_loaded"], &status["protocol_version"]),
        (&json!(0), &json!("2026-07-28"))
    );
    let later = a("POST", "/mcp/execute", &hub.user)
        .header("content-type", "application/json")
        .header("prefer", "respond-async");
    let body = json!({"action": "execute", "params": {"tool": "test.slow"}}).to_string();
    let pending = hub.send(later.body(Body::from(body)).unwrap()).await;
    assert_eq!(
        (pending.status.as_u16(), &pending.json()["status"]),
        (202, &json!("pending"))
    );
    let path = format!(
        "/mcp/executions/{}",
        pending.json()["command_id"].as_str().unwrap()
    );
    hub.script.waiting().await;
    assert_eq!(
        hub.get(&path, &hub.user).await.json()["status"],
        "executing"
    );
    assert_eq!(hub.get(&path, &hub.admin).await.status, 404);
    hub.script.release();
    crate::fixture::eventually("the command ends", async || {
        hub.get(&path, &hub.user).await.json()["status"] == "success"
    })
    .await;
}

/// Acceptance: 113
#[tokio::test]
async fn a_slow_command_times_out() {
    let hub = TestHub::start().await;
    let body = json!({"action": "execute", "params": {"tool": "test.slow"}, "timeout": 1});
    let answer = hub.post("/mcp/execute", &hub.user, &body).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["status"]),
        (200, &json!("timeout"))
    );
}
