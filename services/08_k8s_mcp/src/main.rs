//! The program of spoke 08; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_08_k8s_mcp::SERVICE)
}
