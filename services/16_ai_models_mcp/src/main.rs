//! The program of spoke 16; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_16_ai_models_mcp::SERVICE)
}
