//! The program of spoke 10; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_10_macos_mcp::SERVICE)
}
