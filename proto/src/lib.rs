//! Wire formats: the contract between hub and spokes, and the MCP messages the hub reads and writes.
//!
//! Only shapes live here. There is no behaviour, no configuration and no storage: whoever uses a
//! message decides what it means.

pub mod mcp;
pub mod spoke;
