//! `waygate workflow` and `waygate runs`: start workflows, watch them, do things to them.

mod schedules;
mod show;

use super::client::HubClient;
use super::output::field;
use super::{Context, EXIT_FAILED, Failure};
use clap::{Args, Subcommand};
use schedules::SchedulesCommand;
use serde_json::{Value, json};
use show::{describe, differences, follow, list_table, one_line};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum WorkflowCommand {
    /// Start a workflow from a file (YAML or JSON; `-` is standard input).
    Run(RunArgs),
    /// Say what is wrong with a workflow; nothing is started.
    Check {
        /// The document.
        file: PathBuf,
    },
    /// List runs.
    List(ListArgs),
    /// Show one run with its steps.
    Show(Id),
    /// Let a run go on; settle a step that waits for an operator.
    Resume(ResumeArgs),
    /// Stop a run and take back what it did.
    Cancel(Reasoned),
    /// Let workflows start by themselves.
    #[command(subcommand)]
    Schedules(SchedulesCommand),
}

#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
    /// List runs.
    List(ListArgs),
    /// Show one run with its steps.
    Show(Id),
    /// Follow a run until it ends.
    Watch(Id),
    /// Print what happened to a run, line by line.
    History(Id),
    /// Begin nothing new in a run.
    Pause(Reasoned),
    /// Let a run go on; settle a step that waits for an operator.
    Resume(ResumeArgs),
    /// Stop a run and take back what it did.
    Cancel(Reasoned),
    /// Stop a run, and nothing more.
    Kill(Reasoned),
    /// Run again, from a step or from the start.
    Rerun {
        /// Run id.
        id: String,
        /// Where to begin: path, or a name only one step has.
        #[arg(long, value_name = "STEP")]
        from: Option<String>,
    },
    /// Settle a step whose outcome is unknown.
    Resolve(ResumeArgs),
    /// Let a run that stands still go on with a newer document; what differs is printed.
    Adopt(AdoptArgs),
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The document.
    file: PathBuf,
    /// Its input: JSON, or `@FILE`.
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// The same key starts the same run.
    #[arg(long)]
    key: Option<String>,
    /// Start it and come back at once.
    #[arg(long)]
    detach: bool,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// pending, running, waiting, completed, failed or cancelled.
    #[arg(long)]
    status: Option<String>,
    /// The phase of the language, such as suspended.
    #[arg(long)]
    phase: Option<String>,
    /// Namespace and name of the definition.
    #[arg(long)]
    name: Option<String>,
    /// A search attribute.
    #[arg(long, value_name = "NAME=VALUE")]
    attribute: Option<String>,
    /// Most runs.
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

#[derive(Debug, Args)]
pub(super) struct Id {
    /// Run id.
    id: String,
}

#[derive(Debug, Args)]
pub(super) struct Reasoned {
    /// Run id.
    id: String,
    /// Why; kept in the audit trail.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct AdoptArgs {
    /// Run id.
    id: String,
    /// The newer document.
    file: PathBuf,
    /// Only print what differs.
    #[arg(long)]
    dry_run: bool,
    /// Why; kept in the audit trail.
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// Run id.
    id: String,
    /// `retry`, `assume_done`, `skip` or `abort`.
    #[arg(long)]
    resolution: Option<String>,
    /// The step; may be left out when only one waits.
    #[arg(long)]
    path: Option<String>,
    /// Its output as JSON, for `assume_done` and `skip`.
    #[arg(long, value_name = "JSON")]
    output: Option<String>,
    /// Why; kept in the audit trail.
    #[arg(long)]
    reason: Option<String>,
}

pub(super) async fn run(context: &Context, command: WorkflowCommand) -> Result<ExitCode, Failure> {
    let client = context.client()?;
    match command {
        WorkflowCommand::Run(args) => start(context, &client, &args).await,
        WorkflowCommand::Check { file } => check(context, &client, &file).await,
        WorkflowCommand::List(args) => list(context, &client, &args).await,
        WorkflowCommand::Show(id) => show(context, &client, &id.id).await,
        WorkflowCommand::Resume(args) => resume(context, &client, &args).await,
        WorkflowCommand::Cancel(args) => order(context, &client, "cancel", &args).await,
        WorkflowCommand::Schedules(command) => schedules::run(context, &client, command).await,
    }
}

pub(super) async fn runs(context: &Context, command: RunsCommand) -> Result<ExitCode, Failure> {
    let client = context.client()?;
    match command {
        RunsCommand::List(args) => list(context, &client, &args).await,
        RunsCommand::Show(id) => show(context, &client, &id.id).await,
        RunsCommand::Watch(id) => follow(context, &client, &id.id).await.map(ending),
        RunsCommand::History(id) => history(context, &client, &id.id).await,
        RunsCommand::Pause(args) => order(context, &client, "suspend", &args).await,
        RunsCommand::Resume(args) | RunsCommand::Resolve(args) => {
            resume(context, &client, &args).await
        }
        RunsCommand::Cancel(args) => order(context, &client, "cancel", &args).await,
        RunsCommand::Kill(args) => order(context, &client, "kill", &args).await,
        RunsCommand::Rerun { id, from } => {
            let path = format!("/api/workflows/{id}/rerun");
            let run = client.post(&path, &json!({ "from_step": from })).await?;
            context.output.show(&run, one_line);
            Ok(ExitCode::SUCCESS)
        }
        RunsCommand::Adopt(args) => adopt(context, &client, &args).await,
    }
}

/// 0 for a run that is completed, or waits; 1 for one that failed or was cancelled.
fn ending(run: Value) -> ExitCode {
    match field(&run, "status") {
        "failed" | "cancelled" => ExitCode::from(EXIT_FAILED),
        _ => ExitCode::SUCCESS,
    }
}

async fn start(context: &Context, client: &HubClient, args: &RunArgs) -> Result<ExitCode, Failure> {
    let input = args.input.as_deref().map(json_of).transpose()?;
    let body = json!({
        "workflow": text_of(&args.file)?,
        "input": input.unwrap_or_else(|| json!({})),
        "idempotency_key": args.key,
    });
    let run = client.post("/api/workflows", &body).await?;
    if args.detach {
        context.output.show(&run, one_line);
        return Ok(ExitCode::SUCCESS);
    }
    follow(context, client, field(&run, "workflow_id"))
        .await
        .map(ending)
}

async fn check(
    context: &Context,
    client: &HubClient,
    file: &std::path::Path,
) -> Result<ExitCode, Failure> {
    let body = json!({ "workflow": text_of(file)? });
    let read = client.post("/api/workflows/validate", &body).await?;
    context.output.show(&read, |read| {
        format!(
            "{} {} is fine ({})",
            field(read, "workflow_name"),
            field(read, "version"),
            field(read, "digest")
        )
    });
    Ok(ExitCode::SUCCESS)
}

async fn list(context: &Context, client: &HubClient, args: &ListArgs) -> Result<ExitCode, Failure> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &args.limit.to_string());
    for (name, value) in [
        ("status", &args.status),
        ("phase", &args.phase),
        ("name", &args.name),
        ("attribute", &args.attribute),
    ] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let runs = client
        .get(&format!("/api/workflows?{}", query.finish()))
        .await?;
    context.output.show(&runs, list_table);
    Ok(ExitCode::SUCCESS)
}

async fn show(context: &Context, client: &HubClient, id: &str) -> Result<ExitCode, Failure> {
    let run = client.get(&format!("/api/workflows/{id}")).await?;
    context.output.show(&run, describe);
    Ok(ExitCode::SUCCESS)
}

async fn history(context: &Context, client: &HubClient, id: &str) -> Result<ExitCode, Failure> {
    let mut after = 0;
    let mut all = Vec::new();
    loop {
        let path = format!("/api/workflows/{id}/history?after={after}");
        let lines = client.get(&path).await?;
        let lines = lines.as_array().cloned().unwrap_or_default();
        let Some(last) = lines.last() else { break };
        let seq = field(last, "id")
            .rsplit('/')
            .next()
            .and_then(|seq| seq.parse().ok());
        after = seq.unwrap_or(u64::MAX);
        all.extend(lines);
    }
    context.output.show(&Value::Array(all), |all| {
        let lines = all.as_array().into_iter().flatten().map(show::event_line);
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(ExitCode::SUCCESS)
}

async fn order(
    context: &Context,
    client: &HubClient,
    verb: &str,
    args: &Reasoned,
) -> Result<ExitCode, Failure> {
    let path = format!("/api/workflows/{}/{verb}", args.id);
    let run = client
        .post(&path, &json!({ "reason": args.reason }))
        .await?;
    context.output.show(&run, one_line);
    Ok(ExitCode::SUCCESS)
}

async fn resume(
    context: &Context,
    client: &HubClient,
    args: &ResumeArgs,
) -> Result<ExitCode, Failure> {
    let output = args.output.as_deref().map(json_of).transpose()?;
    let body = json!({
        "resolution": args.resolution,
        "path": args.path,
        "output": output.unwrap_or_default(),
        "reason": args.reason,
    });
    let run = client
        .post(&format!("/api/workflows/{}/resume", args.id), &body)
        .await?;
    context.output.show(&run, one_line);
    Ok(ExitCode::SUCCESS)
}

async fn adopt(
    context: &Context,
    client: &HubClient,
    args: &AdoptArgs,
) -> Result<ExitCode, Failure> {
    let body = json!({
        "workflow": text_of(&args.file)?,
        "dry_run": args.dry_run,
        "reason": args.reason,
    });
    let path = format!("/api/workflows/{}/adopt", args.id);
    let adopted = client.post(&path, &body).await?;
    context.output.show(&adopted, differences);
    Ok(ExitCode::SUCCESS)
}

fn text_of(file: &std::path::Path) -> Result<String, Failure> {
    let read = if file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(file)
    };
    read.map_err(|error| Failure::failed(format!("{}: {error}", file.display())))
}

fn json_of(text: &str) -> Result<Value, Failure> {
    let text = match text.strip_prefix('@') {
        Some(file) => text_of(file.as_ref())?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| Failure::failed(format!("no JSON: {error}")))
}
