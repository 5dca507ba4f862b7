//! Black-box tests of the hub's library.

mod approvals;
mod audit_forgery;
mod audit_trail;
mod auth_keys;
mod auth_rights;
mod bench;
mod effect_ledger;
mod fixture;
mod postgres;
mod store_contract;
mod trail;
