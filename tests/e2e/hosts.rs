//! Hosts of others that know sessions only, through the hub: the older TypeScript SDK, the Inspector,
//! and a bridge from stdio. What the hub sends them over HTTP is held against the published schemas.

use super::clients::{check, json_of, script};
use serde_json::Value;
use std::process::Command;
use tests::clients::{installed, newer_node, suite_package};
use tests::recorder::Recorder;
use tests::stack::Stack;

const TOOL: &str = "os_linux_cli_getOsInfo";

/// The older SDK over one of its transports; `target` is an address, or a command with its arguments.
fn old_sdk(transport: &str, stack: &Stack, target: &[&str]) -> Value {
    let home = tempfile::tempdir().unwrap();
    let mut node = Command::new(newer_node());
    node.env("WAYGATE_CLIENTS", installed().join("conformance"))
        .env("HOME", home.path())
        .arg(script("old_client.mjs"))
        .args([transport, &stack.agent, TOOL, "{}"]);
    json_of(node.args(target))
}

/// Acceptance: 14, 16
#[test]
fn the_older_typescript_sdk_lists_and_calls_over_streams_of_either_kind() {
    let stack = Stack::start(&[1, 12], &[]);
    let recorder = Recorder::start(&stack.url, &stack.agent);
    check(&old_sdk(
        "http",
        &stack,
        &[&format!("{}/mcp", recorder.url)],
    ));
    recorder.assert_valid();
    check(&old_sdk("sse", &stack, &[&format!("{}/sse", stack.url)]));
}

/// Acceptance: 14, 16
#[test]
fn a_bridge_from_stdio_lists_and_calls() {
    let stack = Stack::start(&[1, 12], &[]);
    let node = newer_node().display().to_string();
    let bridge = suite_package("mcp-remote").join("dist/proxy.js");
    let recorder = Recorder::start(&stack.url, &stack.agent);
    let (bridge, url) = (
        bridge.display().to_string(),
        format!("{}/mcp", recorder.url),
    );
    let header = format!("X-API-Key:{}", stack.agent);
    let seen = old_sdk(
        "stdio",
        &stack,
        &[&node, &bridge, &url, "--allow-http", "--header", &header],
    );
    check(&seen);
    recorder.assert_valid();
}

/// Acceptance: 14, 16
#[test]
fn the_inspector_lists_and_calls() {
    let stack = Stack::start(&[1, 12], &[]);
    let recorder = Recorder::start(&stack.url, &stack.agent);
    let home = tempfile::tempdir().unwrap();
    let inspect = |more: &[&str]| {
        let package = suite_package("@modelcontextprotocol/inspector");
        let manifest = std::fs::read_to_string(package.join("package.json")).unwrap();
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        let program = manifest["bin"]["mcp-inspector"].as_str().unwrap();
        let header = format!("X-API-Key: {}", stack.agent);
        let mut node = Command::new(newer_node());
        node.env("HOME", home.path())
            .arg(package.join(program))
            .args(["--cli", &format!("{}/mcp", recorder.url)])
            .args(["--transport", "http", "--header", &header]);
        json_of(node.args(more))
    };
    let listed = inspect(&["--method", "tools/list"]);
    let names: Vec<&str> = listed["tools"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert!(names.contains(&TOOL), "{names:?}");
    let called = inspect(&["--method", "tools/call", "--tool-name", TOOL]);
    assert_eq!(called["isError"], false, "{called}");
    assert!(called["structuredContent"]["ID"].is_string(), "{called}");
    recorder.assert_valid();
}
