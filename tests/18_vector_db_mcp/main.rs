//! Spoke 18 from outside: the real harness on a free port over a folder of its own.

mod contract;
mod endpoint;
mod tools;
