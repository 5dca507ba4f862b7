//! What can happen to a run. Time comes in with every event and from nowhere else.

use super::path::TaskPath;
use super::problem::Problem;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// An event and when it happened. A moment earlier than one seen before counts as that one: a clock
/// that is set back does not move a run back.
#[derive(Debug, Clone, PartialEq)]
pub struct Stamped {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}

/// What can happen to a run. One that fits nothing the run waits for (a stale answer, a timer that
/// was stopped) changes nothing and gives no commands.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The first event of every run; more of them change nothing.
    Started,
    /// An attempt of [`super::Command::Invoke`] ended.
    Outcome {
        /// The step.
        path: TaskPath,
        /// Its attempt.
        attempt: u32,
        /// How.
        outcome: Outcome,
    },
    /// The other side took the call on and gave a handle to ask with.
    Accepted {
        /// The step.
        path: TaskPath,
        /// Its attempt.
        attempt: u32,
        /// What [`super::Command::Poll`] asks with.
        handle: String,
    },
    /// A timer ran out.
    Fired {
        /// Whose.
        path: TaskPath,
        /// Which.
        timer: TimerKind,
    },
    /// A `CloudEvent` that may be of interest to a `listen`; the run judges by its filters.
    Received {
        /// The `listen` task.
        path: TaskPath,
        /// The event with all its attributes.
        event: Arc<Value>,
    },
    /// A run started by [`super::Command::Spawn`] ended.
    Child {
        /// The `run` task.
        path: TaskPath,
        /// Its attempt.
        attempt: u32,
        /// How.
        outcome: ChildOutcome,
    },
    /// All keys of a [`super::Command::Lock`] are held now.
    Locked {
        /// Who holds them.
        path: TaskPath,
    },
    /// A lock with `onConflict: reject` was held by another.
    LockRefused {
        /// Who asked.
        path: TaskPath,
        /// The run that holds it.
        holder: String,
    },
    /// A person said something about a [`super::Command::Approve`].
    Decided {
        /// The step.
        path: TaskPath,
        /// The request.
        attempt: u32,
        /// What they said.
        vote: Vote,
    },
    /// The breaker in front of a parked step closed. Parked steps also look by themselves, see
    /// [`super::Limits::probe`].
    Available {
        /// The step.
        path: TaskPath,
    },
    /// An operator, or the parent run.
    Control(Control),
    /// The driver starts anew, or has taken the run over from another hub: what was in flight under an
    /// earlier epoch is an orphan.
    Recover {
        /// Larger than every earlier one.
        epoch: u64,
    },
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It worked.
    Completed(Arc<Value>),
    /// It failed, and that is certain.
    Failed(Failure),
    /// It was sent and nobody knows what became of it.
    Unknown {
        /// For a person.
        detail: String,
    },
    /// The breaker is open: nothing was sent.
    Parked {
        /// For a person.
        detail: String,
    },
    /// Policy wants people to decide first: nothing was sent. The decision comes as
    /// [`Event::Decided`]; `request` goes back with the next attempt.
    ApprovalNeeded {
        /// Id of the request the driver opened.
        request: String,
    },
}

/// A failure that is certain.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What went wrong.
    pub problem: Problem,
    /// `false` when it is certain that nothing took place, so that even a `once` step may try again.
    pub ran: bool,
    /// Whether trying again may help: the other side was away, slow, or overloaded.
    pub transient: bool,
    /// The other side's own wish when to come back.
    pub retry_after: Option<Duration>,
}

/// How a child run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum ChildOutcome {
    /// With this output.
    Completed(Arc<Value>),
    /// With this error.
    Faulted(Problem),
    /// Cancelled or killed.
    Cancelled,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerKind {
    /// A `wait` is over.
    Wait,
    /// A task, or the run, took too long.
    Timeout,
    /// The wait before the next attempt, or the next turn of a `try`, is over.
    Retry,
    /// A parked step looks whether the breaker has closed.
    Probe,
    /// Nobody decided in time.
    Approval,
    /// Attempts that were cancelled had their time to answer.
    Grace,
    /// Compensation took too long.
    Budget,
    /// The run goes on with pure steps it put off, so that others get their turn.
    Yield,
}

impl TimerKind {
    /// Its name in stores and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Timeout => "timeout",
            Self::Retry => "retry",
            Self::Probe => "probe",
            Self::Approval => "approval",
            Self::Grace => "grace",
            Self::Budget => "budget",
            Self::Yield => "yield",
        }
    }

    /// The kind with this name; `None` when there is none.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Wait,
            Self::Timeout,
            Self::Retry,
            Self::Probe,
            Self::Approval,
            Self::Grace,
            Self::Budget,
            Self::Yield,
        ]
        .into_iter()
        .find(|kind| kind.name() == name)
    }
}

/// What one person said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who. One person counts once per request; the first word stands.
    pub by: String,
    /// Groups they are in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// What.
    pub verdict: Verdict,
    /// Why; `None` when they gave no reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Digest of what they saw; a vote on something else does not count. `None` for requests the driver
    /// opened, whose binding is the driver's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The form they filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Value>,
}

/// For or against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Go.
    Approve,
    /// Do not.
    Deny,
    /// The request died without a decision (expired, withdrawn). Only the driver says this.
    Lapsed,
}

/// What operators do to a run. Who may is the driver's business.
#[derive(Debug, Clone, PartialEq)]
pub enum Control {
    /// Nothing new begins; what is in flight goes on; timers go on.
    Pause(Reason),
    /// Undoes a pause.
    Resume(Reason),
    /// Stops, then compensates.
    Cancel(Reason),
    /// Stops, and nothing more.
    Kill(Reason),
    /// Decides about one step that waits for an operator.
    Resolve {
        /// The step.
        path: TaskPath,
        /// How it goes on.
        resolution: Resolution,
        /// Who and why.
        reason: Reason,
    },
}

/// Who did something and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
}

/// How a step goes on that stands on an operator, waits for a retry, or is parked.
#[derive(Debug, Clone, PartialEq)]
pub enum Resolution {
    /// It took place, with this output. For unknown steps.
    ItRan(Arc<Value>),
    /// It did not: try again, with a new key. Also: retry a failed step now.
    Retry,
    /// Go on as if it had given this output.
    Skip(Arc<Value>),
    /// The step fails; the author's `catch` may still take it.
    Fail,
}
