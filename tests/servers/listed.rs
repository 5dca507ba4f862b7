//! Servers of every transport are registered, listed and called.

use crate::installed::{everything, fast_mcp, on_stdio, typescript};
use crate::rig::{Remote, Rig, text};
use serde_json::{Value, json};

/// The reference server has this to offer, whatever it is reached over.
async fn check_everything(rig: &Rig, server: &Value) {
    let tools: Vec<&str> = server["tools"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert!(
        tools.contains(&"echo") && tools.contains(&"get-sum"),
        "{tools:?}"
    );
    let name = server["name"].as_str().unwrap();
    let echoed = rig
        .call(name, "echo", &json!({"message": "hällo"}))
        .await
        .unwrap();
    assert!(text(&echoed).contains("hällo"), "{echoed}");
    let sum = rig
        .call(name, "get-sum", &json!({"a": 2, "b": 3}))
        .await
        .unwrap();
    assert!(text(&sum).contains('5'), "{sum}");
    assert!(!rig.names(name, "resources").await.is_empty());
    assert!(!rig.names(name, "prompts").await.is_empty());
    assert_eq!(server["revision"], "2025-11-25");
}

/// Acceptance: 259, 260, 343
#[tokio::test]
async fn the_reference_server_is_registered_called_and_removed_over_stdio() {
    let rig = Rig::start();
    let specification = on_stdio("everything", everything("stdio"));
    let server = rig.register(&specification).await;
    check_everything(&rig, &server).await;
    let (status, body) = rig
        .ask("POST", "/gateway/servers", Some(&specification))
        .await;
    assert_eq!(
        (status, &body["error"]["code"]),
        (409, &json!("ALREADY_EXISTS")),
        "{body}"
    );
    let (_, listed) = rig.ask("GET", "/gateway/servers", None).await;
    assert_eq!(listed["data"][0]["name"], "everything");
    let path = format!("/gateway/servers/{}", server["id"].as_str().unwrap());
    assert_eq!(rig.ask("DELETE", &path, None).await.0, 200);
    assert_eq!(rig.ask("GET", &path, None).await.0, 404);
    let gone = rig
        .call("everything", "echo", &json!({"message": "x"}))
        .await
        .unwrap_err();
    assert_eq!(gone["error"]["code"], "SERVER_NOT_FOUND");
}

/// Acceptance: 343
#[tokio::test]
async fn the_reference_server_is_reached_over_http_of_both_kinds() {
    let rig = Rig::start();
    for (name, transport, path, protocol) in [
        ("streamed", "streamableHttp", "/mcp", "http"),
        ("older", "sse", "/sse", "sse"),
        ("found", "sse", "/sse", "http"),
    ] {
        let remote = Remote::start(everything(transport));
        let specification = json!({
            "name": name,
            "protocol": protocol,
            "url": remote.url(path),
            "effects": {"*": "read"},
        });
        let server = rig.register(&specification).await;
        check_everything(&rig, &server).await;
    }
}

/// Acceptance: 343
#[tokio::test]
async fn servers_made_with_both_sdks_are_called_over_stdio_and_http() {
    let rig = Rig::start();
    rig.register(&on_stdio("ts", typescript("stdio"))).await;
    rig.register(&on_stdio("py", fast_mcp("stdio"))).await;
    let (typescript, python) = (
        Remote::start(typescript("http")),
        Remote::start(fast_mcp("streamable-http")),
    );
    for (name, remote) in [("ts_http", &typescript), ("py_http", &python)] {
        let specification = json!({"name": name, "protocol": "http", "url": remote.url("/mcp")});
        rig.register(&specification).await;
    }
    for name in ["ts", "ts_http"] {
        let sum = rig
            .call(name, "add", &json!({"z": 2, "a": 40}))
            .await
            .unwrap();
        assert_eq!(text(&sum), "42", "{name}");
    }
    for name in ["py", "py_http"] {
        let product = rig
            .call(name, "multiply", &json!({"a": 6, "b": 7}))
            .await
            .unwrap();
        assert_eq!(product["structuredContent"]["result"], 42, "{product}");
        assert_eq!(rig.names(name, "prompts").await, [format!("{name}_review")]);
        assert_eq!(rig.names(name, "resources").await.len(), 1);
    }
}

/// Acceptance: 259
#[tokio::test]
async fn servers_are_added_tried_listed_and_removed_on_the_command_line() {
    let rig = Rig::start();
    let key = rig.stack.operator.clone();
    let (command, arguments) = typescript("stdio");
    let variable = format!("WAYGATE_SERVERS={}", crate::installed::folder().display());
    let words = |verb: &'static str| {
        let mut words = vec!["servers", verb, "ts", "--effect", "*=read", "--env"];
        words.extend([variable.as_str(), "--", command.as_str()]);
        words.extend(arguments.iter().map(String::as_str));
        words
    };
    let seen = rig.stack.cli_json(&key, &words("test"));
    assert_eq!(seen["tool_count"], 2, "{seen}");
    let added = rig.stack.cli_json(&key, &words("add"));
    assert_eq!(added["tools"][0]["id"], "ts.add", "{added}");
    let listed = rig.stack.cli_json(&key, &["servers", "list"]);
    assert_eq!(listed[0]["status"], "active", "{listed}");
    drop(rig.stack.cli_json(&key, &["servers", "remove", "ts"]));
    assert_eq!(rig.stack.cli_json(&key, &["servers", "list"]), json!([]));
}

/// Acceptance: 259
#[tokio::test]
async fn what_may_not_be_started_or_asked_is_not_registered() {
    let rig = Rig::start();
    let check = async |specification: Value, status: u16, code: &str| {
        let (got, body) = rig
            .ask("POST", "/gateway/servers", Some(&specification))
            .await;
        assert_eq!(
            (got, &body["error"]["code"]),
            (status, &json!(code)),
            "{body}"
        );
    };
    let shell = json!({"name": "x", "protocol": "stdio", "command": "sh", "args": ["-c", "true"]});
    check(shell, 403, "POLICY_VIOLATION").await;
    let inside = json!({"name": "x", "protocol": "http", "url": "http://10.0.0.1/mcp"});
    check(inside, 403, "ADDRESS_REFUSED").await;
    let dead = json!({"name": "x", "protocol": "http", "url": "http://127.0.0.1:1/mcp"});
    check(dead, 502, "PROXY_ERROR").await;
    let no_server =
        json!({"name": "x", "protocol": "stdio", "command": "node", "args": ["-e", "0"]});
    check(no_server, 502, "PROXY_ERROR").await;
    let own = json!({"name": "system", "protocol": "http", "url": "http://127.0.0.1:1/mcp"});
    check(own, 409, "ALREADY_EXISTS").await;
}
