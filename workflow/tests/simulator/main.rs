//! Crashes at every instant, over definitions of every kind: nothing is lost, and what may happen once
//! happens once.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot read its own definitions has failed, and a failure names its seed"
)]

mod crash;
mod definitions;
mod model;
mod program;
mod random;
