//! The history of a run: every line the core wrote, in order, as rows and for readers.
//!
//! Inputs and outputs stand in the steps; a line holds at most a little of them.

use super::{WorkflowError, Workflows};
use crate::auth::Principal;
use crate::store::{Statement, micros, moment};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use workflow::core::{Ending, Entry, What};

/// Bytes of a value that stand in a line.
const SMALL: usize = 1024;
/// Lines in one statement.
const ROWS: usize = 24;
/// Lines read at once.
const PAGE: i64 = 500;

/// One line of history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// Counts from 1 without gaps.
    pub seq: u64,
    /// What happened, a word.
    pub kind: String,
    /// The step; `None` for the run.
    pub path: Option<String>,
    /// Details.
    pub data: Value,
    /// When.
    pub at: Timestamp,
}

/// Who reads, and from where.
#[derive(Debug, Clone)]
pub struct Reader {
    /// Who.
    pub principal: Arc<Principal>,
    /// The last line known; 0 for none.
    pub after: u64,
}

/// Statements for these lines.
pub(super) fn rows(
    run: &str,
    entries: &[Entry],
    masked: impl Fn(&Value) -> Value,
) -> Vec<Statement> {
    let statements = entries.chunks(ROWS).map(|chunk| {
        let mut sql = String::from(
            "INSERT INTO workflow_events (workflow_id, seq, type, path, data, at) VALUES ",
        );
        for at in 0..chunk.len() {
            let first = 2 + at * 5;
            let comma = if at == 0 { "" } else { ", " };
            let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|n| first + n);
            sql.push_str(&format!("{comma}($1, ${a}, ${b}, ${c}, ${d}, ${e})"));
        }
        let mut insert = Statement::generated(sql.into()).bind(run);
        for entry in chunk {
            let path = (!entry.path.is_run()).then(|| entry.path.as_str().to_owned());
            insert = insert
                .bind(i64::try_from(entry.seq).unwrap_or(i64::MAX))
                .bind(entry.what.name())
                .bind(path)
                .bind(data_of(&entry.what, &masked).to_string())
                .bind(micros(entry.at));
        }
        insert
    });
    statements.collect()
}

/// The details of one line.
pub(super) fn data_of(what: &What, masked: &impl Fn(&Value) -> Value) -> Value {
    let small = |value: &Value| {
        let masked = masked(value);
        let length = masked.to_string().len();
        if length <= SMALL {
            masked
        } else {
            json!({"omitted_bytes": length})
        }
    };
    match what {
        What::RunStarted(input) => json!({"input": small(input)}),
        What::RunPaused(reason) | What::RunResumed(reason) | What::RunCancelling(reason) => {
            json!({"by": reason.by, "reason": reason.why})
        }
        What::RunFaulting(problem) | What::Faulted(problem) => {
            json!({"error": masked(&problem.to_value())})
        }
        What::RunEnded(ending) => match ending {
            Ending::Completed(output) => json!({"status": "completed", "output": small(output)}),
            Ending::Faulted(problem) => {
                json!({"status": "faulted", "error": masked(&problem.to_value())})
            }
            Ending::Cancelled(reason) => {
                json!({"status": "cancelled", "by": reason.by, "reason": reason.why})
            }
            Ending::Killed(reason) => {
                json!({"status": "killed", "by": reason.by, "reason": reason.why})
            }
        },
        What::RunRecovered { epoch } => json!({"epoch": epoch}),
        What::RunAdopted { from, to } => json!({"from": from, "to": to}),
        What::RunLong { events } => json!({"events": events}),
        What::Started { kind, .. } => json!({"kind": kind}),
        What::Completed { output } | What::Reused { output } => json!({"output": small(output)}),
        What::Dispatched {
            attempt,
            key,
            purpose,
            call,
        } => json!({
            "attempt": attempt, "key": key, "purpose": purpose, "target": call.target,
        }),
        What::Accepted { attempt, handle } => json!({"attempt": attempt, "handle": handle}),
        What::AttemptFailed { attempt, problem } => {
            json!({"attempt": attempt, "error": masked(&problem.to_value())})
        }
        What::RetryAt { at } => json!({"at": at.to_string()}),
        What::Parked { detail } => json!({"detail": detail}),
        What::Unknown { attempt, detail } => json!({"attempt": attempt, "detail": detail}),
        What::Suspended(why) => json!({"why": why}),
        What::Resolved { how, reason } => {
            json!({"how": how, "by": reason.by, "reason": reason.why})
        }
        What::ApprovalRequested { attempt, digest } => {
            json!({"attempt": attempt, "digest": digest})
        }
        What::Voted { vote, refused } => json!({
            "by": vote.by, "verdict": vote.verdict, "reason": vote.reason, "refused": refused,
        }),
        What::Approved { by } => json!({"by": by}),
        What::Denied { why } => json!({"reason": why}),
        What::Queued { keys } | What::Held { keys } => json!({"keys": keys}),
        What::Received { id } | What::Emitted { id } => json!({"id": id}),
        What::Spawned { key } | What::Registered { key } | What::Undone { key } => {
            json!({"key": key})
        }
        What::Skipped | What::Cancelled => json!({}),
    }
}

impl Workflows {
    /// The next lines of a run's history, at most 500.
    ///
    /// # Errors
    /// [`WorkflowError::NotFound`] also for a run of another organisation.
    pub async fn history(
        &self,
        reader: &Reader,
        id: &str,
    ) -> Result<Vec<HistoryEntry>, WorkflowError> {
        self.run(&reader.principal, id).await?;
        let sql = "SELECT seq, type, path, data, at FROM workflow_events \
                   WHERE workflow_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
        let select = Statement::new(sql)
            .bind(id)
            .bind(i64::try_from(reader.after).unwrap_or(i64::MAX))
            .bind(PAGE);
        let rows = self.instance.store().read(select).await?;
        let lines = rows.iter().map(|row| {
            Ok(HistoryEntry {
                seq: u64::try_from(row.integer("seq")?).unwrap_or_default(),
                kind: row.text("type")?.to_owned(),
                path: row.optional_text("path")?.map(str::to_owned),
                data: serde_json::from_str(row.text("data")?).unwrap_or_default(),
                at: moment(row.integer("at")?),
            })
        });
        lines.collect()
    }
}
