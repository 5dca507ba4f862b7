//! The harness from outside: a real spoke on a free port, driven over HTTP, MCP and gRPC.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests; clippy does not see them as tests"
)]

mod approvals;
mod arguments;
mod calls;
mod direct;
mod doors;
mod edge;
mod ledger;
mod tokens;
