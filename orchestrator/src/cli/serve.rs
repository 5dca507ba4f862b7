//! `waygate serve`: the hub itself.

use super::{Context, Failure};
use crate::app;
use crate::config;
use clap::Args;
use shared::secret::FileThenEnvironment;
use shared::telemetry::{self, TelemetryConfig};
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, Default, Args)]
pub(super) struct ServeArgs {
    /// Address to listen on.
    #[arg(long)]
    host: Option<String>,
    /// Port to listen on; 0 lets the system choose.
    #[arg(long)]
    port: Option<u16>,
    /// development, production or test.
    #[arg(long)]
    env: Option<String>,
    /// Worker threads; 0 means one a core.
    #[arg(long)]
    workers: Option<usize>,
    /// Print the settings in force and stop; secrets are hidden.
    #[arg(long)]
    print_config: bool,
}

pub(super) fn run(context: &Context, args: &ServeArgs) -> Result<ExitCode, Failure> {
    let mut environment = context.environment.clone();
    let flags = [
        ("WAYGATE_HOST", args.host.clone()),
        ("WAYGATE_PORT", args.port.map(|port| port.to_string())),
        ("WAYGATE_ENV", args.env.clone()),
        (
            "WAYGATE_WORKERS",
            args.workers.map(|workers| workers.to_string()),
        ),
    ];
    for (name, value) in flags {
        if let Some(value) = value {
            environment.set(name, value);
        }
    }
    let loaded = config::load(&environment, context.global.config.as_deref())
        .map_err(|error| Failure::config(&error))?;
    if args.print_config {
        context.output.line(&loaded.print());
        return Ok(ExitCode::SUCCESS);
    }
    let config = loaded.config;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if config.server.workers > 0 {
        runtime.worker_threads(config.server.workers);
    }
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the runtime could not start: {error}")))?;
    runtime.block_on(async {
        let telemetry = telemetry_of(&config, false)?;
        let redactor = telemetry.redactor();
        let secrets = FileThenEnvironment::new(environment.clone()).telling(redactor.clone());
        let served = app::run(app::Inputs {
            config,
            environment,
            secrets: Arc::new(secrets),
            redactor,
        })
        .await;
        match served {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(error) if error.is_configuration() => Err(Failure::config(&error)),
            Err(error) => Err(Failure::failed(app::chain(&error))),
        }
    })
}

/// Starts logs and spans as the settings say; `quiet` keeps standard output free.
pub(super) fn telemetry_of(
    config: &config::Config,
    quiet: bool,
) -> Result<telemetry::Guard, Failure> {
    telemetry::init(TelemetryConfig {
        service: "waygate".into(),
        level: config.logging.level,
        format: config.logging.format,
        tracing_enabled: config.tracing.enabled,
        otlp_endpoint: config.tracing.otlp_endpoint.clone(),
        to_stderr: quiet,
    })
    .map_err(|error| Failure::config(&error))
}
