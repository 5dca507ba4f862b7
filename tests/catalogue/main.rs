//! The hub's own tools held against their table of the catalogue, and what concerns all tables.
//!
//! Each spoke is held against its table by its own tests (`tests::contract`).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod all;
mod hub;
mod own;
mod routing;
