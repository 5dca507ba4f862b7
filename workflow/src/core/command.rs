//! What a run wants done. The driver stores the run and its commands in one transaction and acts on
//! them only after that; each may be acted on twice, so each has an identity.

use super::entry::Entry;
use super::event::TimerKind;
use super::path::TaskPath;
use super::problem::Problem;
use crate::dsl::model::{Conflict, Effect, Threshold};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What a run wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Call something. The answer is [`super::Event::Outcome`].
    Invoke(Box<Invoke>),
    /// Ask what became of a call that was accepted. The answer is [`super::Event::Outcome`].
    Poll {
        /// The step.
        path: TaskPath,
        /// Its attempt.
        attempt: u32,
        /// What the other side gave.
        handle: String,
        /// What was called.
        call: Arc<Invocation>,
    },
    /// Tell the other side that nobody waits any more. An outcome that still comes is welcome.
    CancelInvoke {
        /// The step.
        path: TaskPath,
        /// Its attempt.
        attempt: u32,
        /// The handle, when the call was accepted.
        handle: Option<String>,
    },
    /// Fire then; replaces an earlier timer of the same path and kind.
    Timer {
        /// Whose.
        path: TaskPath,
        /// Which.
        timer: TimerKind,
        /// When.
        at: Timestamp,
    },
    /// Forget a timer, in the same transaction.
    StopTimer {
        /// Whose.
        path: TaskPath,
        /// Which.
        timer: TimerKind,
    },
    /// Hand on events of these types; `None` in the list is every type. More than asked for is fine.
    Await {
        /// The `listen` task.
        path: TaskPath,
        /// Literal `type`s to choose by.
        types: Vec<Option<String>>,
    },
    /// No more events.
    StopAwait {
        /// The `listen` task.
        path: TaskPath,
    },
    /// Ask people. Votes come as [`super::Event::Decided`]; the expiry is a timer of the run.
    Approve(Box<Request>),
    /// The question is settled or gone.
    Withdraw {
        /// The step.
        path: TaskPath,
        /// The request.
        attempt: u32,
    },
    /// Start another run, once per key. Its end is [`super::Event::Child`] when `wait` is set.
    Spawn(Box<Spawn>),
    /// Cancel a child.
    CancelChild {
        /// The `run` task.
        path: TaskPath,
        /// Its attempt.
        attempt: u32,
    },
    /// Take all keys or none, in line. The answer is [`super::Event::Locked`].
    Lock {
        /// Who asks.
        path: TaskPath,
        /// Sorted, without doubles.
        keys: Vec<String>,
        /// What happens when one is held.
        conflict: Conflict,
    },
    /// Give back all keys of this path, held or waited for.
    Unlock {
        /// Who asked.
        path: TaskPath,
        /// The keys.
        keys: Vec<String>,
    },
    /// Publish an event, once per its `id`.
    Emit {
        /// The step.
        path: TaskPath,
        /// A `CloudEvent`, complete.
        event: Value,
    },
    /// Tell people that the run needs them.
    Notify {
        /// The step.
        path: TaskPath,
        /// What it stands on.
        why: Suspended,
        /// What went wrong; `None` for an outcome nobody knows.
        problem: Option<Problem>,
    },
    /// A line of history.
    Journal(Entry),
    /// Search attributes that are new or changed.
    Index(BTreeMap<String, Value>),
    /// The run is over: always the last command.
    Finish(Ending),
}

/// One attempt at a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Invoke {
    /// The step.
    pub path: TaskPath,
    /// Counts up over all visits of the step.
    pub attempt: u32,
    /// The same key has the same effect.
    pub key: String,
    /// What is called.
    pub call: Arc<Invocation>,
    /// What a lost answer means.
    pub effect: Effect,
    /// Why.
    pub purpose: Purpose,
    /// Limits of this attempt; the driver holds them and reports what was exceeded as an outcome.
    pub timeouts: AttemptTimeouts,
    /// The approval under which it runs; `None` when nobody was asked.
    pub approval: Option<Granted>,
}

/// Why something is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// It is the step.
    Step,
    /// Asks whether a lost attempt of the step took place.
    Verify,
    /// Takes the effect of the step back.
    Undo,
}

/// Limits of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptTimeouts {
    /// Before it is sent.
    pub queue: Duration,
    /// From sending to the answer.
    pub run: Duration,
    /// Silence, once progress was reported.
    pub heartbeat: Duration,
}

/// An approval a call runs under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// Id the driver gave with `ApprovalNeeded`; `None` when the workflow itself asked.
    pub request: Option<String>,
    /// Digest of what was decided about; equals the digest of this call, or it would not be sent.
    pub digest: String,
    /// Who approved.
    pub by: Vec<String>,
}

/// What is called, with everything evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invocation {
    /// What.
    pub target: Target,
    /// With what: for a tool its arguments; otherwise the fields of the standard's `with`, addresses
    /// resolved.
    pub with: Value,
}

/// What can be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A tool of the hub.
    Tool {
        /// Full id.
        id: String,
        /// The version it must have; `None` takes any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// An HTTP request: `method endpoint authentication headers query body output redirect`.
    Http,
    /// An operation: `document operation parameters authentication output redirect`.
    OpenApi,
    /// A method of a registered MCP server: `method parameters endpoint`.
    Mcp,
}

/// A question to people.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The step.
    pub path: TaskPath,
    /// The request, unique with the path.
    pub attempt: u32,
    /// What it is about.
    pub subject: Subject,
    /// Binds the votes: over the subject.
    pub digest: String,
    /// Any one that is met decides.
    pub thresholds: Vec<Threshold>,
    /// Whether the starter may decide.
    pub self_approval: bool,
    /// Whether a vote needs a reason.
    pub reason_required: bool,
    /// What is asked.
    pub message: Option<String>,
    /// JSON Schema of the form.
    pub form: Option<Value>,
    /// No decision by then is a refusal.
    pub expires: Timestamp,
}

/// What people are asked about.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// This call, exactly.
    Call(Arc<Invocation>),
    /// Whether to go on, with this as input.
    Step(Arc<Value>),
}

/// Another run to start.
#[derive(Debug, Clone, PartialEq)]
pub struct Spawn {
    /// The `run` task.
    pub path: TaskPath,
    /// Its attempt.
    pub attempt: u32,
    /// The same key starts the same run.
    pub key: String,
    /// Namespace of the definition.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Version, or `latest`.
    pub version: String,
    /// Input.
    pub input: Arc<Value>,
    /// Whether the parent waits for its end.
    pub wait: bool,
    /// How deep the child is; the first run has 0.
    pub depth: u32,
}

/// Why a step stands on an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suspended {
    /// Nobody knows whether it took place.
    Unknown,
    /// It failed as often as it may.
    Exhausted,
    /// Its compensation failed.
    Compensation,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With this output.
    Completed(Arc<Value>),
    /// With this error.
    Faulted(Problem),
    /// By an operator, after compensation.
    Cancelled(super::event::Reason),
    /// By an operator, without.
    Killed(super::event::Reason),
}
