//! The program of spoke 12; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_12_cmdb_mcp::SERVICE)
}
