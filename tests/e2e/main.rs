//! Whole installations on loopback: real hub, real spokes, real clients, real crashes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails"
)]

mod abuse;
mod approvals;
mod clients;
mod failures;
mod hosts;
mod lifecycle;
mod observation;
mod secrecy;
mod workflows;
