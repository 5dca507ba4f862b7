//! Spoke 06 from outside: the real harness on a free port and stand-ins for the engines.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; clippy does not see them as tests"
)]

mod contract;
mod failures;
mod limits;
mod running;
mod searches;
