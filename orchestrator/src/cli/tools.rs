//! `waygate tools`: what there is, and a call from the command line.

use super::output::{field, pretty, table};
use super::{Context, EXIT_DENIED, Failure};
use crate::cli::client::HubClient;
use clap::{Args, Subcommand};
use serde_json::Value;
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum ToolsCommand {
    /// List the tools this key may see.
    List {
        /// Only ids that start with this.
        prefix: Option<String>,
    },
    /// Show one tool with its schema.
    Show {
        /// Canonical id or alias.
        id: String,
    },
    /// Call a tool: `waygate tools call os.linux.cli.getOsInfo '{}'`.
    Call(CallArgs),
}

#[derive(Debug, Args)]
pub(super) struct CallArgs {
    /// Canonical id or alias.
    id: String,
    /// The arguments, a JSON object.
    #[arg(default_value = "{}")]
    arguments: String,
    /// Use this approved request: `waygate tools call … --approval apr_…`.
    #[arg(long, value_name = "REQUEST_ID")]
    approval: Option<String>,
    /// When an approval is needed, wait until somebody decided, then go on.
    #[arg(long)]
    wait: bool,
}

pub(super) async fn run(context: &Context, command: ToolsCommand) -> Result<ExitCode, Failure> {
    let client = context.client()?;
    match command {
        ToolsCommand::List { prefix } => list(context, &client, prefix.as_deref()).await,
        ToolsCommand::Show { id } => show(context, &client, &id).await,
        ToolsCommand::Call(args) => call(context, &client, &args).await,
    }
}

async fn all_tools(client: &HubClient) -> Result<Vec<Value>, Failure> {
    let answer = client.get("/mcp/tools").await?;
    Ok(answer
        .get("all_tools")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default())
}

async fn list(
    context: &Context,
    client: &HubClient,
    prefix: Option<&str>,
) -> Result<ExitCode, Failure> {
    let mut tools = all_tools(client).await?;
    tools.retain(|tool| prefix.is_none_or(|prefix| field(tool, "name").starts_with(prefix)));
    context.output.show(&Value::Array(tools.clone()), |_| {
        let rows: Vec<Vec<String>> = tools
            .iter()
            .map(|tool| {
                ["name", "effect", "mcp_server", "description"]
                    .map(|name| field(tool, name).to_owned())
                    .into()
            })
            .collect();
        table(&["ID", "EFFECT", "SERVICE", "WHAT IT DOES"], &rows)
    });
    Ok(ExitCode::SUCCESS)
}

async fn show(context: &Context, client: &HubClient, id: &str) -> Result<ExitCode, Failure> {
    let tools = all_tools(client).await?;
    let tool = tools
        .iter()
        .find(|tool| field(tool, "name") == id || field(tool, "alias") == id)
        .ok_or_else(|| {
            Failure::failed(format!(
                "no tool {id:?} is visible to this key; see: waygate tools list"
            ))
        })?;
    context.output.show(tool, pretty);
    Ok(ExitCode::SUCCESS)
}

async fn call(context: &Context, client: &HubClient, args: &CallArgs) -> Result<ExitCode, Failure> {
    let arguments: Value = serde_json::from_str(&args.arguments)
        .map_err(|error| Failure::new(2, format!("the arguments are not JSON: {error}")))?;
    let token = match &args.approval {
        Some(id) => Some(token_of(client, id).await?),
        None => None,
    };
    let mut result = client
        .call_tool(&args.id, &arguments, token.as_deref())
        .await?;
    if let (Some(id), true) = (pending_approval(&result), args.wait) {
        context.output.note(&format!(
            "waiting for approval {id}: waygate approvals approve {id}"
        ));
        let token = super::approvals::wait_for_token(client, &id).await?;
        result = client.call_tool(&args.id, &arguments, Some(&token)).await?;
    }
    Ok(report(context, &result))
}

fn report(context: &Context, result: &Value) -> ExitCode {
    let structured = result.get("structuredContent").unwrap_or(result);
    let failed = result
        .get("isError")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    context.output.show(structured, pretty);
    match (failed, pending_approval(result)) {
        (true, Some(id)) => {
            context.output.note(&format!(
                "this call needs an approval. Somebody else decides with: waygate approvals approve {id}\n\
                 then repeat it with: --approval {id}"
            ));
            ExitCode::from(EXIT_DENIED)
        }
        (true, None) => ExitCode::FAILURE,
        (false, _) => ExitCode::SUCCESS,
    }
}

fn pending_approval(result: &Value) -> Option<String> {
    result
        .pointer("/structuredContent/approval/request_id")?
        .as_str()
        .map(str::to_owned)
}

async fn token_of(client: &HubClient, id: &str) -> Result<String, Failure> {
    let approval = client.get(&format!("/api/approvals/{id}")).await?;
    match approval.get("token").and_then(Value::as_str) {
        Some(token) => Ok(token.to_owned()),
        None => Err(Failure::new(
            EXIT_DENIED,
            format!(
                "the approval is {}, not approved for this key",
                field(&approval, "state")
            ),
        )),
    }
}
