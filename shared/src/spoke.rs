//! The harness: serves a set of tools over gRPC and MCP on one port, safely, alone or behind a hub.
//!
//! A spoke is a static [`Service`] and a function that builds its [`Parts`]; everything else is here:
//! credentials, call tokens, approvals, the ledger of changes, limits, probes, metrics, shutdown and
//! the command line. Both doors end in one function, `call::run`. No tool of any spoke is known here,
//! nor are the hub's rules. Reading order: `service`, `server`, `call`, then the doors.

mod access;
mod approvals;
mod authority;
mod call;
mod catalogue;
mod cli;
mod describe;
mod grants;
mod grpc;

mod ledger;
mod mcp;
mod metrics;
mod options;
mod output;
mod probes;
mod reports;
mod server;
mod service;
mod settings;
mod store;

pub use catalogue::CatalogueError;
pub use cli::main;
pub use metrics::{ExtraMetrics, Meter, metrics_tool};
pub use options::{Around, StartOptions};
pub use server::{Running, StartError, start};
pub use service::{BuildError, BuildInput, Health, HealthCheck, Kit, Parts, Service};
pub use settings::SettingsError;
pub use store::StoreError;

#[cfg(feature = "testkit")]
pub(crate) use approvals::Decision;
#[cfg(feature = "testkit")]
pub(crate) use cli::decisions::{decided, waiting};
