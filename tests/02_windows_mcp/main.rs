//! Spoke 02 from outside: the real harness on a free port before a stand-in for Windows hosts that
//! checks NTLM and the messages of WS-Management.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests; clippy does not see them as tests"
)]

mod commands;
mod contract;
mod files;
mod protocol;
mod things;
mod windows;
