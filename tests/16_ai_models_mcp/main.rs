//! Spoke 16 from outside: the real harness on a free port, driven over gRPC as the hub drives it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests; clippy does not see them as tests"
)]

mod asking;
mod contract;
mod conversations;
mod providers;
mod running;
mod spending;
