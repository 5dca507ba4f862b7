//! The suite through the hub, with a server of either era behind it, under the server's own names.

use crate::suite::{Run, check};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tests::mcp::{Era, McpServer};
use tests::recorder::Recorder;
use tests::stack::Stack;

/// The names of the fixture's tools, from the fixture itself.
const LIST: &str = "import { offer } from './offers.mjs';\
    const { tools } = await offer('tools/list', {}, {});\
    console.log(JSON.stringify(tools.map((tool) => tool.name)));";

/// Every tool of the fixture is a read, so that none waits for an approval.
fn effects() -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mcp");
    let output = std::process::Command::new("node")
        .args(["--input-type=module", "--eval", LIST])
        .current_dir(folder)
        .output()
        .unwrap();
    let names: Vec<String> = serde_json::from_slice(&output.stdout).unwrap();
    let added = ["test_added_tool".to_owned()];
    let all = names.into_iter().chain(added);
    all.map(|name| (name, json!("read"))).collect()
}

async fn register(stack: &Stack, server: &McpServer) {
    let specification = json!({
        "name": "fixture", "protocol": "http", "url": server.url, "effects": effects(),
    });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let made = http
        .post(format!("{}/gateway/servers", stack.url))
        .header("X-API-Key", &stack.operator)
        .json(&specification)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), 201, "{}", made.text().await.unwrap());
}

fn passes(era: Era, revision: &str, expected_failures: Option<&Path>) {
    through(era, |url| {
        check(url, Run::Required(revision), expected_failures);
    });
}

/// Runs the suite, by `run`, through a hub with a server of this era behind it.
fn through(era: Era, run: impl Fn(&str)) {
    let stack = Stack::start(&[12], &[("WAYGATE_OUTBOUND_ALLOW", "127.0.0.1")]);
    let server = McpServer::start(era);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(register(&stack, &server));
    let recorder = Recorder::start(&stack.url, &stack.operator);
    let url = format!("{}/servers/fixture/mcp", recorder.url);
    run(&url);
    recorder.assert_valid();
}

/// The scenarios about tasks that a hub can pass which makes tasks itself; the others ask for tasks of
/// the server.
const TASKS: [&str; 5] = [
    "tasks-lifecycle",
    "tasks-capability-negotiation",
    "tasks-wire-fields",
    "tasks-request-state-removal",
    "tasks-request-headers",
];

#[test]
fn the_hub_makes_tasks_of_calls_of_servers_of_either_era() {
    for era in [Era::Modern, Era::Legacy] {
        through(era, |url| {
            for scenario in TASKS {
                check(url, Run::Extension(scenario), None);
            }
        });
    }
}

/// Acceptance: 278, 342
#[test]
fn a_stateless_host_reaches_a_stateless_server_as_if_directly() {
    passes(Era::Modern, "2026-07-28", None);
}

/// Acceptance: 278, 285
#[test]
fn a_host_with_sessions_reaches_a_server_with_sessions_as_if_directly() {
    passes(Era::Legacy, "2025-11-25", None);
}

/// Acceptance: 342
#[test]
fn a_host_with_sessions_reaches_a_stateless_server() {
    passes(Era::Modern, "2025-11-25", None);
}

/// Acceptance: 342
#[test]
fn a_stateless_host_reaches_a_server_with_sessions() {
    let list = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("conformance/expected-failures.yaml");
    passes(Era::Legacy, "2026-07-28", Some(&list));
}
