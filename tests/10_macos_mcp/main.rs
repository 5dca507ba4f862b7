//! Spoke 10 from outside: the real harness on a free port before a real `sshd` whose programs play a
//! Mac.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy does not see them as tests"
)]

mod commands;
mod contract;
mod files;
mod mac;
mod scripts;
