//! The catalogue of tools, held against the services that run: what they describe, what they refuse,
//! what they hold back until somebody has agreed.
//!
//! The tables are data (`tests::catalogue`). Spokes run in this process with the bodies of their tools
//! counted; what a tool does with good arguments is tested beside the tool.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod counted;
mod described;
mod differences;
mod door;
mod hub;
mod installation;
mod schema;
mod values;
mod wrong;

mod consent;
mod names;
mod routing;
mod tables;
mod through_hub;
mod validation;
