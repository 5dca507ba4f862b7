//! What a run is between two events. It is stored as JSON with short names, because it is written with
//! every step.

use super::command::{Ending, Granted, Invocation, Suspended};
use super::event::{Reason, TimerKind, Vote};
use super::path::TaskPath;
use super::problem::Problem;
use super::settings::RunSettings;
use super::stored::{effect, then};
use crate::dsl::model::{Effect, Then};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Data on its way through tasks; shared, never changed.
pub(super) type Data = Arc<Value>;
/// Variables without `$`.
pub(super) type Vars = BTreeMap<String, Data>;

/// A run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct State {
    #[serde(rename = "interpreter_version")]
    pub(super) version: u32,
    pub(super) id: String,
    pub(super) digest: String,
    pub(super) settings: RunSettings,
    pub(super) input: Data,
    #[serde(default, skip_serializing_if = "is_null")]
    pub(super) context: Data,
    pub(super) started: Option<Timestamp>,
    pub(super) now: Timestamp,
    #[serde(default)]
    pub(super) epoch: u64,
    /// Lines of history so far.
    #[serde(default)]
    pub(super) events: u64,
    /// Largest attempt ever given out; what is entered again counts on from here.
    #[serde(default)]
    pub(super) high: u32,
    /// Last frame id given out.
    #[serde(default)]
    pub(super) serial: u32,
    /// Children and loop items so far.
    #[serde(default)]
    pub(super) children: u32,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) frames: BTreeMap<TaskPath, Frame>,
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub(super) queue: VecDeque<Work>,
    /// What will be taken back, last first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) undo: Vec<Undo>,
    /// Cancelled attempts that may still answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) draining: Vec<Draining>,
    /// Timers of the run itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) timers: BTreeMap<TimerKind, Timestamp>,
    /// Locks of the run itself; asked for when not empty and `locked` is unset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) locks: Vec<String>,
    #[serde(default)]
    pub(super) locked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) paused: Option<Reason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) winding: Option<Winding>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ending: Option<Ending>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<Timestamp>,
    /// Time spent waiting for people, and since when people are waited for now.
    #[serde(default)]
    pub(super) human_millis: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) human_since: Option<Timestamp>,
}

/// One task or list that has begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Frame {
    pub(super) id: u32,
    #[serde(rename = "i")]
    pub(super) input: Data,
    /// Raw input, when it differs.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(super) raw: Option<Data>,
    /// Variables for what is below.
    #[serde(rename = "v", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) vars: Vars,
    /// Attempts below count from here.
    #[serde(rename = "b", default)]
    pub(super) base: u32,
    #[serde(rename = "t")]
    pub(super) since: Timestamp,
    #[serde(rename = "d", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) timers: BTreeMap<TimerKind, Timestamp>,
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) locks: Vec<String>,
    #[serde(rename = "s")]
    pub(super) step: Step,
}

/// Where a frame stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// Waits for its locks.
    Locking,
    /// Waits for people before it begins.
    Asking(Asking),
    /// About to go on; work for it is in the queue.
    Ready,
    /// The same, and people have agreed.
    Approved,
    /// The same, and it does not take place: an operator gave its output.
    Skipped,
    /// A list; the task at this place is under way.
    List {
        at: usize,
    },
    /// Waits for its one list or function.
    Nest,
    Loop(Loop),
    Fork {
        left: Vec<usize>,
        outputs: BTreeMap<usize, Data>,
    },
    Try(Trying),
    Listen(Listening),
    Wait,
    Call(Box<Calling>),
    Child {
        attempt: u32,
        key: String,
    },
    /// Failed as often as it may; stands on an operator.
    Held(Problem),
}

impl State {
    /// The key of an attempt at a step.
    pub(super) fn key(&self, path: &TaskPath, attempt: u32) -> String {
        format!("{}:{path}#{attempt}", self.id)
    }

    /// The key of the present attempt of a call; `None` before the first.
    pub(super) fn key_of(&self, path: &TaskPath, calling: &Calling) -> Option<String> {
        match &calling.undo {
            _ if calling.attempt == 0 => None,
            None => Some(self.key(path, calling.attempt)),
            Some(key) if calling.attempt == calling.began => Some(key.clone()),
            Some(key) => Some(format!("{key}#{}", calling.attempt)),
        }
    }
}

impl Step {
    /// Whether people are waited for.
    pub(super) fn waits_for_people(&self) -> bool {
        match self {
            Self::Asking(_) | Self::Held(_) => true,
            Self::Call(calling) => matches!(calling.phase, Phase::Asking(_) | Phase::Held { .. }),
            _ => false,
        }
    }
}

/// A question to people.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Asking {
    pub(super) attempt: u32,
    pub(super) digest: String,
    /// Set when the driver opened the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) votes: Vec<Vote>,
    pub(super) expires: Timestamp,
}

/// A `for`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Loop {
    pub(super) items: Vec<Data>,
    /// Place of the next item to begin.
    pub(super) next: usize,
    pub(super) running: u32,
    /// Data that goes from item to item when one runs after the other.
    pub(super) data: Data,
    /// Results by place, when items run at the same time.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) outputs: BTreeMap<usize, Data>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) failures: BTreeMap<usize, Problem>,
    /// Whether nothing more begins.
    #[serde(default)]
    pub(super) closed: bool,
}

/// A `try`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Trying {
    pub(super) turns: u32,
    pub(super) first: Timestamp,
    pub(super) catching: bool,
}

/// A `listen`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Listening {
    /// What was taken and is output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) taken: Vec<Data>,
    /// Filters that are satisfied, for `all`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) met: Vec<usize>,
    /// The same for the filters of `until`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) until_met: Vec<usize>,
    /// What correlations without expectation were first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) keys: BTreeMap<String, Value>,
    /// Taken and not yet looped over.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub(super) pending: VecDeque<Data>,
    /// What the loop gave for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) outputs: Vec<Data>,
    /// Place of the next event to loop over.
    #[serde(default)]
    pub(super) next: usize,
    #[serde(default)]
    pub(super) looping: bool,
    /// Whether no more events are wanted.
    #[serde(default)]
    pub(super) closed: bool,
}

/// A call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Calling {
    pub(super) call: Arc<Invocation>,
    #[serde(with = "effect")]
    pub(super) effect: Effect,
    /// The first attempt, and the present one; 0 before there is one.
    pub(super) began: u32,
    pub(super) attempt: u32,
    /// Attempts that count against the limit.
    pub(super) tries: u32,
    pub(super) first: Timestamp,
    pub(super) phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) granted: Option<Granted>,
    /// Key of the compensation this call is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) undo: Option<String>,
}

/// Where a call stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// Work for it is in the queue.
    Ready,
    Asking(Asking),
    Flying {
        epoch: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        handle: Option<String>,
    },
    Verifying {
        epoch: u64,
        attempt: u32,
    },
    Backoff,
    Parked,
    /// Stands on an operator.
    Held {
        why: Suspended,
        problem: Option<Problem>,
    },
}

/// A compensation that is registered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Undo {
    /// The step that did it.
    pub(super) path: TaskPath,
    pub(super) key: String,
    pub(super) call: Arc<Invocation>,
    #[serde(with = "effect")]
    pub(super) effect: Effect,
}

/// A cancelled attempt that may still answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Draining {
    pub(super) path: TaskPath,
    pub(super) attempt: u32,
    pub(super) key: String,
    pub(super) since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) handle: Option<String>,
    pub(super) of: DrainKind,
    /// Its effect is not known and must be before anything is taken back: an operator says.
    #[serde(default)]
    pub(super) held: bool,
}

/// What is waited for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DrainKind {
    Child,
    Call {
        call: Arc<Invocation>,
        /// What the compensation's arguments are computed from; `None` without compensation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo: Option<UndoInput>,
    },
}

/// What the arguments of a compensation are computed from, besides the output.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct UndoInput {
    pub(super) input: Data,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) vars: Vars,
}

/// A run on its way to its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Winding {
    /// `Faulted` or `Cancelled`.
    pub(super) ending: Ending,
    pub(super) compensating: bool,
}

/// Something to do next, in the order of the queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Work {
    /// Begin the task at this path, which belongs to the frame `of`.
    Enter {
        path: TaskPath,
        of: u32,
        input: Data,
    },
    /// Go on with a frame.
    Proceed { path: TaskPath, id: u32 },
    /// A task gave its raw output.
    Done {
        path: TaskPath,
        id: u32,
        output: Data,
        #[serde(default, skip_serializing_if = "Option::is_none", with = "then")]
        go: Option<Then>,
    },
    /// A task, or one turn of a list, failed.
    Fail {
        path: TaskPath,
        id: u32,
        problem: Problem,
        gave_up: bool,
    },
}

impl Work {
    pub(super) fn path(&self) -> &TaskPath {
        match self {
            Self::Enter { path, .. }
            | Self::Proceed { path, .. }
            | Self::Done { path, .. }
            | Self::Fail { path, .. } => path,
        }
    }
}

fn is_null(data: &Data) -> bool {
    data.is_null()
}
