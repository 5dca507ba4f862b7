//! The steps of a run as rows, made from its history. What the history says of one step within a commit
//! becomes one statement.

use crate::store::{Argument, Statement, micros};
use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;
use std::collections::BTreeMap;
use workflow::core::{Entry, Purpose, Suspended, Target, TaskPath, What};

/// Bytes of an output that stand in the step's row; longer ones are kept once per content.
const INLINE: usize = 4096;

const UPSERT: &str = "INSERT INTO workflow_steps (workflow_id, path, name, status, position, service, tool, \
     params, attempts, result, result_digest, error, idempotency_key, started_at, finished_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
     ON CONFLICT (workflow_id, path) DO UPDATE SET status = excluded.status, \
     service = COALESCE(excluded.service, workflow_steps.service), \
     tool = COALESCE(excluded.tool, workflow_steps.tool), \
     params = COALESCE(excluded.params, workflow_steps.params), \
     attempts = CASE WHEN excluded.attempts > 0 THEN excluded.attempts ELSE workflow_steps.attempts END, \
     result = COALESCE(excluded.result, workflow_steps.result), \
     result_digest = COALESCE(excluded.result_digest, workflow_steps.result_digest), \
     error = excluded.error, \
     idempotency_key = COALESCE(excluded.idempotency_key, workflow_steps.idempotency_key), \
     started_at = COALESCE(workflow_steps.started_at, excluded.started_at), \
     finished_at = excluded.finished_at";

/// What is known of one step.
#[derive(Default)]
struct Change {
    status: Option<&'static str>,
    position: u64,
    tool: Option<String>,
    params: Option<String>,
    attempts: u32,
    result: Option<String>,
    error: Option<String>,
    key: Option<String>,
    started: Option<i64>,
    finished: Option<i64>,
}

/// The steps one commit touches.
#[derive(Default)]
pub(super) struct StepRows(BTreeMap<TaskPath, Change>);

impl StepRows {
    /// Takes one line of history in. `masked` hides what must not be written down.
    pub(super) fn note(&mut self, entry: &Entry, masked: impl Fn(&Value) -> Value) {
        if entry.path.is_run() {
            return;
        }
        let at = micros(entry.at);
        let Some(status) = status_of(&entry.what) else {
            return;
        };
        let change = self.0.entry(entry.path.clone()).or_default();
        if change.position == 0 {
            change.position = entry.seq;
        }
        change.status = Some(status);
        match &entry.what {
            What::Started { .. } => change.started = Some(at),
            What::Completed { output } | What::Reused { output } => {
                change.result = Some(masked(output).to_string());
                change.error = None;
                change.finished = Some(at);
            }
            What::Faulted(problem) => {
                change.error = Some(masked(&problem.to_value()).to_string());
                change.finished = Some(at);
            }
            What::AttemptFailed { problem, .. } => {
                change.error = Some(masked(&problem.to_value()).to_string());
            }
            What::Cancelled | What::Skipped => change.finished = Some(at),
            What::Dispatched {
                attempt,
                key,
                purpose: Purpose::Step,
                call,
            } => {
                change.attempts = *attempt;
                change.key = Some(key.clone());
                change.params = Some(masked(&call.with).to_string());
                if let Target::Tool { id, .. } = &call.target {
                    change.tool = Some(id.clone());
                }
            }
            _ => {}
        }
    }

    /// The statements, and those for outputs too long for a row. `service_of` finds a tool's service.
    pub(super) fn statements(
        self,
        run: &str,
        now: i64,
        service_of: impl Fn(&str) -> Option<String>,
    ) -> Vec<Statement> {
        let mut statements = Vec::with_capacity(self.0.len());
        for (path, change) in self.0 {
            let (result, digest) = match change.result {
                Some(text) if text.len() > INLINE => {
                    let digest = format!("sha256:{}", sha256(&text));
                    statements.push(blob(&digest, text, now));
                    (None, Some(digest))
                }
                other => (other, None),
            };
            let service = change.tool.as_deref().and_then(&service_of);
            let integer =
                |value: Option<i64>| value.map_or(Argument::NullInteger, Argument::Integer);
            let upsert = Statement::new(UPSERT)
                .bind(run)
                .bind(path.as_str())
                .bind(path.name())
                .bind(change.status.unwrap_or("running"))
                .bind(i64::try_from(change.position).unwrap_or(i64::MAX))
                .bind(service)
                .bind(change.tool)
                .bind(change.params)
                .bind(i64::from(change.attempts))
                .bind(result)
                .bind(digest)
                .bind(change.error)
                .bind(change.key)
                .bind(integer(change.started))
                .bind(integer(change.finished));
            statements.push(upsert);
        }
        statements
    }
}

fn blob(digest: &str, content: String, now: i64) -> Statement {
    let sql = "INSERT INTO workflow_blobs (digest, content, created_at) VALUES ($1, $2, $3) \
               ON CONFLICT (digest) DO UPDATE SET created_at = excluded.created_at";
    Statement::new(sql).bind(digest).bind(content).bind(now)
}

/// SHA-256 in hex.
pub(super) fn sha256(text: &str) -> String {
    hex::encode(digest(&SHA256, text.as_bytes()))
}

/// The word a step has after this line; `None` when the line says nothing about that.
const fn status_of(what: &What) -> Option<&'static str> {
    Some(match what {
        What::Started { .. } | What::Resolved { .. } => "running",
        What::Dispatched {
            purpose: Purpose::Step,
            ..
        } => "running",
        What::Skipped => "skipped",
        What::Completed { .. } | What::Reused { .. } => "completed",
        What::Faulted(_) => "failed",
        What::Cancelled => "cancelled",
        What::AttemptFailed { .. } | What::RetryAt { .. } => "retrying",
        What::Parked { .. } => "parked",
        What::Unknown { .. } | What::Suspended(Suspended::Unknown) => "unknown",
        What::Suspended(_) => "suspended",
        What::ApprovalRequested { .. } => "waiting_approval",
        What::Queued { .. } => "waiting_lock",
        What::Undone { .. } => "undone",
        _ => return None,
    })
}
