//! `waygate policy`: what the rules in force would say.

use super::output::field;
use super::{Context, EXIT_DENIED, Failure};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Ask the running hub what it would say to a call, without making it.
    Test(TestArgs),
}

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Canonical id or alias of the tool.
    tool: String,
    /// Arguments as a JSON object.
    #[arg(default_value = "{}")]
    arguments: String,
    /// read, `mutate_own`, mutate or critical; the tool's own by default.
    #[arg(long)]
    effect: Option<String>,
    /// Somebody of this role, with its permissions, instead of yourself.
    #[arg(long)]
    role: Option<String>,
    /// Permissions such as `read,execute`, instead of those of the role.
    #[arg(long, value_delimiter = ',')]
    permissions: Vec<String>,
    /// Address of the client.
    #[arg(long)]
    ip: Option<String>,
}

/// Exit code 0 when the call would be made, 77 when it would be refused or held.
pub(super) async fn run(context: &Context, command: PolicyCommand) -> Result<ExitCode, Failure> {
    let PolicyCommand::Test(args) = command;
    let arguments: Map<String, Value> = serde_json::from_str(&args.arguments)
        .map_err(|error| Failure::new(2, format!("the arguments are no JSON object: {error}")))?;
    let permissions = (!args.permissions.is_empty()).then_some(args.permissions);
    let mut sample = json!({
        "tool": args.tool, "arguments": arguments, "effect": args.effect, "role": args.role,
        "permissions": permissions, "ip": args.ip,
    });
    if let Some(fields) = sample.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    let client = context.client()?;
    let said = client.post("/api/admin/policies/test", &sample).await?;
    context.output.show(&said, describe);
    Ok(if field(&said, "decision") == "allow" {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_DENIED)
    })
}

fn describe(said: &Value) -> String {
    let mut text = format!(
        "{}  {} ({}), rule {}",
        field(said, "decision"),
        field(said, "tool"),
        field(said, "effect"),
        field(said, "rule")
    );
    if said.get("message").is_some_and(Value::is_string) {
        text.push_str(&format!(": {}", field(said, "message")));
    }
    text
}
