//! The fixture servers themselves: what fails here is no fault of the hub.

use crate::suite::{Run, check};
use tests::mcp::{Era, McpServer};

#[test]
fn the_stateless_fixture_passes_by_itself() {
    let server = McpServer::start(Era::Modern);
    check(&server.url, Run::Required("2026-07-28"), None);
}

#[test]
fn the_fixture_with_sessions_passes_by_itself() {
    let server = McpServer::start(Era::Legacy);
    check(&server.url, Run::Required("2025-11-25"), None);
}
