//! What the public API speaks of, and what our tools give of it.
//!
//! Source: the `OpenAPI` document of the n8n public API, version 1.1.1, schemas `workflow` and `execution`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One page of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    pub(crate) data: Vec<T>,
    #[serde(default)]
    pub(crate) next_cursor: Option<String>,
}

/// A workflow as the API has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Workflow {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) active: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    #[serde(default)]
    pub(crate) tags: Vec<Tag>,
    #[serde(default)]
    pub(crate) nodes: Vec<Map<String, Value>>,
    #[serde(default)]
    pub(crate) connections: Value,
    #[serde(default)]
    pub(crate) settings: Value,
}

/// A tag of a workflow.
#[derive(Debug, Deserialize)]
pub(crate) struct Tag {
    name: String,
}

/// A workflow.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Flow {
    /// Id of the workflow.
    id: String,
    /// Its name.
    name: String,
    /// Whether its triggers are listened to.
    active: bool,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When it was changed last.
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: Timestamp,
    /// Names of its tags.
    tags: Vec<String>,
    /// Types of its enabled trigger nodes, such as `n8n-nodes-base.webhook`.
    trigger_types: Vec<String>,
}

impl From<&Workflow> for Flow {
    fn from(workflow: &Workflow) -> Self {
        let mut trigger_types: Vec<String> = workflow
            .nodes
            .iter()
            .filter(|node| is_enabled(node))
            .filter_map(type_of)
            .filter(|kind| is_trigger(kind))
            .map(str::to_owned)
            .collect();
        trigger_types.sort();
        trigger_types.dedup();
        Self {
            id: workflow.id.clone(),
            name: workflow.name.clone(),
            active: workflow.active,
            created_at: workflow.created_at,
            updated_at: workflow.updated_at,
            tags: workflow.tags.iter().map(|tag| tag.name.clone()).collect(),
            trigger_types,
        }
    }
}

/// The type of a node.
pub(crate) fn type_of(node: &Map<String, Value>) -> Option<&str> {
    node.get("type")?.as_str()
}

/// Whether a node takes part.
pub(crate) fn is_enabled(node: &Map<String, Value>) -> bool {
    node.get("disabled") != Some(&Value::Bool(true))
}

/// Triggers are called so; the webhook and a few older ones are not.
fn is_trigger(kind: &str) -> bool {
    const OLDER: [&str; 3] = ["webhook", "cron", "interval"];
    let name = kind.rsplit_once('.').map_or(kind, |(_, name)| name);
    name.to_ascii_lowercase().ends_with("trigger") || OLDER.contains(&name)
}

/// An execution as the API has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Execution {
    #[serde(deserialize_with = "text_or_number")]
    pub(crate) id: String,
    #[serde(deserialize_with = "text_or_number")]
    workflow_id: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    finished: bool,
    pub(crate) mode: String,
    #[serde(default)]
    started_at: Option<Timestamp>,
    #[serde(default)]
    stopped_at: Option<Timestamp>,
    #[serde(default)]
    pub(crate) data: Option<Value>,
}

/// An execution.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Exec {
    /// Id of the execution.
    pub(crate) id: String,
    /// The workflow that ran.
    workflow_id: String,
    /// canceled, crashed, error, new, running, success, unknown or waiting.
    pub(crate) status: String,
    /// What started it: webhook, trigger, manual, retry, …
    mode: String,
    /// When it began; null while it waits to begin.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    started_at: Option<Timestamp>,
    /// When it ended; null before.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    finished_at: Option<Timestamp>,
}

impl From<&Execution> for Exec {
    fn from(execution: &Execution) -> Self {
        Self {
            id: execution.id.clone(),
            workflow_id: execution.workflow_id.clone(),
            status: execution.status().to_owned(),
            mode: execution.mode.clone(),
            started_at: execution.started_at,
            finished_at: execution.stopped_at,
        }
    }
}

impl Execution {
    /// Its status; older instances only say whether it has ended.
    pub(crate) fn status(&self) -> &str {
        match (&self.status, self.finished, self.stopped_at) {
            (Some(status), ..) => status,
            (None, true, _) => "success",
            (None, false, Some(_)) => "error",
            (None, false, None) => "running",
        }
    }

    /// Whether nothing more will happen.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.status(), "canceled" | "crashed" | "error" | "success")
    }

    /// Ids grow; `None` when this one is no number.
    pub(crate) fn number(&self) -> Option<u64> {
        self.id.parse().ok()
    }
}

/// Ids were numbers once.
fn text_or_number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u64),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn enabled_triggers_are_told_once() {
        let node = |kind: &str, disabled: bool| json!({"type": kind, "disabled": disabled});
        let workflow: Workflow = serde_json::from_value(json!({
            "id": "w1", "name": "n", "createdAt": "2026-01-01T00:00:00.000Z",
            "updatedAt": "2026-01-02T00:00:00.000Z",
            "nodes": [
                node("n8n-nodes-base.webhook", false),
                node("n8n-nodes-base.scheduleTrigger", false),
                node("n8n-nodes-base.webhook", false),
                node("n8n-nodes-base.emailReadImap", false),
                node("n8n-nodes-base.telegramTrigger", true),
            ],
        }))
        .unwrap();
        assert_eq!(
            Flow::from(&workflow).trigger_types,
            ["n8n-nodes-base.scheduleTrigger", "n8n-nodes-base.webhook"]
        );
    }

    #[test]
    fn executions_of_older_instances_have_a_status_too() {
        for (finished, stopped, status) in [
            (true, Some("2026-01-01T00:00:00Z"), "success"),
            (false, Some("2026-01-01T00:00:00Z"), "error"),
            (false, None, "running"),
        ] {
            let execution: Execution = serde_json::from_value(json!({
                "id": 7, "workflowId": 9, "mode": "webhook", "finished": finished,
                "stoppedAt": stopped,
            }))
            .unwrap();
            assert_eq!((execution.status(), execution.number()), (status, Some(7)));
        }
    }
}
