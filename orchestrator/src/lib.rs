#![doc = include_str!("../docs/ARCHITECTURE.md")]

pub mod audit;
pub mod auth;
pub mod cache;
pub mod caller;
pub mod keys;
pub mod ledger;
pub mod limits;
pub mod metrics;
pub mod policy;
pub mod recovery;
pub mod registry;
pub mod resilience;
pub mod router;
pub mod store;
pub mod transport;
pub mod upstream;
