//! The doors hosts come through: MCP over HTTP and stdio, in both eras, and what every HTTP request
//! passes before its handler.
//!
//! Only here and in `shared::spoke` are MCP frames known. Decisions about tool calls are the
//! gateway's.

pub mod address;
pub mod body;
pub mod cors;
pub mod edge;
pub mod envelope;
pub mod era;
pub mod exchange;
pub mod fault;
pub mod frame;
pub mod headers;
pub mod lists;
pub mod meta;
pub mod origin;
pub mod refusal;
pub mod render;
pub mod reports;
pub mod revision;
pub mod seen;
pub mod sessions;
pub mod settings;
pub mod sse;

pub use settings::HttpSettings;
