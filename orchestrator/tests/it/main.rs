//! Black-box tests of the hub's library.

mod auth_keys;
mod fixture;
mod postgres;
mod store_contract;
