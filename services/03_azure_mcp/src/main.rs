//! The program of spoke 03; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_03_azure_mcp::SERVICE)
}
