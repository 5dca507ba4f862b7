//! Spoke 07 from outside: the real harness and a real Chromium, driven over gRPC as the hub drives it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests; clippy does not see them as tests"
)]

mod acting;
mod arguments;
mod contract;
mod guard;
mod lives;
mod reading;
mod running;
