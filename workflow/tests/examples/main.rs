//! The workflows in `examples/`, run by the interpreter to their ends.
//!
//! Tools are small stand-ins: a table of servers, files in memory, hosts that answer. That names and
//! arguments fit the shipped services is not shown here.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod driver;
mod flows;
mod world;
