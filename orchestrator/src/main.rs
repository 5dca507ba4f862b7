//! The binary `waygate`.

use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrator::cli::main()
}
