//! Lines of history: what a run did, for people, audit, and the standard's lifecycle events.

use super::path::TaskPath;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// One line of history.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Counts from 1 without gaps.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The step, or the run.
    pub path: TaskPath,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The run began, with this input.
    RunStarted(Arc<Value>),
    /// Nothing new begins.
    RunPaused(super::Reason),
    /// It goes on.
    RunResumed(super::Reason),
    /// It is being cancelled.
    RunCancelling(super::Reason),
    /// It failed and is being wound up.
    RunFaulting(super::Problem),
    /// The run ended.
    RunEnded(super::Ending),
    /// The driver took it up again.
    RunRecovered {
        /// Under which epoch.
        epoch: u64,
    },
    /// It goes on with a newer definition.
    RunAdopted {
        /// Digest of the older one.
        from: String,
        /// Digest of the newer one.
        to: String,
    },
    /// The history nears its limit.
    RunLong {
        /// Lines so far.
        events: u64,
    },
    /// A task began, with this input.
    Started {
        /// Keyword of its kind.
        kind: &'static str,
        /// Its input.
        input: Arc<Value>,
    },
    /// A task was not run: its condition does not hold.
    Skipped,
    /// A task is done, with this output.
    Completed {
        /// Its output.
        output: Arc<Value>,
    },
    /// A task failed.
    Faulted(super::Problem),
    /// A task was dropped.
    Cancelled,
    /// An attempt at a call was decided on.
    Dispatched {
        /// Its number.
        attempt: u32,
        /// Its key.
        key: String,
        /// Why.
        purpose: super::Purpose,
        /// What is called.
        call: Arc<super::Invocation>,
    },
    /// The other side took the call on.
    Accepted {
        /// Its number.
        attempt: u32,
        /// The handle.
        handle: String,
    },
    /// An attempt ended without success.
    AttemptFailed {
        /// Its number.
        attempt: u32,
        /// Why.
        problem: super::Problem,
    },
    /// It will be tried again then.
    RetryAt {
        /// When.
        at: Timestamp,
    },
    /// The breaker is open.
    Parked {
        /// For a person.
        detail: String,
    },
    /// Nobody knows what became of an attempt.
    Unknown {
        /// Its number.
        attempt: u32,
        /// For a person.
        detail: String,
    },
    /// The step stands on an operator.
    Suspended(super::Suspended),
    /// An operator decided about it.
    Resolved {
        /// `it_ran`, `retry`, `skip` or `fail`.
        how: &'static str,
        /// Who and why.
        reason: super::Reason,
    },
    /// People are asked.
    ApprovalRequested {
        /// The request.
        attempt: u32,
        /// What votes are bound to.
        digest: String,
    },
    /// Somebody voted; `refused` says why it does not count.
    Voted {
        /// What they said.
        vote: super::Vote,
        /// Why it does not count; `None` when it does.
        refused: Option<&'static str>,
    },
    /// People agreed.
    Approved {
        /// Who.
        by: Vec<String>,
    },
    /// They did not, or not in time.
    Denied {
        /// For a person.
        why: String,
    },
    /// Locks are waited for.
    Queued {
        /// The keys.
        keys: Vec<String>,
    },
    /// Locks are held.
    Held {
        /// The keys.
        keys: Vec<String>,
    },
    /// A `CloudEvent` was taken.
    Received {
        /// Its id.
        id: String,
    },
    /// A `CloudEvent` was published.
    Emitted {
        /// Its id.
        id: String,
    },
    /// Another run was started.
    Spawned {
        /// Its key.
        key: String,
    },
    /// The output of an earlier run was taken over.
    Reused {
        /// The output.
        output: Arc<Value>,
    },
    /// What this step did will be taken back if the run fails.
    Registered {
        /// Key of the compensation.
        key: String,
    },
    /// What this step did was taken back.
    Undone {
        /// Key of the compensation.
        key: String,
    },
}

impl What {
    /// Its name in stores, logs and streams.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RunStarted(_) => "run_started",
            Self::RunPaused(_) => "run_paused",
            Self::RunResumed(_) => "run_resumed",
            Self::RunCancelling(_) => "run_cancelling",
            Self::RunFaulting(_) => "run_faulting",
            Self::RunEnded(_) => "run_ended",
            Self::RunRecovered { .. } => "run_recovered",
            Self::RunAdopted { .. } => "run_adopted",
            Self::RunLong { .. } => "run_long",
            Self::Started { .. } => "started",
            Self::Skipped => "skipped",
            Self::Completed { .. } => "completed",
            Self::Faulted(_) => "faulted",
            Self::Cancelled => "cancelled",
            Self::Dispatched { .. } => "dispatched",
            Self::Accepted { .. } => "accepted",
            Self::AttemptFailed { .. } => "attempt_failed",
            Self::RetryAt { .. } => "retry_at",
            Self::Parked { .. } => "parked",
            Self::Unknown { .. } => "unknown",
            Self::Suspended(_) => "suspended",
            Self::Resolved { .. } => "resolved",
            Self::ApprovalRequested { .. } => "approval_requested",
            Self::Voted { .. } => "voted",
            Self::Approved { .. } => "approved",
            Self::Denied { .. } => "denied",
            Self::Queued { .. } => "queued",
            Self::Held { .. } => "held",
            Self::Received { .. } => "received",
            Self::Emitted { .. } => "emitted",
            Self::Spawned { .. } => "spawned",
            Self::Reused { .. } => "reused",
            Self::Registered { .. } => "registered",
            Self::Undone { .. } => "undone",
        }
    }
}
