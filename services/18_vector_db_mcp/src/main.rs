//! The program of spoke 18; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    shared::spoke::main(&spoke_18_vector_db_mcp::SERVICE)
}
