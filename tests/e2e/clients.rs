//! Third-party clients, unchanged, through the hub.

use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use tests::process::program;
use tests::stack::Stack;

/// The folder `deploy/scripts/test-deps.sh` installs the SDKs into.
fn installed() -> PathBuf {
    let named = std::env::var_os("WAYGATE_CLIENTS").map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache")
        });
    let folder = named.unwrap_or_else(|| cache.join("waygate-ci/clients"));
    let hint = "the client SDKs are missing; install them with: deploy/scripts/test-deps.sh";
    assert!(
        folder.join("venv/bin/python").is_file(),
        "{hint} ({})",
        folder.display()
    );
    assert!(
        folder
            .join("node_modules/@modelcontextprotocol/client")
            .is_dir(),
        "{hint} ({})",
        folder.display()
    );
    folder
}

pub(crate) fn script(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(name)
}

pub(crate) fn json_of(command: &mut Command) -> Value {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|problem| {
        panic!(
            "{problem}: {} {error}",
            String::from_utf8_lossy(&output.stdout)
        )
    })
}

/// The client saw client-safe names, called one tool by alias, and got what the machine says of itself.
pub(crate) fn check(seen: &Value) {
    let tools: Vec<&str> = seen["tools"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for tool in [
        "os_linux_cli_getOsInfo",
        "os_linux_runCommand",
        "cmdb_local_findServers",
        "system_listServices",
    ] {
        assert!(tools.contains(&tool), "{tool} is missing in {tools:?}");
    }
    let release = std::fs::read_to_string("/etc/os-release").unwrap();
    let id = release
        .lines()
        .find_map(|line| line.strip_prefix("ID="))
        .unwrap()
        .trim_matches('"');
    assert_eq!(seen["is_error"], false);
    assert_eq!(seen["structured"]["ID"], id);
    let text: Value = serde_json::from_str(seen["text"][0].as_str().unwrap()).unwrap();
    assert_eq!(text, seen["structured"]);
}

/// Acceptance: 14, 16, 26, 38
#[test]
fn the_python_sdk_lists_and_calls_in_both_eras() {
    let stack = Stack::start(&[1, 12], &[]);
    for mode in ["auto", "legacy", "2026-07-28"] {
        let url = format!("{}/mcp", stack.url);
        check(&json_of(
            Command::new(installed().join("venv/bin/python"))
                .arg(script("python_client.py"))
                .args([mode, &url, &stack.agent, "os_linux_cli_getOsInfo", "{}"]),
        ));
    }
}

/// Acceptance: 14, 16
#[test]
fn the_typescript_sdk_lists_and_calls_in_both_eras() {
    let stack = Stack::start(&[1, 12], &[]);
    for mode in ["auto", "legacy", "2026-07-28"] {
        let url = format!("{}/mcp", stack.url);
        let mut node = Command::new("node");
        node.env("WAYGATE_CLIENTS", installed())
            .arg(script("typescript_client.mjs"));
        check(&json_of(node.args([
            mode,
            &url,
            &stack.agent,
            "os_linux_cli_getOsInfo",
            "{}",
        ])));
    }
}

/// Acceptance: 341
#[test]
fn a_client_drives_the_hub_over_stdio() {
    let stack = Stack::start(&[1, 12], &[]);
    for mode in ["auto", "legacy"] {
        let target = format!("stdio:{}", program("waygate").display());
        let mut python = Command::new(installed().join("venv/bin/python"));
        python
            .envs(stack.environment().iter().cloned())
            .arg(script("python_client.py"));
        check(&json_of(python.args([
            mode,
            &target,
            &stack.agent,
            "os_linux_cli_getOsInfo",
            "{}",
        ])));
    }
}

/// Acceptance: 17
#[tokio::test]
async fn the_id_of_a_request_comes_back_as_it_was_sent() {
    let stack = Stack::start(&[1], &[]);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for id in [json!(7), json!("seven"), json!("7")] {
        let body = json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
        }});
        let reply = http
            .post(format!("{}/mcp", stack.url))
            .header("Accept", "application/json, text/event-stream")
            .header("X-API-Key", &stack.agent)
            .json(&body);
        let reply: Value = reply.send().await.unwrap().json().await.unwrap();
        assert_eq!(reply["id"], id);
        assert_eq!(reply["result"]["protocolVersion"], "2025-06-18");
    }
}
