//! Start and stop.

use serde_json::json;
use tests::host::Host;
use tests::process::{Process, program};
use tests::stack::Stack;

/// Acceptance: 354
#[tokio::test]
async fn calls_in_flight_end_before_the_hub_does() {
    let mut stack = Stack::start(&[1], &[("ALLOWED_COMMANDS", "ls,cat,tail")]);
    let file = stack.files().join("log.txt");
    std::fs::write(&file, "line\n").unwrap();
    let host = Host::new(&stack.url, &stack.agent);
    let call = tokio::spawn(async move {
        host.call(
            "os.linux.runCommand",
            json!({"command": format!("cat {}", file.display())}),
            json!({}),
        )
        .await
    });
    assert_eq!(call.await.unwrap().structured()["stdout"], "line\n");
    let status = tokio::task::spawn_blocking(move || stack.hub.stop())
        .await
        .unwrap();
    assert!(status.success(), "{status}");
}

fn refuses(name: &str, variable: (&str, &str), words: &str) {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().display().to_string();
    let environment =
        [("WAYGATE_BASE_DIR", base.as_str()), variable].map(|(a, b)| (a.to_owned(), b.to_owned()));
    let mut process = Process::start(&program(name), &[], &environment);
    let status = process.wait();
    assert_eq!(
        status.code(),
        Some(64),
        "{name} with {variable:?}: {}",
        process.log()
    );
    assert!(
        process.log().contains(words),
        "{name} does not name {words}: {}",
        process.log()
    );
}

/// Acceptance: 21, 136, 195
#[test]
fn a_bad_setting_stops_the_start_and_is_named() {
    refuses("waygate", ("WAYGATE_ENV", "staging"), "WAYGATE_ENV");
    refuses("waygate", ("WAYGATE_PORT", "abc"), "WAYGATE_PORT");
    refuses(
        "waygate",
        ("WAYGATE_ENV", "production"),
        "WAYGATE_DATABASE_URL",
    );
    refuses("spoke_12_cmdb_mcp", ("MCP_PORT", "abc"), "MCP_PORT");
    refuses(
        "spoke_01_linux_cli_mcp",
        ("WAYGATE_SPOKE_AUTH", "maybe"),
        "WAYGATE_SPOKE_AUTH",
    );
}
