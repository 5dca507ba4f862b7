//! A run for people and programs: the catalogue's type Run, with steps, waits and the open question.

use super::rows::RunRow;
use super::runner::Shown;
use super::sensitive::is_sealed;
use super::{WorkflowError, Workflows};
use crate::auth::Principal;
use crate::store::{Row, Statement, StoreError, moment};
use jiff::Timestamp;
use serde_json::{Value, json};
use workflow::core::{Phase, Run, TimerKind, Wait, WaitOn};

/// Steps shown of one run.
const MAX_STEPS: i64 = 2000;

/// Columns of a [`StepView`].
const COLUMNS: &str = "s.path, s.name, s.service, s.tool, s.params, s.status, s.attempts, \
     COALESCE(s.result, b.content) AS result, s.error, s.idempotency_key, s.started_at, s.finished_at";

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepView {
    /// Task path with indices.
    pub path: String,
    /// Name of the task.
    pub name: String,
    /// Folder name of the service; `None` for tasks that call no tool.
    pub service: Option<String>,
    /// Canonical id.
    pub tool: Option<String>,
    /// Arguments, secrets masked.
    pub params: Value,
    /// running, waiting_…, retrying, parked, suspended, unknown, completed, failed, skipped, cancelled.
    pub status: String,
    /// Number of the last attempt.
    pub attempts: u64,
    /// Output, secrets masked.
    pub result: Value,
    /// The problem; null when there is none.
    pub error: Value,
    /// Key of the last attempt.
    pub idempotency_key: Option<String>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl StepView {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let optional = |column| Ok::<_, StoreError>(row.optional_text(column)?.map(str::to_owned));
        let json = |column| -> Result<Value, StoreError> {
            let text = row.optional_text(column)?;
            Ok(text
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default())
        };
        let date = |column| Ok::<_, StoreError>(row.optional_integer(column)?.map(moment));
        Ok(Self {
            path: row.text("path")?.to_owned(),
            name: row.text("name")?.to_owned(),
            service: optional("service")?,
            tool: optional("tool")?,
            params: json("params")?,
            status: row.text("status")?.to_owned(),
            attempts: u64::try_from(row.integer("attempts")?).unwrap_or_default(),
            result: json("result")?,
            error: json("error")?,
            idempotency_key: optional("idempotency_key")?,
            started_at: date("started_at")?,
            finished_at: date("finished_at")?,
        })
    }

    /// Milliseconds from begin to end, or until `now`.
    fn duration_ms(&self, now: Timestamp) -> i64 {
        let end = self.finished_at.unwrap_or(now);
        self.started_at
            .map_or(0, |start| end.as_millisecond() - start.as_millisecond())
    }

    /// Its place in the document's own list; `None` further down.
    fn place(&self) -> Option<usize> {
        let mut parts = self.path.strip_prefix("/do/")?.splitn(3, '/');
        let place = parts.next()?.parse().ok()?;
        parts.next()?;
        parts.next().is_none().then_some(place)
    }

    fn to_json(&self, now: Timestamp) -> Value {
        json!({
            "path": self.path,
            "name": self.name,
            "service": self.service,
            "tool": self.tool,
            "params": self.params,
            "status": self.status,
            "attempts": self.attempts,
            "result": self.result,
            "error": self.error,
            "idempotency_key": self.idempotency_key,
            "started_at": self.started_at.map(|at| at.to_string()),
            "finished_at": self.finished_at.map(|at| at.to_string()),
            "duration_ms": self.duration_ms(now),
        })
    }
}

impl Workflows {
    /// A run as the catalogue's type Run, with `steps`, `waits`, input, output and definition digest.
    ///
    /// # Errors
    /// [`WorkflowError::NotFound`] also for a run of another organisation.
    pub async fn show(&self, reader: &Principal, id: &str) -> Result<Value, WorkflowError> {
        let row = self.run(reader, id).await?;
        let steps = self.steps(id).await?;
        let now = self.now();
        let mut shown = self.summary(&row);
        let results: Vec<Value> = results(&steps, now);
        let failed = steps.iter().filter(|step| step.status == "failed");
        let failed_at = failed.filter_map(StepView::place).min();
        let approval = self.open_question(reader, id).await?;
        let more = json!({
            "step_failed_at": if row.status == "failed" { failed_at } else { None },
            "reason": reason(&row),
            "results": results,
            "approval": approval,
            "waits": row.waits,
            "input": if is_sealed(&row.input) { json!({"sealed": true}) } else { text_json(Some(&row.input)) },
            "output": text_json(row.output.as_deref()),
            "error": text_json(row.error.as_deref()),
            "steps": steps.iter().map(|step| step.to_json(now)).collect::<Vec<_>>(),
        });
        if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
            shown.extend(more);
        }
        Ok(shown)
    }

    /// A run in a list.
    #[must_use]
    pub fn summary(&self, row: &RunRow) -> Value {
        json!({
            "workflow_id": &*row.id,
            "workflow_name": row.name,
            "status": row.status,
            "phase": row.phase,
            "current_step": row.current_step,
            "correlation_id": row.correlation_id,
            "digest": row.digest,
            "principal": &*row.principal,
            "depth": row.depth,
            "parent_id": row.parent.as_ref().map(|(id, _)| id.to_string()),
            "schedule_id": row.schedule,
            "rerun_of": row.rerun_of,
            "created_at": row.created_at.to_string(),
            "updated_at": row.updated_at.to_string(),
            "finished_at": row.finished_at.map(|at| at.to_string()),
        })
    }

    /// The text of a run's definition.
    ///
    /// # Errors
    /// [`WorkflowError::NotFound`] also for a run of another organisation.
    pub async fn source(&self, reader: &Principal, id: &str) -> Result<String, WorkflowError> {
        let row = self.run(reader, id).await?;
        let kept = self.kept(&row.organization, &row.digest).await?;
        Ok(kept.ok_or(WorkflowError::NotFound)?.source)
    }

    pub(super) async fn steps(&self, id: &str) -> Result<Vec<StepView>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM workflow_steps s LEFT JOIN workflow_blobs b ON b.digest = s.result_digest \
             WHERE s.workflow_id = $1 ORDER BY s.position, s.path LIMIT $2"
        );
        let select = Statement::generated(sql.into()).bind(id).bind(MAX_STEPS);
        let rows = self.instance.store().read(select).await?;
        rows.iter().map(StepView::of).collect()
    }

    /// The question that waits longest.
    async fn open_question(&self, reader: &Principal, id: &str) -> Result<Value, StoreError> {
        let sql = "SELECT a.id FROM workflow_approvals w JOIN approvals a ON a.id = w.approval_id \
                   WHERE w.workflow_id = $1 AND a.state = 'pending' ORDER BY a.created_at LIMIT 1";
        let rows = self
            .instance
            .store()
            .read(Statement::new(sql).bind(id))
            .await?;
        let Some(row) = rows.first() else {
            return Ok(Value::Null);
        };
        let approvals = &self.gateway.approvals;
        let known = approvals.known_by_run(row.text("id")?).await;
        let shown = known.ok().flatten();
        Ok(shown.map_or(Value::Null, |approval| approvals.to_json(&approval, reader)))
    }
}

/// The steps of the document's own list; attempts are those of what stands below, too.
fn results(steps: &[StepView], now: Timestamp) -> Vec<Value> {
    let mut own: Vec<(usize, &StepView)> = steps
        .iter()
        .filter_map(|step| Some((step.place()?, step)))
        .collect();
    own.sort_by_key(|(place, _)| *place);
    let shown = own.into_iter().map(|(_, step)| {
        let below = format!("{}/", step.path);
        let attempts = steps
            .iter()
            .filter(|other| other.path == step.path || other.path.starts_with(&below))
            .map(|step| step.attempts)
            .max();
        json!({
            "step_name": step.name,
            "description": step.tool.clone().unwrap_or_default(),
            "status": step.status,
            "result": step.result,
            "error": step.error,
            "attempts": attempts.unwrap_or_default(),
            "duration_ms": step.duration_ms(now),
        })
    });
    shown.collect()
}

/// Why a run failed or was cancelled, for a person.
fn reason(row: &RunRow) -> Option<String> {
    let error = text_json(row.error.as_deref());
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    match (text("title"), text("detail")) {
        (Some(title), Some(detail)) => Some(format!("{title}: {detail}")),
        (title, detail) => title.or(detail).map(str::to_owned),
    }
}

fn text_json(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// What a run's row says of where it stands. While something is in flight the steps say the rest.
pub(super) fn shown(run: &Run) -> Shown {
    let status = run.status();
    let word = match status.phase {
        Phase::Pending => "pending",
        Phase::Running => "running",
        Phase::Waiting | Phase::Suspended => "waiting",
        Phase::Cancelled => "cancelled",
        Phase::Faulted => "failed",
        Phase::Completed => "completed",
    };
    let rests = matches!(status.phase, Phase::Waiting | Phase::Suspended);
    let waits = if rests { run.waits() } else { Vec::new() };
    let waits: Vec<Value> = waits.iter().filter_map(wait_json).collect();
    let step = status.current.filter(|_| rests);
    Shown {
        status: word,
        phase: status.phase.name(),
        step: step.map(|path| path.as_str().to_owned()),
        waits: Value::Array(waits).to_string(),
    }
}

/// One wait; the end of the run's own life is none.
fn wait_json(wait: &Wait) -> Option<Value> {
    let (what, more) = match &wait.on {
        WaitOn::Timer {
            timer: TimerKind::Timeout,
            ..
        } => return None,
        WaitOn::Timer { timer, at } => (
            "timer",
            json!({"timer": timer.name(), "until": at.to_string()}),
        ),
        WaitOn::Answer { attempt, cancelled } => (
            "answer",
            json!({"attempt": attempt, "cancelled": cancelled}),
        ),
        WaitOn::Approval { expires, .. } => ("approval", json!({"until": expires.to_string()})),
        WaitOn::Lock { keys } => ("lock", json!({"keys": keys})),
        WaitOn::Child { key } => ("child", json!({"key": key})),
        WaitOn::Event => ("event", json!({})),
        WaitOn::Breaker => ("breaker", json!({})),
        WaitOn::Operator { why, problem, .. } => (
            "operator",
            json!({"why": why, "error": problem.as_ref().map(workflow::core::Problem::to_value)}),
        ),
        WaitOn::Resume => ("resume", json!({})),
    };
    let mut shown = json!({
        "path": wait.path.as_str(), "for": what, "since": wait.since.to_string(),
    });
    if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
        shown.extend(more);
    }
    Some(shown)
}
