//! The program of spoke 17; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_17_crypto_trader_mcp::SERVICE)
}
