//! The program of spoke 15; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_15_freqtrade_mcp::SERVICE)
}
