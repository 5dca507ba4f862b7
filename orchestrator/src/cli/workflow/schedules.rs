//! `waygate workflow schedules`: workflows that start by themselves, as their documents say.

use super::super::client::HubClient;
use super::super::output::{field, table};
use super::super::{Context, Failure};
use super::{json_of, text_of};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SchedulesCommand {
    /// Keep a workflow that has `schedule` (YAML or JSON; `-` is standard input).
    Create(CreateArgs),
    /// List schedules, by name.
    List,
    /// Show one schedule.
    Show(Id),
    /// Start nothing by a schedule.
    Pause {
        /// Schedule id.
        id: String,
        /// Why; kept in the audit trail.
        #[arg(long)]
        reason: String,
    },
    /// Let a schedule go on from now.
    Resume(Id),
    /// Remove a schedule; its runs stay.
    Remove(Id),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CreateArgs {
    /// The document.
    file: PathBuf,
    /// Input of every run: JSON, or `@FILE`.
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// Unique in the organisation; namespace and name of the document without it.
    #[arg(long)]
    name: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Id {
    /// Schedule id.
    id: String,
}

pub(super) async fn run(
    context: &Context,
    client: &HubClient,
    command: SchedulesCommand,
) -> Result<ExitCode, Failure> {
    let all = "/api/workflow-schedules";
    let shown = match command {
        SchedulesCommand::Create(args) => {
            let input = args.input.as_deref().map(json_of).transpose()?;
            let body = json!({
                "workflow": text_of(&args.file)?,
                "input": input.unwrap_or_else(|| json!({})),
                "name": args.name,
            });
            client.post(all, &body).await?
        }
        SchedulesCommand::List => client.get(all).await?,
        SchedulesCommand::Show(id) => client.get(&format!("{all}/{}", id.id)).await?,
        SchedulesCommand::Pause { id, reason } => {
            let body = json!({ "reason": reason });
            client.post(&format!("{all}/{id}/pause"), &body).await?
        }
        SchedulesCommand::Resume(id) => {
            let path = format!("{all}/{}/resume", id.id);
            client.post(&path, &json!({})).await?
        }
        SchedulesCommand::Remove(id) => {
            client.delete(&format!("{all}/{}", id.id)).await?;
            context.output.note("removed");
            return Ok(ExitCode::SUCCESS);
        }
    };
    context.output.show(&shown, as_table);
    Ok(ExitCode::SUCCESS)
}

/// One schedule or several.
fn as_table(shown: &Value) -> String {
    let one = std::slice::from_ref(shown);
    let all = shown.as_array().map_or(one, Vec::as_slice);
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    table(&["ID", "NAME", "WHEN", "NEXT", "LAST RUN", "PAUSED"], &rows)
}

fn row(schedule: &Value) -> Vec<String> {
    let words = ["schedule_id", "name", "next_at", "last_run", "paused"];
    let [id, name, next, last, paused] = words.map(|word| field(schedule, word).to_owned());
    vec![id, name, when(schedule), next, last, paused]
}

/// `cron 0 3 * * * Europe/Berlin`, `every 60 s`, `after 60 s`.
fn when(schedule: &Value) -> String {
    let rule = schedule.get("rule").unwrap_or(&Value::Null);
    let when = rule.get("when").unwrap_or(&Value::Null);
    let seconds = |word: &str| Some(when.get(word)?.as_u64()? / 1000);
    if let Some(every) = seconds("every_ms") {
        format!("every {every} s")
    } else if let Some(after) = seconds("after_ms") {
        format!("after {after} s")
    } else {
        format!("cron {} {}", field(when, "cron"), field(rule, "zone"))
    }
}
