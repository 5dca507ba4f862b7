//! The official MCP conformance suite against servers, with the hub between them.
//!
//! The suite cannot present a key, so a recorder stands in front of the hub; it checks every message
//! of the hub against the published schemas meanwhile. What is expected to fail, and why, stands in
//! `expected-failures.yaml`.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails"
)]

mod client;
mod fixture;
mod hub;
mod suite;
mod through;
