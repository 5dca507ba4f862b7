//! Spoke 13 from outside: the real harness on a free port, driven over gRPC as the hub drives it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests; clippy does not see them as tests"
)]

mod azure;
mod contract;
mod environment;
mod google;
mod kdbx;
mod keepass;
mod references;
mod running;
mod vault;
