//! The doors hosts come through: MCP over HTTP and stdio, in both eras, and what every HTTP request
//! passes before its handler.
//!
//! Only here, in `upstream` and in `shared::spoke` are MCP frames known. Decisions about tool calls
//! are the gateway's.

pub mod envelope;
pub mod era;
pub mod fault;
pub mod frame;
pub mod headers;
pub mod meta;
pub mod render;
pub mod revision;
