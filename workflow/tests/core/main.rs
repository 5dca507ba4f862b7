//! The interpreter event by event: what the simulator cannot ask because nothing crashes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot read its own definitions has failed"
)]

mod approval;
mod bench;
mod control;
mod limits;
mod winding;
