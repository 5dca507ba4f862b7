//! The program of spoke 11; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_11_documentation_mcp::SERVICE)
}
