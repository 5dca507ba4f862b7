//! What breaks costs itself only, and comes back by itself.

use serde_json::json;
use std::time::Duration;
use tests::host::Host;
use tests::stack::Stack;
use tokio::time::Instant;

/// Acceptance: 30, 69
#[tokio::test]
async fn a_killed_spoke_costs_its_own_tools_and_comes_back() {
    let mut stack = Stack::start(&[1, 12], &[]);
    let host = Host::new(&stack.url, &stack.agent);
    let query = json!({"query_field": "hostname", "query_value": "x"});
    assert_eq!(
        host.call("cmdb.local.findServers", query.clone(), json!({}))
            .await
            .structured()["count"],
        0
    );

    stack.spoke(12).kill();
    let down = host.call("cmdb.local.validate", json!({}), json!({})).await;
    assert!(
        ["SERVICE_UNAVAILABLE", "CIRCUIT_BREAKER_OPEN", "BAD_GATEWAY"].contains(&down.code()),
        "{}",
        down.body
    );
    assert_eq!(
        host.call("os.linux.cli.getOsInfo", json!({}), json!({}))
            .await
            .status,
        200
    );
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    let down = Instant::now();
    while host.get("/health").await.body["status"] != "degraded" {
        assert!(
            down.elapsed() < Duration::from_secs(10),
            "a dead spoke is not seen"
        );
        drop(host.call("cmdb.local.validate", json!({}), json!({})).await);
        pace.tick().await;
    }
    assert_eq!(offered(&host, "cmdb.").await, [false]);
    assert_eq!(offered(&host, "os.").await, [true]);

    stack.revive(12);
    let back = Instant::now();
    loop {
        pace.tick().await;
        let reply = host.call("cmdb.local.validate", json!({}), json!({})).await;
        if reply
            .body
            .pointer("/result/structuredContent/valid_rows")
            .is_some()
        {
            break;
        }
        assert!(
            back.elapsed() < Duration::from_secs(5),
            "still down: {}",
            reply.body
        );
    }
}

/// Acceptance: 100
#[tokio::test]
async fn nothing_answers_without_a_credential() {
    let mut stack = Stack::start(&[12], &[]);
    let stranger = Host::new(&stack.url, "");
    let refused = stranger
        .call("cmdb.local.validate", json!({}), json!({}))
        .await;
    assert_eq!(refused.status, 401, "{}", refused.body);
    for path in [
        "/mcp/tools",
        "/api/approvals",
        "/api/admin/audit",
        "/auth/api-keys",
        "/mcp/status",
    ] {
        assert_eq!(stranger.get(path).await.status, 401, "{path}");
    }
    let wrong = Host::new(
        &stack.url,
        "wgk_00000000_0000000000000000000000000000000000000000000_000000",
    );
    assert_eq!(wrong.get("/mcp/tools").await.status, 401);
    let url = stack
        .environment()
        .iter()
        .find(|(name, _)| name == "WAYGATE_SPOKE_URL_12")
        .unwrap()
        .1
        .clone();
    let spoke = Host::new(&url, "")
        .call("cmdb.local.validate", json!({}), json!({}))
        .await;
    assert_eq!(spoke.status, 401, "a spoke answered a stranger");
    assert!(stack.spoke(12).pid() > 0);
}

/// Acceptance: 101
#[tokio::test]
async fn bad_arguments_name_the_field() {
    let stack = Stack::start(&[1, 12], &[]);
    let host = Host::new(&stack.url, &stack.agent);
    for (tool, arguments, field) in [
        ("cmdb.local.getServerInfo", json!({}), "hostname"),
        (
            "cmdb.local.getServerInfo",
            json!({"hostname": 1}),
            "hostname",
        ),
        (
            "cmdb.local.getServerInfo",
            json!({"hostname": "a", "nonsense": 1}),
            "nonsense",
        ),
        (
            "os.linux.cli.readFile",
            json!({"path": "/etc/hostname", "encoding": "utf-9"}),
            "encoding",
        ),
    ] {
        let reply = host.call(tool, arguments, json!({})).await;
        assert_eq!(reply.body["error"]["code"], -32602, "{}", reply.body);
        let message = reply.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(field), "{message}");
    }
}

/// Whether the tools of a namespace are said to be available: each answer that is given.
async fn offered(host: &Host, namespace: &str) -> Vec<bool> {
    let listed = host.get("/mcp/tools").await.body;
    let tools = listed["all_tools"].as_array().unwrap().iter();
    let own = tools.filter(|tool| tool["name"].as_str().unwrap().starts_with(namespace));
    let mut said: Vec<_> = own
        .map(|tool| tool["available"].as_bool().unwrap())
        .collect();
    said.dedup();
    said
}
