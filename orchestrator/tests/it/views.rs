//! What endpoints and credentials show.

use crate::hub::{TestHub, modern};
use orchestrator::auth::{NewKey, Principal, Role};
use serde_json::{Value, json};

async fn ask(hub: &TestHub, path: &str, key: &str, method: &str, params: Value) -> Value {
    let mut request = modern(key, method, params);
    *request.uri_mut() = path.parse().unwrap();
    hub.send(request).await.json()
}

async fn tools(hub: &TestHub, path: &str, key: &str) -> Vec<Value> {
    let listed = ask(hub, path, key, "tools/list", json!({})).await;
    listed["result"]["tools"].as_array().unwrap().clone()
}

fn names(tools: &[Value]) -> Vec<&str> {
    tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect()
}

/// The tools of the view `desk`, at one endpoint.
async fn check(hub: &TestHub, path: &str, key: &str) {
    let listed = tools(hub, path, key).await;
    let shown = names(&listed);
    assert!(
        shown.contains(&"say") && shown.contains(&"test_slow"),
        "{shown:?}"
    );
    let hidden = ["test_echo", "test_set", "artefacts_read"];
    assert!(hidden.iter().all(|name| !shown.contains(name)), "{shown:?}");
    let say = listed.iter().find(|tool| tool["name"] == "say").unwrap();
    assert_eq!(say["description"], "Say it again.");
    assert_eq!(say["_meta"]["waygate/id"], "test.echo");
    for (name, works) in [
        ("say", true),
        ("test.echo", true),
        ("test_set", false),
        ("test.set", false),
        ("artefacts.read", false),
        ("nothing", false),
    ] {
        let params = json!({"name": name, "arguments": {"text": "hi"}});
        let called = ask(hub, path, key, "tools/call", params).await;
        let text = &called["result"]["structuredContent"]["text"];
        assert_eq!(text == "hi", works, "{name}: {called}");
        assert_eq!(called["error"].is_object(), !works, "{name}: {called}");
    }
    assert_eq!(hub.script.runs("test.set"), 0);
}

#[tokio::test]
async fn a_view_is_an_endpoint_of_its_own() {
    let hub = TestHub::start().await;
    check(&hub, "/views/desk/mcp", &hub.user).await;
    let all = tools(&hub, "/mcp", &hub.user).await;
    assert!(names(&all).contains(&"test_echo") && names(&all).contains(&"artefacts_read"));
    let mut request = modern(&hub.user, "tools/list", json!({}));
    *request.uri_mut() = "/views/nowhere/mcp".parse().unwrap();
    assert_eq!(hub.send(request).await.status, 404);
}

#[tokio::test]
async fn a_credential_sees_its_view_at_every_endpoint_of_all_servers() {
    let hub = TestHub::start().await;
    let new = NewKey {
        permissions: vec!["read".into(), "execute".into()],
        role: Role::ApiUser,
        ..NewKey::named("viewer of desk")
    };
    let auth = &hub.hub.gateway.auth;
    let key = auth.create_key(&Principal::local("test"), new).await;
    let key = key.unwrap().text.expose().to_owned();
    check(&hub, "/mcp", &key).await;
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let listed = hub.post("/rpc", &key, &body).await.json();
    let listed = listed["result"]["tools"].as_array().unwrap();
    assert!(names(listed).contains(&"say"), "{listed:?}");
    let params = json!({"name": "search_tools", "arguments": {"query": ""}});
    let found = ask(&hub, "/search/mcp", &key, "tools/call", params).await;
    let found = found["result"]["structuredContent"].to_string();
    assert!(
        found.contains("\"say\"") && !found.contains("test_set"),
        "{found}"
    );
}

#[tokio::test]
async fn a_view_gives_no_rights() {
    let hub = TestHub::start().await;
    let reader = hub.key(&["read"]).await;
    let listed = tools(&hub, "/views/desk/mcp", &reader).await;
    assert!(listed.is_empty(), "{listed:?}");
    let params = json!({"name": "say", "arguments": {"text": "hi"}});
    let called = ask(&hub, "/views/desk/mcp", &reader, "tools/call", params).await;
    let code = &called["result"]["structuredContent"]["error"]["code"];
    assert_eq!(*code, "ACCESS_DENIED", "{called}");
}
