//! The hub alone: what the transport answers for, whatever stands behind it.

use crate::suite::{Run, check};
use tests::recorder::Recorder;
use tests::stack::Stack;

fn scenarios(revision: &str, scenarios: &[&str]) {
    let stack = Stack::start(&[12], &[]);
    let recorder = Recorder::start(&stack.url, &stack.agent);
    let url = format!("{}/mcp", recorder.url);
    for scenario in scenarios {
        check(&url, Run::One(scenario, revision), None);
    }
    recorder.assert_valid();
}

/// Acceptance: 278, 342
#[test]
fn the_hub_alone_passes_what_needs_no_server_in_2026_07_28() {
    scenarios(
        "2026-07-28",
        &[
            "tools-list",
            "server-sse-multiple-streams",
            "dns-rebinding-protection",
        ],
    );
}

/// Acceptance: 278, 285
#[test]
fn the_hub_alone_passes_what_needs_no_server_in_2025_11_25() {
    scenarios(
        "2025-11-25",
        &[
            "server-initialize",
            "server-session-lifecycle",
            "ping",
            "logging-set-level",
            "tools-list",
            "server-sse-multiple-streams",
            "dns-rebinding-protection",
        ],
    );
}
