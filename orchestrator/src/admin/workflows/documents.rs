//! What the routes about workflows take and give.

use crate::admin::input::Input;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// The catalogue's type Run with more; `Workflows::show` makes it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what another module writes")]
pub(super) struct RunDocument {
    pub(super) workflow_id: String,
    pub(super) workflow_name: String,
    /// pending, running, waiting, completed, failed or cancelled.
    pub(super) status: String,
    /// The phase of the language.
    pub(super) phase: String,
    pub(super) current_step: Option<String>,
    pub(super) step_failed_at: Option<u64>,
    pub(super) reason: Option<String>,
    #[schema(value_type = Vec<Object>)]
    pub(super) results: Vec<Value>,
    #[schema(value_type = Vec<Object>)]
    pub(super) steps: Vec<Value>,
    #[schema(value_type = Vec<Object>)]
    pub(super) waits: Vec<Value>,
    pub(super) correlation_id: String,
    #[schema(value_type = Option<Object>)]
    pub(super) approval: Option<Value>,
    pub(super) created_at: String,
    pub(super) updated_at: String,
    pub(super) finished_at: Option<String>,
}

/// What is to be started.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Start {
    /// A document: an object, or its text in JSON or YAML.
    #[schema(value_type = Object)]
    pub(super) workflow: Value,
    /// Its input.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub(super) input: Value,
    /// Wait for its end.
    #[serde(default)]
    pub(super) wait: bool,
    /// Longest wait, in seconds; 1 to 300.
    #[serde(default)]
    pub(super) timeout: Option<u64>,
    /// The same key starts the same run.
    #[serde(default)]
    pub(super) idempotency_key: Option<String>,
}

impl Input for Start {
    const REQUIRED: &'static [&'static str] = &["workflow"];
}

/// What is to be read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Validate {
    /// A document: an object, or its text in JSON or YAML.
    #[schema(value_type = Object)]
    pub(super) workflow: Value,
}

impl Input for Validate {
    const REQUIRED: &'static [&'static str] = &["workflow"];
}

/// What is to be done to a run.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Ordered {
    /// Why, for the record.
    #[serde(default)]
    pub(super) reason: Option<String>,
    /// `retry`, `assume_done`, `skip` or `abort`; for a step that waits for an operator.
    #[serde(default)]
    pub(super) resolution: Option<String>,
    /// The step; may be left out when only one waits.
    #[serde(default)]
    pub(super) path: Option<String>,
    /// Its output, for `assume_done` and `skip`.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub(super) output: Value,
    /// Where a rerun begins: path, or a name only one step has. Left out: from the start.
    #[serde(default)]
    pub(super) from_step: Option<String>,
}

impl Input for Ordered {
    const REQUIRED: &'static [&'static str] = &[];
}

/// A newer document for a run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Adopt {
    /// A document: an object, or its text in JSON or YAML.
    #[schema(value_type = Object)]
    pub(super) workflow: Value,
    /// Only say what differs.
    #[serde(default)]
    pub(super) dry_run: bool,
    /// Why, for the record.
    #[serde(default)]
    pub(super) reason: Option<String>,
}

impl Input for Adopt {
    const REQUIRED: &'static [&'static str] = &["workflow"];
}

/// What differs between what a run does and a newer document.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what another module writes")]
pub(super) struct AdoptedDocument {
    /// Digest of the older document.
    pub(super) from: String,
    /// Digest of the newer one.
    pub(super) to: String,
    /// `pointer`, `kind` (added, removed, changed) and `forbids`: the run has passed it.
    #[schema(value_type = Vec<Object>)]
    pub(super) changes: Vec<Value>,
    /// The run goes on with the newer one.
    pub(super) adopted: bool,
}

/// What is to start by itself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Scheduled {
    /// A document with `schedule`: an object, or its text in JSON or YAML.
    #[schema(value_type = Object)]
    pub(super) workflow: Value,
    /// Input of every run.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub(super) input: Value,
    /// Unique in the organisation. Left out: namespace and name of the document.
    #[serde(default)]
    pub(super) name: Option<String>,
}

impl Input for Scheduled {
    const REQUIRED: &'static [&'static str] = &["workflow"];
}

/// Why a schedule is held.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Held {
    /// For the record.
    pub(super) reason: String,
}

impl Input for Held {
    const REQUIRED: &'static [&'static str] = &["reason"];
}

/// State to keep for a step.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Checkpoint {
    /// Which step; any name of 1 to 200 bytes.
    pub(super) step: String,
    /// Any JSON.
    #[schema(value_type = Object)]
    pub(super) state: Value,
}

impl Input for Checkpoint {
    const REQUIRED: &'static [&'static str] = &["step", "state"];
}

/// Which checkpoint is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Restore {
    /// As it was given when the state was kept.
    pub(super) checkpoint_id: String,
}

impl Input for Restore {
    const REQUIRED: &'static [&'static str] = &["checkpoint_id"];
}
