//! What the tools about workflows take and give.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExecuteArguments {
    /// The workflow: `{name, steps:[{name?, description?, service, tool, params?, timeout?, retry?,
    /// on_error?}]}`, or a Serverless Workflow DSL 1.0 document.
    pub(super) workflow: Map<String, Value>,
    /// Wait for its end, at most `timeout`; the answer is the run as it is then.
    #[serde(default = "yes")]
    pub(super) wait: bool,
    /// Longest wait, in seconds.
    #[serde(default = "three_hundred")]
    #[schemars(range(min = 1, max = 300))]
    pub(super) timeout: u64,
    /// The same key starts the same run.
    #[serde(default)]
    pub(super) idempotency_key: Option<String>,
    /// Input of a DSL document.
    #[serde(default)]
    pub(super) input: Map<String, Value>,
}

const fn yes() -> bool {
    true
}

const fn three_hundred() -> u64 {
    300
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GetArguments {
    /// Id of the run.
    pub(super) workflow_id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ListArguments {
    /// Only runs with this status: pending, running, waiting, completed, failed or cancelled.
    #[serde(default)]
    pub(super) status: Option<String>,
    /// Most runs, newest first.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 100))]
    pub(super) limit: u32,
    /// Where the last answer ended.
    #[serde(default)]
    pub(super) cursor: Option<String>,
}

const fn fifty() -> u32 {
    50
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResumeArguments {
    /// Id of the run.
    pub(super) workflow_id: String,
    /// What became of the step whose outcome is unknown: `retry` (it did not run: again), `assume_done`
    /// (it ran), `abort` (it fails). Not needed for a run that is paused.
    #[serde(default)]
    pub(super) resolution: Option<Resolution>,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Resolution {
    Retry,
    AssumeDone,
    Abort,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelArguments {
    /// Id of the run.
    pub(super) workflow_id: String,
    /// Why, for the record.
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// One run.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct RunShown {
    /// Id of the run.
    pub(super) workflow_id: String,
    /// Namespace and name of its definition.
    pub(super) workflow_name: String,
    /// pending, running, waiting, completed, failed or cancelled.
    pub(super) status: String,
    /// The phase of the language.
    pub(super) phase: String,
    /// Zero-based index of the step that failed.
    #[serde(default)]
    pub(super) step_failed_at: Option<u64>,
    /// Why it failed or was cancelled.
    #[serde(default)]
    pub(super) reason: Option<String>,
    /// The steps of the document, in order.
    pub(super) results: Vec<ResultShown>,
    /// Joins everything the run does.
    pub(super) correlation_id: String,
    /// What people are asked.
    #[serde(default)]
    pub(super) approval: Option<Value>,
    /// What it waits for, since when.
    #[serde(default)]
    pub(super) waits: Value,
    /// Its output, once completed.
    #[serde(default)]
    pub(super) output: Value,
    /// Length of `results`.
    #[serde(default)]
    pub(super) count: usize,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct ResultShown {
    /// Name of the step.
    pub(super) step_name: String,
    /// What it calls.
    pub(super) description: String,
    /// running, `waiting_approval`, unknown, completed, failed, skipped and the like.
    pub(super) status: String,
    /// Its output.
    pub(super) result: Value,
    /// The problem it failed with.
    #[serde(default)]
    pub(super) error: Value,
    /// Attempts so far.
    pub(super) attempts: u64,
    /// From its begin to its end.
    pub(super) duration_ms: i64,
}

/// One run with its definition.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RunDetails {
    #[serde(flatten)]
    pub(super) run: RunShown,
    /// The document as it was given.
    pub(super) definition: Value,
    /// When it was asked for.
    pub(super) created_at: String,
    /// When it last went on.
    pub(super) updated_at: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Listed {
    /// The runs, newest first.
    pub(super) workflows: Vec<ListedRun>,
    /// How many.
    pub(super) count: usize,
    /// Where to go on; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ListedRun {
    /// Id of the run.
    pub(super) workflow_id: String,
    /// Namespace and name of its definition.
    pub(super) workflow_name: String,
    /// pending, running, waiting, completed, failed or cancelled.
    pub(super) status: String,
    /// The phase of the language.
    pub(super) phase: String,
    /// When it was asked for.
    pub(super) created_at: String,
    /// When it last went on.
    pub(super) updated_at: String,
}
