//! `waygate bench`: measure the call path.

use super::{Context, Failure};
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {}

#[expect(clippy::unused_async, reason = "temporary")]
pub(super) async fn run(_context: &Context, command: BenchCommand) -> Result<ExitCode, Failure> {
    match command {}
}
