//! What the hub and the spokes both need.
//!
//! Nothing here knows the hub's rules or any one spoke. The pieces, in reading order: the terms of a
//! tool call ([`id`], [`error`], [`tool`], [`arguments`]), the proofs that travel with it
//! ([`call_token`], [`grant`], [`mod@reference`]), and what every process stands on ([`clock`], [`config`], [`secret`],
//! [`tasks`], [`redact`], [`telemetry`]). Work on the host goes through [`exec`] and [`files`], work
//! on other systems through [`outbound`]; what both give back is in [`outcome`]. [`http`] is the edge every listener stands behind,
//! [`spoke`] the harness of the spokes.

pub mod arguments;
pub mod call_token;
pub mod clock;
pub mod command;
pub mod config;
pub mod error;
pub mod exec;
pub mod files;
pub mod grant;
pub mod http;
pub mod id;
pub mod outbound;
pub mod outcome;
pub mod redact;
pub mod reference;
pub mod remote;
pub mod secret;
pub mod spoke;
pub mod tasks;
pub mod telemetry;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod tool;
