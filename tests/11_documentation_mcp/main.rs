//! Spoke 11 from outside: the real harness on a free port over a folder of documents.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests; clippy does not see them as tests"
)]

mod contract;
mod tools;
