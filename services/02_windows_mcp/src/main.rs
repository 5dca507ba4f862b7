//! The program of spoke 02; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_02_windows_mcp::SERVICE)
}
