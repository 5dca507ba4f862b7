//! The endpoint with tools to find, look at and call the others.

use crate::hub::{TestHub, modern};
use serde_json::{Value, json};

async fn ask(hub: &TestHub, key: &str, method: &str, params: Value) -> Value {
    let mut request = modern(key, method, params);
    *request.uri_mut() = "/search/mcp".parse().unwrap();
    hub.send(request).await.json()
}

async fn call(hub: &TestHub, key: &str, name: &str, arguments: Value) -> Value {
    let params = json!({"name": name, "arguments": arguments});
    ask(hub, key, "tools/call", params).await["result"].clone()
}

#[tokio::test]
async fn a_tool_is_found_looked_at_and_called() {
    let hub = TestHub::start().await;
    let listed = ask(&hub, &hub.user, "tools/list", json!({})).await;
    let names: Vec<&str> = listed["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["search_tools", "get_tool_details", "call_tool"]);
    let found = call(
        &hub,
        &hub.user,
        "search_tools",
        json!({"query": "say it ECHO"}),
    )
    .await;
    let first = &found["structuredContent"]["tools"][0];
    assert_eq!(first["name"], "test_echo", "{found}");
    let details = call(
        &hub,
        &hub.user,
        "get_tool_details",
        json!({"name": "test.echo"}),
    )
    .await;
    let all = hub.modern("tools/list", json!({})).await.json();
    let all = all["result"]["tools"].as_array().unwrap();
    let own = all.iter().find(|tool| tool["name"] == "test_echo").unwrap();
    assert_eq!(details["structuredContent"], *own);
    let arguments = json!({"name": "test_echo", "arguments": {"text": "hi"}});
    let called = call(&hub, &hub.user, "call_tool", arguments).await;
    assert_eq!(called["structuredContent"]["text"], "hi", "{called}");
}

#[tokio::test]
async fn calls_are_judged_as_calls_of_the_tool_itself() {
    let hub = TestHub::start().await;
    let change = json!({"name": "test.add", "arguments": {"amount": 1}});
    let asked = call(&hub, &hub.user, "call_tool", change.clone()).await;
    let code = |result: &Value| result["structuredContent"]["error"]["code"].clone();
    assert_eq!(code(&asked), "APPROVAL_REQUIRED", "{asked}");
    assert_eq!(
        asked["structuredContent"]["approval"]["tool"], "test.add",
        "{asked}"
    );
    let reader = hub.key(&["read"]).await;
    let denied = call(&hub, &reader, "call_tool", change).await;
    assert_eq!(code(&denied), "ACCESS_DENIED", "{denied}");
    let found = call(&hub, &reader, "search_tools", json!({"query": "add total"})).await;
    assert!(!found.to_string().contains("test_add"), "{found}");
    let hidden = call(
        &hub,
        &reader,
        "get_tool_details",
        json!({"name": "test.add"}),
    )
    .await;
    assert!(
        hidden["structuredContent"].get("name").is_none(),
        "{hidden}"
    );
    assert_eq!(hub.script.total(), 0);
}

#[tokio::test]
async fn wrong_arguments_are_refused() {
    let hub = TestHub::start().await;
    for (name, arguments) in [
        ("search_tools", json!({})),
        ("search_tools", json!({"query": "a", "limit": 0})),
        ("search_tools", json!({"query": "a", "more": 1})),
        ("get_tool_details", json!({"name": 1})),
        ("call_tool", json!({"arguments": {}})),
    ] {
        let params = json!({"name": name, "arguments": arguments});
        let refused = ask(&hub, &hub.user, "tools/call", params).await;
        let code = &refused["error"]["code"];
        assert_eq!(*code, -32602, "{name} {arguments}: {refused}");
    }
}
