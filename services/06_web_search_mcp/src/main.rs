//! The program of spoke 06; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_06_web_search_mcp::SERVICE)
}
