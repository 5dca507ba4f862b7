//! `waygate stdio`: MCP on standard input and output, logs on standard error.

use super::{Context, Failure};
use crate::app;
use crate::config;
use clap::Args;
use shared::secret::FileThenEnvironment;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(super) struct StdioArgs {}

pub(super) fn run(context: &Context, _args: &StdioArgs) -> Result<ExitCode, Failure> {
    let loaded = config::load(&context.environment, context.global.config.as_deref())
        .map_err(|error| Failure::config(&error))?;
    let config = loaded.config;
    super::block_on(async {
        let telemetry = super::serve::telemetry_of(&config, true)?;
        let environment = context.environment.clone();
        let redactor = telemetry.redactor();
        let secrets = FileThenEnvironment::new(environment.clone()).telling(redactor.clone());
        let inputs = app::Inputs {
            config,
            environment,
            secrets: Arc::new(secrets),
            redactor,
        };
        match app::run_stdio(inputs).await {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(error) if error.is_configuration() => Err(Failure::config(&error)),
            Err(error) => Err(Failure::failed(app::chain(&error))),
        }
    })
}
