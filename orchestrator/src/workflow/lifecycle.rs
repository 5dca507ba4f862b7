//! The life of runs and tasks as `CloudEvents`, and what else is told when a run ends or needs people.
//!
//! The history is what is kept; events are made of its lines when somebody reads them. What people must
//! know at once (a step stands on an operator, a run failed) is written among the events, for webhooks.

use super::Workflows;
use super::commit::Plan;
use super::history::HistoryEntry;
use super::runner::Facts;
use serde_json::{Value, json};
use shared::error::Code;
use std::time::Duration;
use workflow::core::{Ending, Entry, Problem, Suspended, TaskPath, What};

/// Where events of runs come from.
const SOURCE: &str = "waygate/workflows";
/// Steps that need an operator, and runs that failed.
const NEEDED: &str = "dev.waygate.workflow.operator-needed.v1";

/// The standard's event type for a line of history; `None` when it has none.
#[must_use]
pub fn event_type(kind: &str, run: bool) -> Option<&'static str> {
    Some(match (run, kind) {
        (true, "run_started") => "io.serverlessworkflow.workflow.started.v1",
        (true, "run_paused") => "io.serverlessworkflow.workflow.suspended.v1",
        (true, "run_resumed") => "io.serverlessworkflow.workflow.resumed.v1",
        (false, "received") => "io.serverlessworkflow.workflow.correlation-completed.v1",
        (false, "started") => "io.serverlessworkflow.task.started.v1",
        (false, "dispatched") => "io.serverlessworkflow.task.created.v1",
        (false, "suspended" | "unknown" | "approval_requested") => {
            "io.serverlessworkflow.task.suspended.v1"
        }
        (false, "resolved" | "approved") => "io.serverlessworkflow.task.resumed.v1",
        (false, "retry_at") => "io.serverlessworkflow.task.retried.v1",
        (false, "cancelled") => "io.serverlessworkflow.task.cancelled.v1",
        (false, "faulted") => "io.serverlessworkflow.task.faulted.v1",
        (false, "completed") => "io.serverlessworkflow.task.completed.v1",
        _ => return None,
    })
}

/// One line of history as a `CloudEvent`; lines the standard has no event for carry a type of ours.
#[must_use]
pub fn cloud_event(run: &str, line: &HistoryEntry) -> Value {
    let ended = line
        .data
        .get("status")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let of_run = line.path.is_none();
    let kind = match (line.kind.as_str(), ended) {
        ("run_ended", "completed") => "io.serverlessworkflow.workflow.completed.v1".to_owned(),
        ("run_ended", "faulted") => "io.serverlessworkflow.workflow.faulted.v1".to_owned(),
        ("run_ended", _) => "io.serverlessworkflow.workflow.cancelled.v1".to_owned(),
        (kind, _) => event_type(kind, of_run)
            .map_or_else(|| format!("dev.waygate.workflow.{kind}.v1"), str::to_owned),
    };
    let mut data = line.data.clone();
    if let (Some(data), Some(path)) = (data.as_object_mut(), &line.path) {
        data.insert("task".into(), json!(path));
    }
    json!({
        "specversion": "1.0",
        "id": format!("{run}/{}", line.seq),
        "source": SOURCE,
        "type": kind,
        "subject": run,
        "time": line.at.to_string(),
        "datacontenttype": "application/json",
        "data": data,
    })
}

impl Workflows {
    /// Counts what the history says.
    pub(super) fn count(&self, entries: &[Entry]) {
        let metrics = &self.gateway.metrics;
        for entry in entries {
            match &entry.what {
                What::Completed { .. } => metrics.workflow_step("completed"),
                What::Faulted(_) => metrics.workflow_step("failed"),
                What::Unknown { .. } => metrics.workflow_step("unknown"),
                What::AttemptFailed { .. } => metrics.workflow_step("retried"),
                What::Parked { .. } => metrics.workflow_step("parked"),
                _ => {}
            }
        }
    }

    /// A step stands on an operator: written down for whoever is to be told.
    pub(super) fn call_for_help(
        &self,
        plan: &mut Plan,
        facts: &Facts,
        (path, why, problem): (TaskPath, Suspended, Option<Problem>),
    ) {
        tracing::warn!(
            event = "workflow_operator_needed",
            workflow_id = &*facts.id,
            correlation_id = facts.correlation_id,
            step = path.as_str(),
            ?why,
            "a step waits for an operator"
        );
        let data = json!({
            "workflow": facts.name,
            "task": path.as_str(),
            "why": why,
            "error": problem.map(|problem| problem.to_value()),
        });
        let event = self.without_secrets(&facts.sensitive, self.told(facts, data));
        plan.statements.push(self.pending(facts, event));
    }

    fn told(&self, facts: &Facts, data: Value) -> Value {
        json!({
            "specversion": "1.0",
            "id": uuid::Uuid::now_v7().to_string(),
            "source": SOURCE,
            "type": NEEDED,
            "subject": &*facts.id,
            "time": self.now().to_string(),
            "datacontenttype": "application/json",
            "data": data,
        })
    }

    /// A run is over, and that is committed.
    pub(super) fn ended(&self, facts: &Facts, ending: &Ending, took: Duration) {
        let (status, code) = match ending {
            Ending::Completed(_) => ("completed", None),
            Ending::Faulted(_) => ("failed", Some(Code::InternalError)),
            Ending::Cancelled(_) => ("cancelled", None),
            Ending::Killed(_) => ("killed", None),
        };
        self.gateway.metrics.workflow_ended(status, took);
        tracing::info!(
            event = "workflow_ended",
            workflow_id = &*facts.id,
            correlation_id = facts.correlation_id,
            principal = &*facts.principal,
            workflow = facts.name,
            status,
            failed = code.is_some(),
            duration_ms = took.as_millis(),
            "a workflow ended"
        );
    }
}
