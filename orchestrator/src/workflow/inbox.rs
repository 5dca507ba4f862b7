//! Events that are durable before their run takes them in, as JSON rows.
//!
//! One run's commit puts them there for another (a child's end, a lock that is free), a stopping hub for
//! its next start. They go in the commit that takes them in. Events that have a home elsewhere (timers,
//! votes) are not here.

use super::runner::Facts;
use super::sensitive::Sensitive;
use super::{WorkflowError, Workflows};
use crate::store::{Statement, StoreError, micros};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use workflow::core::{
    ChildOutcome, Control, Event, Failure, Outcome, Problem, Reason, Resolution, TaskPath, Vote,
};

/// Rows taken in at once.
const PAGE: i64 = 256;

/// An event with the id of its row.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: String,
    pub(super) event: Event,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored {
    Started,
    Completed(TaskPath, u32, Arc<Value>),
    Failed(TaskPath, u32, StoredFailure),
    Unknown(TaskPath, u32, String),
    Parked(TaskPath, u32, String),
    ApprovalNeeded(TaskPath, u32, String),
    Accepted(TaskPath, u32, String),
    Received(TaskPath, Arc<Value>),
    ChildCompleted(TaskPath, u32, Arc<Value>),
    ChildFaulted(TaskPath, u32, Problem),
    ChildCancelled(TaskPath, u32),
    Locked(TaskPath),
    LockRefused(TaskPath, String),
    Decided(TaskPath, u32, Vote),
    Available(TaskPath),
    Pause(Reason),
    Resume(Reason),
    Cancel(Reason),
    Kill(Reason),
    ItRan(TaskPath, Arc<Value>, Reason),
    Retry(TaskPath, Reason),
    Skip(TaskPath, Arc<Value>, Reason),
    Fail(TaskPath, Reason),
}

#[derive(Serialize, Deserialize)]
struct StoredFailure {
    problem: Problem,
    ran: bool,
    transient: bool,
    retry_after_ms: Option<u64>,
}

impl Workflows {
    /// What waits for a run, oldest first.
    pub(super) async fn inbox_of(&self, facts: &Facts) -> Result<Vec<Waiting>, WorkflowError> {
        let sql =
            "SELECT id, event FROM workflow_inbox WHERE workflow_id = $1 ORDER BY id LIMIT $2";
        let select = Statement::new(sql).bind(facts.id.as_ref()).bind(PAGE);
        let rows = self.instance.store().read(select).await?;
        rows.iter()
            .map(|row| {
                let event = self.opened(&facts.id, row.text("event")?, &facts.sensitive)?;
                let stored: Stored =
                    serde_json::from_str(&event).or(Err(StoreError::Column("event")))?;
                Ok(Waiting {
                    id: row.text("id")?.to_owned(),
                    event: stored.event(),
                })
            })
            .collect()
    }

    /// Puts an event into a run's inbox.
    pub(super) fn post(&self, id: &str, event: &Event) -> Option<Statement> {
        self.post_closed(id, event, &Sensitive::default())
    }

    /// The same, for an event that may hold what a run must not show.
    pub(super) fn post_closed(
        &self,
        id: &str,
        event: &Event,
        sensitive: &Sensitive,
    ) -> Option<Statement> {
        let stored = serde_json::to_string(&Stored::of(event)?).ok()?;
        let stored = self.closed(id, stored, sensitive);
        let sql = "INSERT INTO workflow_inbox (id, workflow_id, event, at) \
                   SELECT $1, id, $3, $4 FROM workflows WHERE id = $2 AND finished_at IS NULL";
        let insert = Statement::new(sql)
            .bind(uuid::Uuid::now_v7().to_string())
            .bind(id)
            .bind(stored)
            .bind(micros(self.now()));
        Some(insert)
    }
}

/// Takes a row out, in the commit that takes its event in.
pub(super) fn taken(id: &str) -> Statement {
    Statement::new("DELETE FROM workflow_inbox WHERE id = $1").bind(id)
}

impl Stored {
    /// `None` for events that are made anew whenever they are needed.
    fn of(event: &Event) -> Option<Self> {
        Some(match event.clone() {
            Event::Started => Self::Started,
            Event::Outcome {
                path,
                attempt,
                outcome,
            } => Self::of_outcome(path, attempt, outcome),
            Event::Accepted {
                path,
                attempt,
                handle,
            } => Self::Accepted(path, attempt, handle),
            Event::Received { path, event } => Self::Received(path, event),
            Event::Child {
                path,
                attempt,
                outcome,
            } => match outcome {
                ChildOutcome::Completed(output) => Self::ChildCompleted(path, attempt, output),
                ChildOutcome::Faulted(problem) => Self::ChildFaulted(path, attempt, problem),
                ChildOutcome::Cancelled => Self::ChildCancelled(path, attempt),
            },
            Event::Locked { path } => Self::Locked(path),
            Event::LockRefused { path, holder } => Self::LockRefused(path, holder),
            Event::Decided {
                path,
                attempt,
                vote,
            } => Self::Decided(path, attempt, vote),
            Event::Available { path } => Self::Available(path),
            Event::Control(control) => Self::of_control(control),
            Event::Fired { .. } | Event::Recover { .. } => return None,
        })
    }

    fn of_outcome(path: TaskPath, attempt: u32, outcome: Outcome) -> Self {
        match outcome {
            Outcome::Completed(output) => Self::Completed(path, attempt, output),
            Outcome::Failed(failure) => Self::Failed(
                path,
                attempt,
                StoredFailure {
                    problem: failure.problem,
                    ran: failure.ran,
                    transient: failure.transient,
                    retry_after_ms: failure
                        .retry_after
                        .map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
                },
            ),
            Outcome::Unknown { detail } => Self::Unknown(path, attempt, detail),
            Outcome::Parked { detail } => Self::Parked(path, attempt, detail),
            Outcome::ApprovalNeeded { request } => Self::ApprovalNeeded(path, attempt, request),
        }
    }

    fn of_control(control: Control) -> Self {
        match control {
            Control::Pause(reason) => Self::Pause(reason),
            Control::Resume(reason) => Self::Resume(reason),
            Control::Cancel(reason) => Self::Cancel(reason),
            Control::Kill(reason) => Self::Kill(reason),
            Control::Resolve {
                path,
                resolution,
                reason,
            } => match resolution {
                Resolution::ItRan(output) => Self::ItRan(path, output, reason),
                Resolution::Retry => Self::Retry(path, reason),
                Resolution::Skip(output) => Self::Skip(path, output, reason),
                Resolution::Fail => Self::Fail(path, reason),
            },
        }
    }

    fn event(self) -> Event {
        let outcome = |path, attempt, outcome| Event::Outcome {
            path,
            attempt,
            outcome,
        };
        let child = |path, attempt, outcome| Event::Child {
            path,
            attempt,
            outcome,
        };
        let resolve = |path, resolution, reason| {
            Event::Control(Control::Resolve {
                path,
                resolution,
                reason,
            })
        };
        match self {
            Self::Started => Event::Started,
            Self::Completed(path, attempt, output) => {
                outcome(path, attempt, Outcome::Completed(output))
            }
            Self::Failed(path, attempt, failure) => {
                outcome(path, attempt, Outcome::Failed(failure.failure()))
            }
            Self::Unknown(path, attempt, detail) => {
                outcome(path, attempt, Outcome::Unknown { detail })
            }
            Self::Parked(path, attempt, detail) => {
                outcome(path, attempt, Outcome::Parked { detail })
            }
            Self::ApprovalNeeded(path, attempt, request) => {
                outcome(path, attempt, Outcome::ApprovalNeeded { request })
            }
            Self::Accepted(path, attempt, handle) => Event::Accepted {
                path,
                attempt,
                handle,
            },
            Self::Received(path, event) => Event::Received { path, event },
            Self::ChildCompleted(path, attempt, output) => {
                child(path, attempt, ChildOutcome::Completed(output))
            }
            Self::ChildFaulted(path, attempt, problem) => {
                child(path, attempt, ChildOutcome::Faulted(problem))
            }
            Self::ChildCancelled(path, attempt) => child(path, attempt, ChildOutcome::Cancelled),
            Self::Locked(path) => Event::Locked { path },
            Self::LockRefused(path, holder) => Event::LockRefused { path, holder },
            Self::Decided(path, attempt, vote) => Event::Decided {
                path,
                attempt,
                vote,
            },
            Self::Available(path) => Event::Available { path },
            Self::Pause(reason) => Event::Control(Control::Pause(reason)),
            Self::Resume(reason) => Event::Control(Control::Resume(reason)),
            Self::Cancel(reason) => Event::Control(Control::Cancel(reason)),
            Self::Kill(reason) => Event::Control(Control::Kill(reason)),
            Self::ItRan(path, output, reason) => resolve(path, Resolution::ItRan(output), reason),
            Self::Retry(path, reason) => resolve(path, Resolution::Retry, reason),
            Self::Skip(path, output, reason) => resolve(path, Resolution::Skip(output), reason),
            Self::Fail(path, reason) => resolve(path, Resolution::Fail, reason),
        }
    }
}

impl StoredFailure {
    fn failure(self) -> Failure {
        Failure {
            problem: self.problem,
            ran: self.ran,
            transient: self.transient,
            retry_after: self.retry_after_ms.map(Duration::from_millis),
        }
    }
}
