//! The language: typed model of a document, what is wrong with one, and what tools there are.
//!
//! Documents follow the Serverless Workflow DSL 1.0; what the standard lacks stands under
//! `metadata.hub`. How a document runs is not decided here.

pub mod compact;
pub mod diff;
pub mod model;

mod catalogue;
mod complaint;
mod read;
mod text;

pub use catalogue::{Catalogue, NoCatalogue, ProcessKind, ToolView};
pub use complaint::Complaint;
pub(crate) use read::digest;
pub use text::{MAX_DEPTH, MAX_TEXT, MAX_VALUES};
