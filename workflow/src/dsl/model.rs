//! The typed model: a document that was read and found right, and its tasks.
//!
//! References into `use` (errors, retries, timeouts) are already replaced by what they name; functions
//! stay by name. Values hold their runtime expressions as written.

mod calls;
mod data;
mod events;
mod failure;
mod hub;

pub use calls::{Call, Endpoint, Http, Mcp, OpenApi, Output, Process, Return};
pub use data::{Expression, Length, Schema, Transform, Uri, Validated};
pub use events::{Consumption, Correlation, Filter, Iteration, Listen, Read, Until};
pub use failure::{Backoff, Catch, ErrorFilter, Fault, Jitter, Limit, Retry};
pub use hub::{
    Approval, Compensation, Conflict, Effect, Hub, Lock, OnFailure, Parallel, Threshold, Timeouts,
    Tolerance, Verify, WorkflowHub,
};

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Tasks in the order they stand in, with their names.
pub type Tasks = Vec<(String, Task)>;

/// A document that may run.
#[derive(Debug, Clone)]
pub struct Definition {
    /// The text as it was given.
    pub source: String,
    /// The text as JSON.
    pub json: Arc<Value>,
    /// `sha256:` and 64 hex digits over the canonical JSON (RFC 8785): equal for YAML and JSON.
    pub digest: String,
    /// Who it is.
    pub document: Document,
    /// How templates are taken.
    pub mode: Mode,
    /// What is done with the input before the first task.
    pub input: Option<Validated>,
    /// What is done with the output of the last task.
    pub output: Option<Validated>,
    /// Longest life of a run; `None` leaves it to the settings.
    pub timeout: Option<Length>,
    /// When it starts by itself; `None` starts on request only.
    pub schedule: Option<Schedule>,
    /// Reusable parts.
    pub uses: Use,
    /// The tasks; never empty.
    pub tasks: Tasks,
    /// `document.metadata.hub`.
    pub hub: WorkflowHub,
    /// Tools called, by id, as the catalogue knew them when the document was read.
    pub tools: BTreeMap<String, Pin>,
}

/// Who a document is.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Version of the language, such as `1.0.3`.
    pub dsl: String,
    /// Namespace, a DNS label.
    pub namespace: String,
    /// Name, a DNS label.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// Title for people.
    pub title: Option<String>,
    /// Markdown for people.
    pub summary: Option<String>,
    /// Tags, as written.
    pub tags: Map<String, Value>,
}

/// How strings in templates are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Only `${ … }` is evaluated.
    #[default]
    Strict,
    /// Every string is tried; one that is no expression stays as it is.
    Loose,
}

/// A tool as it was when the document was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Pin {
    /// `sha256:` and 64 hex digits over the canonical input schema.
    pub schema_digest: String,
    /// Its effect.
    pub effect: Effect,
    /// The tool that can tell whether a call took place.
    pub verify: Option<String>,
}

/// When a workflow starts by itself. At least one field is set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schedule {
    /// Every so often.
    pub every: Option<Length>,
    /// Cron expression of five or six fields.
    pub cron: Option<String>,
    /// So long after the end of the last run.
    pub after: Option<Length>,
    /// Whenever these events were seen; they are the input, as an array.
    pub on: Option<Consumption>,
    /// IANA time zone of `cron` (`metadata.hub.schedule.timeZone`); `None` is UTC.
    pub time_zone: Option<String>,
    /// What happens when a run is due while one is open; `None` skips.
    pub overlap: Option<Overlap>,
    /// How late a missed start is still made up for; `None` leaves it to the settings.
    pub catch_up: Option<Length>,
    /// How far starts may be put off, so that not all schedules start at once; `None` leaves it to the
    /// settings.
    pub jitter: Option<Length>,
}

/// What happens when a run is due while one is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// The new one is not started.
    Skip,
    /// One waits.
    Queue,
    /// The open one is cancelled.
    CancelOld,
    /// Both run.
    Allow,
}

/// Reusable parts that are used by name at run time.
#[derive(Debug, Clone, Default)]
pub struct Use {
    /// Functions: their arguments become the input of the task.
    pub functions: BTreeMap<String, Arc<Task>>,
    /// Names of secrets in `$secrets`.
    pub secrets: Vec<String>,
    /// Authentication policies, as written.
    pub authentications: BTreeMap<String, Value>,
}

/// One task.
#[derive(Debug, Clone)]
pub struct Task {
    /// JSON pointer into the document.
    pub pointer: String,
    /// What every kind has.
    pub common: Common,
    /// What it does.
    pub kind: Kind,
}

/// What every kind of task has.
#[derive(Debug, Clone, Default)]
pub struct Common {
    /// Run only if true; `None` is always.
    pub if_: Option<Expression>,
    /// From raw input to input.
    pub input: Option<Validated>,
    /// From raw output to output.
    pub output: Option<Validated>,
    /// New `$context`.
    pub export: Option<Validated>,
    /// Longest time the task may take; `None` leaves it to the settings.
    pub timeout: Option<Length>,
    /// What comes next.
    pub then: Then,
    /// `metadata.hub`.
    pub hub: Hub,
}

/// What comes after a task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Then {
    /// The next in the list; after the last, the enclosing task is done.
    #[default]
    Continue,
    /// The enclosing task is done.
    Exit,
    /// The workflow is done.
    End,
    /// The task of this name in the same list.
    Task(String),
}

/// What a task does.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Calls a tool, a function or a foreign service.
    Call(Box<Call>),
    /// A list in sequence.
    Do(Tasks),
    /// Publishes an event: attributes of a `CloudEvent`, as a template.
    Emit(Value),
    /// A list for each item.
    For(For),
    /// Branches at the same time.
    Fork(Fork),
    /// Waits for events.
    Listen(Box<Listen>),
    /// Fails with an error.
    Raise(Fault),
    /// Another workflow, or a process by way of a tool.
    Run(Run),
    /// New output, as a template.
    Set(Value),
    /// The first case that holds says what comes next.
    Switch(Vec<Case>),
    /// A list, and what to do when it fails.
    Try(Box<Try>),
    /// Waits.
    Wait(Length),
}

impl Kind {
    /// Its keyword.
    #[must_use]
    pub fn keyword(&self) -> &'static str {
        match self {
            Self::Call(_) => "call",
            Self::Do(_) => "do",
            Self::Emit(_) => "emit",
            Self::For(_) => "for",
            Self::Fork(_) => "fork",
            Self::Listen(_) => "listen",
            Self::Raise(_) => "raise",
            Self::Run(_) => "run",
            Self::Set(_) => "set",
            Self::Switch(_) => "switch",
            Self::Try(_) => "try",
            Self::Wait(_) => "wait",
        }
    }
}

/// A list for each item. Runs in sequence unless [`Hub::parallel`] is set.
#[derive(Debug, Clone)]
pub struct For {
    /// Variable of the item, without `$`.
    pub each: String,
    /// Variable of the index, without `$`.
    pub at: String,
    /// The items.
    pub in_: Expression,
    /// Goes on as long as this holds; `None` is always.
    pub while_: Option<Expression>,
    /// What is done.
    pub tasks: Tasks,
}

/// Branches at the same time.
#[derive(Debug, Clone)]
pub struct Fork {
    /// One task each.
    pub branches: Tasks,
    /// Whether the first that ends is the only one that counts.
    pub compete: bool,
}

/// Another workflow, or a process by way of a tool.
#[derive(Debug, Clone)]
pub enum Run {
    /// Another workflow.
    Workflow {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its version, or `latest`.
        version: String,
        /// Its input, as a template; `None` hands on the input of the task.
        input: Option<Value>,
        /// Whether its end is waited for.
        wait: bool,
    },
    /// A process, started by the tool the catalogue names.
    Process(Box<Process>),
}

/// One case of a `switch`.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// Condition; `None` always holds.
    pub when: Option<Expression>,
    /// What comes next.
    pub then: Then,
}

/// A list, and what to do when it fails.
#[derive(Debug, Clone)]
pub struct Try {
    /// The list.
    pub tasks: Tasks,
    /// What is caught and how.
    pub catch: Catch,
}

impl Definition {
    /// `namespace/name`, what versions of one workflow share.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.document.namespace, self.document.name)
    }

    /// The JSON a pointer such as [`Task::pointer`] leads to.
    #[must_use]
    pub fn raw(&self, pointer: &str) -> Option<&Value> {
        self.json.pointer(pointer)
    }
}
