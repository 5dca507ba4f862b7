//! Spoke 11 from outside: the real harness on a free port over a folder of documents.

mod contract;
mod tools;
