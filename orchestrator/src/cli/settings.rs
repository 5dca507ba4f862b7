//! `waygate config`, `openapi` and `version`: what can be said without starting anything.

use super::{Context, Failure, VERSION};
use crate::config;
use clap::Subcommand;
use serde_json::json;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check settings and policies; exit 64 and the name of the key when something is wrong.
    Check,
    /// Print the settings in force as TOML, secrets hidden.
    Print,
}

pub(super) fn run(context: &Context, command: &ConfigCommand) -> Result<ExitCode, Failure> {
    let loaded = config::load(&context.environment, context.global.config.as_deref())
        .map_err(|error| Failure::config(&error))?;
    match command {
        ConfigCommand::Print => context.output.line(&loaded.print()),
        ConfigCommand::Check => {
            let spokes = loaded
                .config
                .spokes(&context.environment)
                .map_err(|error| Failure::config(&error))?;
            let rules =
                crate::app::policy_of(&loaded.config).map_err(|error| Failure::config(&error))?;
            let facts = json!({
                "environment": format!("{:?}", loaded.config.environment).to_lowercase(),
                "spokes": spokes.iter().map(|spoke| spoke.service.as_ref()).collect::<Vec<_>>(),
                "policy_rules": rules.rule_count(),
            });
            context.output.show(&facts, |_| {
                format!(
                    "settings are fine: {} spokes, {} policy rules",
                    spokes.len(),
                    rules.rule_count()
                )
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn openapi(context: &Context) -> Result<ExitCode, Failure> {
    let document = crate::admin::openapi("X-API-Key");
    let text = serde_json::to_string_pretty(&document)
        .map_err(|error| Failure::failed(format!("the document could not be written: {error}")))?;
    context.output.line(&text);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn version(context: &Context) -> Result<ExitCode, Failure> {
    let facts = json!({
        "name": "waygate",
        "version": VERSION,
        "api_version": crate::admin::API_VERSION,
        "mcp": std::iter::once(proto::mcp::MODERN).chain(proto::mcp::LEGACY).collect::<Vec<_>>(),
    });
    context.output.show(&facts, |_| {
        format!(
            "waygate {}\napi     {}\nmcp     {}, {}",
            VERSION,
            crate::admin::API_VERSION,
            proto::mcp::MODERN,
            proto::mcp::LEGACY.join(", ")
        )
    });
    Ok(ExitCode::SUCCESS)
}
