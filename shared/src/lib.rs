//! What the hub and the spokes both need.
//!
//! Nothing here knows the hub's rules or any one spoke. The pieces, in reading order: the terms of a
//! tool call ([`id`], [`error`], [`tool`], [`arguments`]), the proofs that travel with it
//! ([`call_token`], [`grant`]).

pub mod arguments;
pub mod call_token;
pub mod error;
pub mod grant;
pub mod id;
pub mod tool;
