//! The program of spoke 07; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_07_web_browsing_mcp::SERVICE)
}
