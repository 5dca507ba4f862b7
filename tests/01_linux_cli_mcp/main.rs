//! Spoke 01 from outside: the real harness on a free port, driven over gRPC as the hub drives it.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; clippy does not see them as tests"
)]

mod catalogue;
mod commands;
mod contract;
mod files;
mod nginx;
mod others;
mod reboot;
mod remote;
mod running;
