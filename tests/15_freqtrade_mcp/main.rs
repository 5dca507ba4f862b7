//! Spoke 15 from outside: the real harness on a free port before a strict stub of a bot, a stand-in for
//! the program, and a small checkout.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests; clippy does not see them as tests"
)]

mod api;
mod contract;
mod local;
mod stub;
