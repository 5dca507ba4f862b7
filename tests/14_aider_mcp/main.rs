//! Spoke 14 from outside: the real harness on a free port over a repository of its own.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; clippy does not see them as tests"
)]

mod contract;
mod desk;
mod real;
mod tools;
