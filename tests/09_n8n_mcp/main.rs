//! Spoke 09 from outside: the real harness on a free port before a strict stub of n8n.

mod contract;
mod tools;
