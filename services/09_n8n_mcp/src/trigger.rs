//! Starts a workflow: its webhook is called, then its execution is looked for.

use crate::model::Execution;
use crate::n8n::{Connection, N8n};
use crate::webhook::Webhook;
use crate::workflows::checked_id;
use async_trait::async_trait;
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::error::Code;
use shared::remote::Reply;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the execution may take to appear in the list.
const APPEARS: Duration = Duration::from_secs(5);
/// Pauses between two looks at an execution: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// Executions looked at to find ours.
const RECENT: usize = 20;
/// Longest text of an answer that is no JSON, in characters.
const MAX_TEXT: usize = 1024 * 1024;

/// `workflows.n8n.executions.triggerWorkflow`.
pub(crate) struct TriggerWorkflow(pub(crate) Arc<N8n>);

/// Arguments of `triggerWorkflow`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TriggerArguments {
    /// Id of an active workflow with a webhook.
    #[schemars(length(min = 1, max = 64))]
    id: String,
    /// What the webhook is given: the body as JSON, or the query where the webhook is called by GET.
    #[serde(default)]
    data: Map<String, Value>,
    /// Wait until the execution has ended, at most as long as the call may take.
    #[serde(default)]
    wait: bool,
}

/// Result of `triggerWorkflow`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Triggered {
    /// The execution; null when n8n does not keep it or it cannot be told from others.
    execution_id: Option<String>,
    /// State of the execution, or `started` when it is not known.
    status: String,
    /// What the webhook answered: JSON, or text.
    response: Value,
}

#[async_trait]
impl TypedTool for TriggerWorkflow {
    type Arguments = TriggerArguments;
    type Output = Triggered;

    fn spec(&self) -> Spec {
        Spec::new(
            "workflows.n8n.executions.triggerWorkflow",
            Effect::Mutate,
            "Start an active n8n workflow through its webhook and give its answer and execution. A \
             workflow without a webhook cannot be started.",
        )
        .long_running()
        .open_world()
    }

    async fn assess(
        &self,
        arguments: &TriggerArguments,
        _: &Call,
    ) -> Result<Assessment, ToolError> {
        let called = self.0.called(checked_id("id", &arguments.id)?).await;
        let mut summary = format!("Start workflow {called} of n8n through its webhook with:");
        for (name, value) in &arguments.data {
            summary.push_str(&format!("\n{name:?}: {value}"));
        }
        if arguments.data.is_empty() {
            summary.push_str("\nno data");
        }
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: TriggerArguments, call: &Call) -> Result<Triggered, ToolError> {
        let id = checked_id("id", &arguments.id)?;
        let n8n = self.0.ready()?;
        let webhook = Webhook::of(&n8n.workflow(id).await?, &n8n.webhooks)?;
        let last = newest(n8n, id).await?;
        call.progress.report(0.0, None, "calling the webhook");
        let response = called(n8n, webhook, &arguments.data).await?;
        let search = Search { n8n, id, last };
        let found = search.found(call).await;
        let found = match found {
            Some(execution) if arguments.wait => Some(ended(n8n, execution, call).await),
            found => found,
        };
        let status = found.as_ref().map_or("started", Execution::status);
        Ok(Triggered {
            status: status.to_owned(),
            execution_id: found.map(|execution| execution.id),
            response,
        })
    }
}

async fn called(
    n8n: &Connection,
    webhook: Webhook,
    data: &Map<String, Value>,
) -> Result<Value, ToolError> {
    let in_query = matches!(webhook.method, Method::GET | Method::HEAD);
    let request = n8n.caller.request(webhook.method, webhook.url);
    let request = match in_query {
        true => request.query(&pairs(data)?),
        false => request.json(data),
    };
    let reply = n8n.caller.ask(request).await?;
    match reply.status.is_success() {
        true => Ok(answer(&reply)),
        false => Err(n8n.caller.refused(&reply, None)),
    }
}

/// A query holds texts, numbers and booleans only.
fn pairs(data: &Map<String, Value>) -> Result<Vec<(&str, String)>, ToolError> {
    let text = |(name, value): (&'_ String, &'_ Value)| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(ToolError::refused(
            Code::InvalidInput,
            format!(
                "data.{name}: the webhook is called by GET, which takes texts, numbers and booleans"
            ),
        )),
    };
    let pairs = data.iter();
    pairs
        .map(|(name, value)| Ok((name.as_str(), text((name, value))?)))
        .collect()
}

fn answer(reply: &Reply) -> Value {
    match serde_json::from_slice(&reply.body) {
        Ok(json) => json,
        Err(_) if reply.body.is_empty() => Value::Null,
        Err(_) => {
            let text = String::from_utf8_lossy(&reply.body);
            Value::String(text.chars().take(MAX_TEXT).collect())
        }
    }
}

/// The number of the newest execution of a workflow; 0 when there is none.
async fn newest(n8n: &Connection, id: &str) -> Result<u64, ToolError> {
    let page = recent(n8n, id, 1).await?;
    let numbers = page.iter().filter_map(Execution::number);
    Ok(numbers.max().unwrap_or_default())
}

async fn recent(n8n: &Connection, id: &str, limit: usize) -> Result<Vec<Execution>, ToolError> {
    let query = [("workflowId", id.to_owned()), ("limit", limit.to_string())];
    Ok(n8n.executions(&query).await?.data)
}

/// Looks for the execution a call of the webhook began.
struct Search<'a> {
    n8n: &'a Connection,
    id: &'a str,
    /// The newest execution before the call.
    last: u64,
}

impl Search<'_> {
    /// The one execution of a webhook that is newer; `None` when there is none soon, or several: then
    /// nobody can tell which is ours.
    async fn found(&self, call: &Call) -> Option<Execution> {
        let deadline = Instant::now() + APPEARS.min(call.remaining());
        let mut pause = PAUSES.0;
        loop {
            // The webhook has been called: that the list cannot be read changes nothing of it.
            let recent = recent(self.n8n, self.id, RECENT).await.unwrap_or_default();
            let newer = |execution: &Execution| {
                execution.mode == "webhook" && execution.number() > Some(self.last)
            };
            let mut candidates = recent.into_iter().filter(newer);
            match (candidates.next(), candidates.next()) {
                (Some(ours), None) => return Some(ours),
                (Some(_), Some(_)) => return None,
                _ if Instant::now() + pause >= deadline => return None,
                _ => {}
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}

/// The execution when it has ended, or as it was when the call's time was nearly up.
async fn ended(n8n: &Connection, mut execution: Execution, call: &Call) -> Execution {
    let begun = Instant::now();
    let mut pause = PAUSES.0;
    while !execution.has_ended() && call.remaining() > pause * 2 {
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
        if let Ok(seen) = n8n.execution(&execution.id, false).await {
            execution = seen;
        }
        let seconds = begun.elapsed().as_secs_f64();
        let message = format!("execution {} is {}", execution.id, execution.status());
        call.progress.report(seconds, None, message);
    }
    execution
}
