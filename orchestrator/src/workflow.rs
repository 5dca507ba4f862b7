//! Durable workflows: the embedded driver around the pure core of the crate `workflow`.
//!
//! A run moves on by transitions. Each is one commit that holds the new state, the history, timers,
//! locks, questions and everything the transition asks for; only after that commit is anything sent. A
//! killed hub therefore loses nothing, and what was in flight is known by its rows. Every step goes
//! through the gateway like any other call, as the starter of the run as it stands at that moment. What a
//! document means, how a run goes on, retries and compensation are the core's matter and not decided here.

mod adopt;
mod answers;
mod await_rows;
mod changes;
mod checkpoints;
mod children;
mod commit;
pub mod cron;
mod definitions;
mod found_out;
mod history;
mod hooks;
mod house;
mod inbox;
mod invoke;
mod lifecycle;
mod locks;
mod mailbox;
mod operations;
mod outside;
mod people;
mod recovery;
mod rows;
mod runner;
mod schedules;
mod sensitive;
mod show;
mod start;
mod step_rows;
mod timers;
mod watch;

pub use adopt::{AdoptRequest, Adopted};
pub use changes::{Changed, Listener};
pub use definitions::DefinitionView;
pub use history::{HistoryEntry, Reader};
pub use hooks::Hook;
pub use lifecycle::{cloud_event, event_type};
pub use operations::{Order, StepResolution};
pub use outside::Outside;
pub use rows::{ListRuns, RunRow};
pub use show::StepView;
pub use start::{StartRequest, Started};

use crate::gateway::Gateway;
use crate::keys::Seal;
use crate::store::StoreError;
use crate::store::instance::Instance;
use changes::Changes;
use definitions::Definitions;
use mailbox::Mailboxes;
use shared::error::Code;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use timers::Timers;
use tokio::sync::{Notify, Semaphore};
use workflow::core::Limits;
use workflow::dsl::Complaint;
use workflow::expression::Expressions;

/// Bounds of the driver.
#[derive(Debug, Clone)]
pub struct WorkflowConfig {
    /// Calls of steps in flight at once.
    pub in_flight: usize,
    /// Bytes of a definition's text.
    pub definition_bytes: usize,
    /// Bytes of a run's input.
    pub input_bytes: usize,
    /// How long a run that is over is kept.
    pub keep: Duration,
    /// How many runs that are over are kept.
    pub keep_runs: u32,
    /// Limits of runs.
    pub limits: Limits,
}

impl Default for WorkflowConfig {
    fn default() -> Self {
        Self {
            in_flight: 256,
            definition_bytes: 1024 * 1024,
            input_bytes: 1024 * 1024,
            keep: Duration::from_hours(90 * 24),
            keep_runs: 100_000,
            limits: Limits::default(),
        }
    }
}

/// The workflows of one hub. Shared behind an `Arc`.
pub struct Workflows {
    gateway: Arc<Gateway>,
    instance: Instance,
    config: WorkflowConfig,
    definitions: Definitions,
    expressions: Arc<Expressions>,
    mailboxes: Mailboxes,
    timers: Timers,
    slots: Arc<Semaphore>,
    changes: Changes,
    /// A schedule is new, or goes on.
    schedules: Notify,
    outside: OnceLock<Outside>,
    seal: OnceLock<Seal>,
    hook: OnceLock<Hook>,
}

/// Why something was not done with a workflow.
#[derive(Debug, thiserror::Error)]
pub enum WorkflowError {
    /// The document is wrong; nothing was started.
    #[error("the workflow is wrong in {} places", .0.len())]
    Wrong(Vec<Complaint>),
    /// A service it calls has not been seen since the hub started; asking again may help.
    #[error("the tools of {0} are not known yet")]
    Unseen(Arc<str>),
    /// A field of the request breaks its rule.
    #[error("{field}: {rule}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// The rule.
        rule: String,
    },
    /// There is none of this id that the caller may see.
    #[error("there is no such workflow")]
    NotFound,
    /// The state of the run, or an earlier request with this key, does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// The caller may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// Too many requests wait for this run.
    #[error("too many requests wait for this run")]
    Overloaded,
    /// The hub is stopping.
    #[error("the hub is stopping")]
    Stopping,
    /// The store did not do its part.
    #[error("the workflow could not be kept")]
    Store(#[from] StoreError),
    /// The audit trail did not take the record.
    #[error("the workflow could not be recorded")]
    Audit(#[from] crate::audit::AuditError),
    /// Who it is for could not be looked up; asking again may help.
    #[error("the owner could not be looked up")]
    Owner(#[from] crate::auth::AuthError),
    /// A stored state or definition cannot be read by this build.
    #[error("the stored run cannot be read: {0}")]
    Unreadable(String),
}

impl WorkflowError {
    fn invalid(field: &'static str, rule: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            rule: rule.into(),
        }
    }

    /// The code shown to callers.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Wrong(_) => Code::ValidationFailed,
            Self::Invalid { .. } => Code::InvalidInput,
            Self::NotFound => Code::NotFound,
            Self::Conflict(_) => Code::Conflict,
            Self::Forbidden(_) => Code::InsufficientRights,
            Self::Unseen(_)
            | Self::Overloaded
            | Self::Stopping
            | Self::Store(_)
            | Self::Audit(_)
            | Self::Owner(_) => Code::ServiceUnavailable,
            Self::Unreadable(_) => Code::InternalError,
        }
    }
}

impl Workflows {
    /// Workflows that call through `gateway`. Nothing runs until [`Workflows::take_up`].
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, instance: Instance, config: WorkflowConfig) -> Arc<Self> {
        Arc::new(Self {
            definitions: Definitions::default(),
            expressions: Arc::default(),
            mailboxes: Mailboxes::default(),
            timers: Timers::default(),
            slots: Arc::new(Semaphore::new(config.in_flight)),
            changes: Changes::default(),
            schedules: Notify::new(),
            outside: OnceLock::new(),
            seal: OnceLock::new(),
            hook: OnceLock::new(),
            gateway,
            instance,
            config,
        })
    }

    /// Hears of a run whenever it goes on from now, on this hub. A slow listener misses some.
    #[must_use]
    pub fn changes(&self, id: &str) -> Listener {
        self.changes.of(id)
    }

    fn now(&self) -> jiff::Timestamp {
        self.gateway.clock.now()
    }
}
