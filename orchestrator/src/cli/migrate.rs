//! `waygate migrate`: the schema of the store.

use super::output::table;
use super::{Context, Failure};
use crate::config;
use crate::store::{DatabaseUrl, migrate};
use clap::Subcommand;
use serde_json::json;
use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum MigrateCommand {
    /// Apply what is missing.
    Up,
    /// Undo the newest migration. Its tables are dropped with what they hold.
    Down {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Say what is applied.
    Status,
}

pub(super) async fn run(context: &Context, command: MigrateCommand) -> Result<ExitCode, Failure> {
    let loaded = config::load(&context.environment, context.global.config.as_deref())
        .map_err(|error| Failure::config(&error))?;
    let url = loaded
        .config
        .database_url()
        .map_err(|error| Failure::config(&error))?;
    let url = DatabaseUrl::parse(&url).map_err(|error| Failure::config(&error))?;
    let failed = |error: crate::store::StoreError| Failure::failed(error.to_string());
    match command {
        MigrateCommand::Up => {
            let applied = migrate::up(&url, usize::MAX).await.map_err(failed)?;
            context.output.show(&json!({ "applied": applied }), |_| {
                match applied.as_slice() {
                    [] => "the schema is up to date".into(),
                    steps => format!("took steps {}", listed(steps)),
                }
            });
        }
        MigrateCommand::Down { yes } => {
            if !yes && !confirmed(context) {
                return Err(Failure::failed("not undone; --yes skips the question"));
            }
            let undone = migrate::down(&url, 1).await.map_err(failed)?;
            context
                .output
                .show(&json!({ "undone": undone }), |_| match undone.as_slice() {
                    [] => "nothing to undo".into(),
                    steps => format!("took back step {}", listed(steps)),
                });
        }
        MigrateCommand::Status => {
            let status = migrate::status(&url).await.map_err(failed)?;
            let rows: Vec<Vec<String>> = status
                .iter()
                .map(|step| {
                    let applied = step
                        .applied_at
                        .map_or("missing".into(), |at| at.to_string());
                    vec![step.version.to_string(), step.name.into(), applied]
                })
                .collect();
            context
                .output
                .show(&json!(rows), |_| table(&["STEP", "NAME", "APPLIED"], &rows));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn listed(steps: &[i64]) -> String {
    let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
    steps.join(", ")
}

fn confirmed(context: &Context) -> bool {
    if !std::io::stdin().is_terminal() {
        return false;
    }
    context
        .output
        .note("this drops the tables of the newest migration. Type yes to go on:");
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .is_ok_and(|_| answer.trim() == "yes")
}
