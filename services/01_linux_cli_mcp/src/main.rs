//! The program of spoke 01; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_01_linux_cli_mcp::SERVICE)
}
