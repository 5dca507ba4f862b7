//! The program of spoke 04; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_04_google_cloud_mcp::SERVICE)
}
