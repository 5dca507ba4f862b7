//! Black-box tests of the hub's library.

mod postgres;
mod store_contract;
