//! The program of spoke 09; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_09_n8n_mcp::SERVICE)
}
