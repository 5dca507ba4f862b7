//! `waygate health`: the probe of containers and scripts.

use super::output::field;
use super::{Context, EXIT_UNAVAILABLE, Failure};
use clap::Args;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// Also fail while the hub is not ready to serve.
    #[arg(long)]
    ready: bool,
}

pub(super) async fn run(context: &Context, args: &HealthArgs) -> Result<ExitCode, Failure> {
    let client = context.client()?;
    if args.ready {
        client
            .get("/ready")
            .await
            .map_err(|failure| Failure::new(EXIT_UNAVAILABLE, failure.message))?;
    }
    let health = client.get("/health").await?;
    context.output.show(&health, |health| {
        let checks = health.get("checks").and_then(serde_json::Value::as_object);
        let checks: Vec<String> = checks
            .into_iter()
            .flatten()
            .map(|(name, word)| format!("{name} {}", word.as_str().unwrap_or("?")))
            .collect();
        format!("{} ({})", field(health, "status"), checks.join(", "))
    });
    Ok(if field(&health, "status") == "unhealthy" {
        ExitCode::from(EXIT_UNAVAILABLE)
    } else {
        ExitCode::SUCCESS
    })
}
