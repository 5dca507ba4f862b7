//! `waygate approvals`: the inbox of people who decide.

use super::client::HubClient;
use super::output::{field, table};
use super::{Context, EXIT_DENIED, Failure};
use clap::Subcommand;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(super) enum ApprovalsCommand {
    /// List requests.
    List {
        /// pending, approved, rejected, expired or consumed.
        #[arg(long, default_value = "pending")]
        state: String,
    },
    /// Show one request with its arguments and checks.
    Show {
        /// Request id.
        id: String,
    },
    /// Say yes. You cannot approve your own request.
    Approve {
        /// Request id.
        id: String,
        /// Why; kept in the audit trail.
        #[arg(long)]
        note: Option<String>,
        /// The form of the request, filled in.
        #[arg(long, value_name = "JSON")]
        form: Option<String>,
    },
    /// Say no.
    Reject {
        /// Request id.
        id: String,
        /// Why; kept in the audit trail.
        #[arg(long)]
        note: Option<String>,
    },
}

pub(super) async fn run(context: &Context, command: ApprovalsCommand) -> Result<ExitCode, Failure> {
    let client = context.client()?;
    match command {
        ApprovalsCommand::List { state } => list(context, &client, &state).await,
        ApprovalsCommand::Show { id } => {
            let approval = client.get(&format!("/api/approvals/{id}")).await?;
            context.output.show(&approval, describe);
            Ok(ExitCode::SUCCESS)
        }
        ApprovalsCommand::Approve { id, note, form } => {
            let form = match form {
                None => Value::Null,
                Some(text) => serde_json::from_str(&text)
                    .map_err(|error| Failure::new(2, format!("--form is no JSON: {error}")))?,
            };
            let body = json!({"note": note, "form": form});
            decide(context, &client, &id, ("approve", body)).await
        }
        ApprovalsCommand::Reject { id, note } => {
            decide(context, &client, &id, ("reject", json!({"note": note}))).await
        }
    }
}

async fn list(context: &Context, client: &HubClient, state: &str) -> Result<ExitCode, Failure> {
    let answer = client.get(&format!("/api/approvals?state={state}")).await?;
    let approvals = answer.as_array().cloned().unwrap_or_default();
    context.output.show(&answer, |_| {
        let rows: Vec<Vec<String>> = approvals
            .iter()
            .map(|a| {
                [
                    "request_id",
                    "tool",
                    "effect",
                    "state",
                    "requester",
                    "expires_at",
                ]
                .map(|f| field(a, f).to_owned())
                .into()
            })
            .collect();
        if rows.is_empty() {
            return format!("no {state} approvals");
        }
        table(
            &["ID", "TOOL", "EFFECT", "STATE", "ASKED BY", "UNTIL"],
            &rows,
        )
    });
    Ok(ExitCode::SUCCESS)
}

async fn decide(
    context: &Context,
    client: &HubClient,
    id: &str,
    (verb, body): (&str, Value),
) -> Result<ExitCode, Failure> {
    let approval = client
        .post(&format!("/api/approvals/{id}/{verb}"), &body)
        .await?;
    context.output.show(&approval, |approval| {
        format!(
            "{} is {}",
            field(approval, "request_id"),
            field(approval, "state")
        )
    });
    Ok(ExitCode::SUCCESS)
}

/// Waits until a request is decided; the token if it was approved.
pub(super) async fn wait_for_token(client: &HubClient, id: &str) -> Result<String, Failure> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        ticks.tick().await;
        let approval = client.get(&format!("/api/approvals/{id}")).await?;
        match (
            field(&approval, "state"),
            approval.get("token").and_then(Value::as_str),
        ) {
            ("pending", _) => {}
            ("approved", Some(token)) => return Ok(token.to_owned()),
            (state, _) => return Err(Failure::new(EXIT_DENIED, format!("the request is {state}"))),
        }
    }
}

fn describe(approval: &Value) -> String {
    let mut text = String::new();
    for name in [
        "request_id",
        "tool",
        "effect",
        "state",
        "requester",
        "requested_at",
        "expires_at",
        "arguments_hash",
    ] {
        text.push_str(&format!("{name:<16}{}\n", field(approval, name)));
    }
    text.push_str(&format!("\n{}\n", field(approval, "summary")));
    let checks = approval
        .pointer("/readiness/checks")
        .and_then(Value::as_array);
    for check in checks.into_iter().flatten() {
        let mark = if check.get("ok").and_then(Value::as_bool).unwrap_or(false) {
            "ok  "
        } else {
            "FAIL"
        };
        text.push_str(&format!(
            "{mark} {}: {}\n",
            field(check, "name"),
            field(check, "detail")
        ));
    }
    text
}
