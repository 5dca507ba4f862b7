//! Spoke 18 from outside: the real harness on a free port over a folder of its own.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests; clippy does not see them as tests"
)]

mod contract;
mod endpoint;
mod tools;
