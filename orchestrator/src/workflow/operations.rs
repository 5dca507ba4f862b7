//! What operators do to runs: pause, resume, cancel, kill, settle a step, run again from a step.
//!
//! Each is one event of the run, recorded in the trail before it is made. Whoever may execute may do this
//! in their own organisation; what a run does afterwards is still done as its starter.

use super::mailbox::{Letter, Undelivered, Verdict};
use super::sensitive::{Sensitive, has_gaps};
use super::start::{NewRun, Repeat};
use super::{Started, WorkflowError, Workflows};
use crate::audit::Event as Record;
use crate::caller::Caller;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use workflow::core::{Control, Event, Reason, Resolution, Reuse, TaskPath};

/// How often one who waits looks for itself.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longest reason, in bytes.
const MAX_REASON: usize = 4096;

/// What is to be done to a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Nothing new begins.
    Pause,
    /// It goes on.
    Resume,
    /// It stops, then takes back what it did.
    Cancel,
    /// It stops, and nothing more; needs a reason.
    Kill,
    /// A step goes on.
    Settle {
        /// Its path; `None` means the one step that stands on an operator.
        path: Option<String>,
        /// How.
        resolution: StepResolution,
    },
}

/// How a step goes on that stands on an operator.
#[derive(Debug, Clone, PartialEq)]
pub enum StepResolution {
    /// It took place, with this output.
    AssumeDone(Value),
    /// It did not: again, now.
    Retry,
    /// As if it had given this output.
    Skip(Value),
    /// It fails.
    Abort,
}

impl Order {
    const fn word(&self) -> &'static str {
        match self {
            Self::Pause => "workflow.paused",
            Self::Resume => "workflow.resumed",
            Self::Cancel => "workflow.cancelled",
            Self::Kill => "workflow.killed",
            Self::Settle { .. } => "workflow.step_settled",
        }
    }
}

impl Workflows {
    /// Does something to a run; durable when this returns.
    ///
    /// # Errors
    /// [`WorkflowError::Conflict`] when the run is over or the order changes nothing.
    pub async fn order(
        self: &Arc<Self>,
        caller: &Caller,
        id: &str,
        order: Order,
        reason: Option<String>,
    ) -> Result<(), WorkflowError> {
        let row = self.run(&caller.principal, id).await?;
        if row.finished() {
            return Err(WorkflowError::Conflict(format!(
                "the run is {}",
                row.status
            )));
        }
        let why = reason.unwrap_or_default();
        if why.len() > MAX_REASON {
            return Err(WorkflowError::invalid("reason", "at most 4096 bytes"));
        }
        if order == Order::Kill && why.trim().is_empty() {
            return Err(WorkflowError::invalid("reason", "killing a run needs one"));
        }
        let control = self.control_of(id, &order, caller, &why).await?;
        let found_out = self.found_out(id, &control).await?;
        self.record(caller, order.word(), id, json!({"reason": why}))
            .await?;
        match self.tell(&row.id, Event::Control(control)).await? {
            Verdict::Taken { changed: true } => {
                self.note_found_out(&row.principal, found_out).await;
                Ok(())
            }
            Verdict::Taken { changed: false } => Err(WorkflowError::Conflict(
                "the run is not in a state in which this changes anything".into(),
            )),
            Verdict::Gone => Err(WorkflowError::Conflict("the run is over".into())),
        }
    }

    /// Lets a run go on: settles the step that stands on an operator, or ends a pause.
    ///
    /// # Errors
    /// [`WorkflowError::Conflict`] when a step's outcome is unknown and no resolution is given.
    pub async fn resume(
        self: &Arc<Self>,
        caller: &Caller,
        id: &str,
        (path, resolution): (Option<String>, Option<StepResolution>),
        reason: Option<String>,
    ) -> Result<(), WorkflowError> {
        if let Some(resolution) = resolution {
            return self
                .order(caller, id, Order::Settle { path, resolution }, reason)
                .await;
        }
        let row = self.run(&caller.principal, id).await?;
        let waits = row.waits.as_array().map(Vec::as_slice).unwrap_or_default();
        let on = |what: &str| {
            waits
                .iter()
                .any(|wait| wait.get("for").is_some_and(|it| it == what))
        };
        if on("resume") || !on("operator") {
            return self.order(caller, id, Order::Resume, reason).await;
        }
        let unknown = |wait: &Value| wait.get("why").is_some_and(|why| why == "unknown");
        if waits.iter().any(unknown) {
            return Err(WorkflowError::Conflict(
                "the outcome of a step is unknown: say retry, assume_done or abort".into(),
            ));
        }
        let resolution = StepResolution::Retry;
        self.order(caller, id, Order::Settle { path, resolution }, reason)
            .await
    }

    /// Waits until a run is over, at most so long.
    ///
    /// # Errors
    /// [`WorkflowError::NotFound`] when there is none.
    pub async fn wait(&self, id: &str, timeout: Duration) -> Result<(), WorkflowError> {
        let deadline = tokio::time::Instant::now() + timeout;
        let mut changes = self.changes(id);
        loop {
            let row = self.row(id).await?.ok_or(WorkflowError::NotFound)?;
            // A run that waits for people is an answer, too: they may take a day.
            let asks = row.waits.to_string().contains("\"approval\"");
            let stands = row.phase == "suspended" || asks;
            if row.finished() || stands || tokio::time::Instant::now() >= deadline {
                return Ok(());
            }
            // Another hub on the same store may move it on, so that one looks for oneself, too.
            let look = deadline.min(tokio::time::Instant::now() + LOOK_EVERY);
            drop(tokio::time::timeout_at(look, changes.rests()).await);
        }
    }

    async fn control_of(
        &self,
        id: &str,
        order: &Order,
        caller: &Caller,
        why: &str,
    ) -> Result<Control, WorkflowError> {
        let reason = Reason {
            by: caller.principal.id.to_string(),
            why: why.to_owned(),
        };
        Ok(match order {
            Order::Pause => Control::Pause(reason),
            Order::Resume => Control::Resume(reason),
            Order::Cancel => Control::Cancel(reason),
            Order::Kill => Control::Kill(reason),
            Order::Settle { path, resolution } => {
                let path = match path {
                    Some(path) => path.clone(),
                    None => self.standing_step(id).await?,
                };
                let resolution = match resolution {
                    StepResolution::AssumeDone(output) => {
                        Resolution::ItRan(Arc::new(output.clone()))
                    }
                    StepResolution::Retry => Resolution::Retry,
                    StepResolution::Skip(output) => Resolution::Skip(Arc::new(output.clone())),
                    StepResolution::Abort => Resolution::Fail,
                };
                Control::Resolve {
                    path: TaskPath::new(&path),
                    resolution,
                    reason,
                }
            }
        })
    }

    /// The one step that stands on an operator.
    async fn standing_step(&self, id: &str) -> Result<String, WorkflowError> {
        let steps = self.steps(id).await?;
        let standing = |status: &str| matches!(status, "unknown" | "suspended");
        let mut found = steps.iter().filter(|step| standing(&step.status));
        match (found.next(), found.next()) {
            (Some(step), None) => Ok(step.path.clone()),
            (None, _) => Err(WorkflowError::Conflict(
                "no step waits for a resolution".into(),
            )),
            (Some(_), Some(_)) => Err(WorkflowError::invalid(
                "path",
                "several steps wait for a resolution; say which",
            )),
        }
    }

    /// Hands an event to a run and waits until it is committed.
    async fn tell(self: &Arc<Self>, id: &Arc<str>, event: Event) -> Result<Verdict, WorkflowError> {
        let (reply, verdict) = oneshot::channel();
        match self.deliver(id, Letter::Asked(event, reply)).await {
            Ok(()) => {}
            Err(Undelivered::Full) => return Err(WorkflowError::Overloaded),
            Err(Undelivered::Stopping) => return Err(WorkflowError::Stopping),
        }
        Ok(verdict.await.unwrap_or(Verdict::Gone))
    }

    /// Runs a run again from a step: earlier outputs are taken over, as a new run that names the old one.
    ///
    /// # Errors
    /// [`WorkflowError::Conflict`] while the old run is open.
    pub async fn rerun(
        self: &Arc<Self>,
        caller: &Caller,
        id: &str,
        from: Option<&str>,
    ) -> Result<Started, WorkflowError> {
        let row = self.run(&caller.principal, id).await?;
        if !row.finished() {
            return Err(WorkflowError::Conflict(
                "the run is open; cancel it or settle its step instead".into(),
            ));
        }
        let source = self.source(&caller.principal, id).await?;
        let definition = self.read(&source)?;
        let steps = self.steps(id).await?;
        let from = from.map(|step| path_of(&steps, step)).transpose()?;
        let done = steps
            .iter()
            .filter(|step| step.status == "completed" && step.tool.is_some())
            // What was masked is not known any more: such a step runs again.
            .filter(|step| !has_gaps(&step.result));
        let outputs = done.map(|step| (TaskPath::new(&step.path), Arc::new(step.result.clone())));
        let reuse = Reuse {
            outputs: outputs.collect(),
            from,
        };
        let principal = &caller.principal;
        let sensitive = Sensitive::default();
        let input = self.opened(id, &row.input, &sensitive)?;
        let input: Value = serde_json::from_str(&input).unwrap_or_default();
        let new = NewRun {
            organization: Arc::clone(&principal.organization),
            namespace: Arc::clone(&principal.namespace),
            principal: Arc::clone(&principal.id),
            correlation_id: caller.correlation_id.as_str().to_owned(),
            short: row.short,
            definition: &definition,
            input: Arc::new(input),
            key: None,
            request_hash: row.request_hash.clone(),
            depth: 0,
            parent: None,
            schedule: None,
            rerun: Some(Repeat {
                of: Arc::clone(&row.id),
                reuse,
            }),
            sensitive,
        };
        self.record(caller, "workflow.rerun", id, json!({})).await?;
        let id = self.launch(new).await?;
        Ok(Started { id, known: false })
    }

    pub(super) async fn record(
        &self,
        caller: &Caller,
        action: &'static str,
        id: &str,
        details: Value,
    ) -> Result<(), WorkflowError> {
        let record = Record {
            action,
            resource_type: "workflow",
            resource_id: id.to_owned(),
            actor: Arc::clone(&caller.principal.id),
            organization: Arc::clone(&caller.principal.organization),
            address: caller.address,
            details,
            correlation_id: Some(caller.correlation_id.clone()),
        };
        Ok(self.gateway.audit.event(record).await?)
    }
}

/// A step by path, or by a name that only one has.
fn path_of(steps: &[super::StepView], step: &str) -> Result<TaskPath, WorkflowError> {
    if step.starts_with('/') {
        return Ok(TaskPath::new(step));
    }
    let mut found = steps.iter().filter(|known| known.name == step);
    match (found.next(), found.next()) {
        (Some(step), None) => Ok(TaskPath::new(&step.path)),
        _ => Err(WorkflowError::invalid(
            "from_step",
            "no one step has this name; give its path",
        )),
    }
}
