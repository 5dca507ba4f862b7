//! The program of spoke 13; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_13_secrets_mcp::SERVICE)
}
