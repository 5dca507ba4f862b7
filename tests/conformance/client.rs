//! The client scenarios: the suite is the server, the hub is its client, with a host behind the hub.

use crate::suite::{Run, check_client};
use tests::stack::Stack;

fn passes(revision: &str) {
    let stack = Stack::start(
        &[12],
        &[
            ("WAYGATE_OUTBOUND_ALLOW", "localhost,127.0.0.1,::1"),
            ("WAYGATE_PUBLIC_URL", "https://conformance-test.local"),
            ("WAYGATE_SERVER_CONFORMANCE", "pre-registered-secret"),
        ],
    );
    check_client(&stack.url, &stack.operator, Run::Required(revision));
}

/// Acceptance: 285, 342
#[test]
fn the_hub_is_a_client_as_2026_07_28_wants_it() {
    passes("2026-07-28");
}

/// Acceptance: 285
#[test]
fn the_hub_is_a_client_as_2025_11_25_wants_it() {
    passes("2025-11-25");
}
