//! Spoke 04 from outside: the real harness on a free port.

mod contract;
