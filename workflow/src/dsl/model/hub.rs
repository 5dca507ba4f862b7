//! What stands under `metadata.hub`: what the standard lacks.
//!
//! Keys that are not known are complaints when the document is read.

use super::data::Length;
use serde_json::{Map, Value};

/// `document.metadata.hub`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WorkflowHub {
    /// Search attributes by name, as templates over the input.
    pub index: Map<String, Value>,
    /// Locks held for the whole run.
    pub lock: Option<Lock>,
    /// What an uncaught error does.
    pub on_failure: OnFailure,
    /// Permissions the workflow may use of its starter's; `None` is all of them.
    pub grant: Option<Vec<String>>,
}

/// What an uncaught error does to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Exhausted retries suspend the run and tell about it.
    #[default]
    Suspend,
    /// The run fails.
    Fail,
}

/// `metadata.hub` of a task.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Hub {
    /// Only on `for`: items at the same time; `None` is one after the other.
    pub parallel: Option<Parallel>,
    /// Overrides the effect of the tool; `None` takes the tool's.
    pub effect: Option<Effect>,
    /// Asks whether a lost call took place.
    pub verify: Option<Verify>,
    /// Takes the effect back when the run fails or is cancelled.
    pub compensate: Option<Compensation>,
    /// Locks held while the task runs.
    pub lock: Option<Lock>,
    /// Search attributes by name, as templates over the task's output.
    pub index: Map<String, Value>,
    /// Timeouts the standard has no word for.
    pub timeouts: Timeouts,
    /// A decision by people before the task runs.
    pub approval: Option<Approval>,
    /// Factor of exponential backoff in thousandths (2000 doubles); `None` is 2000.
    pub backoff_factor: Option<u32>,
    /// Longest wait between attempts; `None` is 100 times the first.
    pub max_delay: Option<Length>,
    /// What an uncaught error of this task does; `None` is the workflow's.
    pub on_failure: Option<OnFailure>,
}

/// Items of a `for` at the same time. Results keep the order of the items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parallel {
    /// Items at once, 1 to 1000.
    pub concurrency: u32,
    /// Whether the first failure stops what has not begun.
    pub fail_fast: bool,
    /// Failures that are put up with.
    pub tolerance: Tolerance,
}

/// Failures a `for` puts up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// At most so many.
    Count(u32),
    /// At most so many of a hundred, 0 to 100.
    Percent(u8),
}

/// What a lost answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing: ask again.
    Read,
    /// The same key has the same effect: send again.
    Idempotent,
    /// May have happened: never sent again by itself.
    Once,
}

/// A call that asks whether a lost call took place.
#[derive(Debug, Clone, PartialEq)]
pub struct Verify {
    /// Tool.
    pub call: String,
    /// Its arguments, as a template.
    pub with: Value,
    /// Expression over its answer: true if it took place; `None` is `.`.
    pub holds: Option<super::Expression>,
}

/// A call that takes an effect back.
#[derive(Debug, Clone, PartialEq)]
pub struct Compensation {
    /// Tool.
    pub call: String,
    /// Its arguments, as a template over the input of the task, with `$output`.
    pub with: Value,
}

/// Keyed locks, taken in sorted order.
#[derive(Debug, Clone, PartialEq)]
pub struct Lock {
    /// Keys: texts or `${ }` expressions.
    pub keys: Vec<String>,
    /// What happens when one is held.
    pub conflict: Conflict,
}

/// What happens when a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Conflict {
    /// Waits in line.
    #[default]
    Queue,
    /// Fails.
    Reject,
    /// The holder's run is cancelled.
    CancelOld,
}

/// Timeouts of a call; `None` leaves it to the settings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Timeouts {
    /// Longest time before it is sent.
    pub queue: Option<Length>,
    /// Longest silence while it runs.
    pub heartbeat: Option<Length>,
}

/// A decision by people. No decision in time is a refusal.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    /// Any one that is met decides; never empty.
    pub thresholds: Vec<Threshold>,
    /// Whether the starter may decide.
    pub self_approval: bool,
    /// Whether a decision needs a reason.
    pub reason_required: bool,
    /// What is asked: a text or a `${ }` expression.
    pub message: Option<String>,
    /// JSON Schema of the form to fill in; `None` asks for yes or no.
    pub form: Option<Value>,
    /// Time to decide; `None` leaves it to the settings.
    pub expires: Option<Length>,
}

/// How many must agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threshold {
    /// Approvals needed, at least 1.
    pub approve: u32,
    /// Refusals that end it, at least 1.
    pub deny: u32,
    /// Only members of this group count; `None` counts all who may decide.
    pub group: Option<String>,
}
