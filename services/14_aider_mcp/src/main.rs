//! The program of spoke 14; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_14_aider_mcp::SERVICE)
}
