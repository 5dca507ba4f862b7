//! `waygate effects`: changes whose outcome nobody knows.

use super::client::HubClient;
use super::output::{field, table};
use super::{Context, Failure};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum EffectsCommand {
    /// List them, newest first.
    List {
        /// Most of them, 1 to 100.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Show one.
    Show {
        /// Effect id.
        id: String,
    },
    /// Write down what became of one.
    Resolve(ResolveArgs),
}

#[derive(Debug, Args)]
pub(super) struct ResolveArgs {
    /// Effect id.
    id: String,
    /// What became of it.
    #[arg(long, value_enum)]
    outcome: Outcome,
    /// How you know; kept in the audit trail.
    #[arg(long)]
    reason: String,
    /// What it gave, as JSON; for `succeeded`.
    #[arg(long, value_name = "JSON")]
    result: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Outcome {
    /// It took place.
    Succeeded,
    /// It took place and failed.
    Failed,
    /// It did not take place; it may be made again.
    Retry,
}

pub(super) async fn run(context: &Context, command: EffectsCommand) -> Result<ExitCode, Failure> {
    let client = context.client()?;
    match command {
        EffectsCommand::List { limit } => list(context, &client, limit).await,
        EffectsCommand::Show { id } => {
            let effect = client.get(&format!("/api/effects/{id}")).await?;
            context.output.show(&effect, describe);
            Ok(ExitCode::SUCCESS)
        }
        EffectsCommand::Resolve(args) => resolve(context, &client, &args).await,
    }
}

async fn list(context: &Context, client: &HubClient, limit: u32) -> Result<ExitCode, Failure> {
    let answer = client.get(&format!("/api/effects?limit={limit}")).await?;
    context.output.show(&answer, |answer| {
        let effects = answer.as_array().map(Vec::as_slice).unwrap_or_default();
        let columns = ["effect_id", "tool", "principal", "created_at"];
        let row = |it: &Value| columns.map(|name| field(it, name).to_owned()).into();
        let rows: Vec<Vec<String>> = effects.iter().map(row).collect();
        if rows.is_empty() {
            return "no change of unknown outcome".to_owned();
        }
        table(&["ID", "TOOL", "BY", "BEGUN"], &rows)
    });
    Ok(ExitCode::SUCCESS)
}

async fn resolve(
    context: &Context,
    client: &HubClient,
    args: &ResolveArgs,
) -> Result<ExitCode, Failure> {
    let result: Option<Value> = match &args.result {
        None => None,
        Some(text) => Some(
            serde_json::from_str(text)
                .map_err(|error| Failure::new(2, format!("--result is no JSON: {error}")))?,
        ),
    };
    let outcome = match args.outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Retry => "retry",
    };
    let mut body = json!({"outcome": outcome, "reason": args.reason});
    if let (Some(body), Some(result)) = (body.as_object_mut(), result) {
        body.insert("result".into(), result);
    }
    let path = format!("/api/effects/{}/resolve", args.id);
    let effect = client.post(&path, &body).await?;
    context.output.show(&effect, describe);
    Ok(ExitCode::SUCCESS)
}

fn describe(effect: &Value) -> String {
    let lines = [
        ("id", "effect_id"),
        ("tool", "tool"),
        ("by", "principal"),
        ("key", "idempotency_key"),
        ("state", "state"),
        ("begun", "created_at"),
    ];
    let lines = lines.map(|(label, name)| format!("{label:6} {}", field(effect, name)));
    lines.join("\n")
}
