//! Spoke 17 from outside: the real harness on a free port before strict stubs of those it asks.

mod analysis;
mod contract;
mod markets;
mod paper;
mod running;
