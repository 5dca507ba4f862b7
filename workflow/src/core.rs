//! The interpreter: what happened goes in, what is to be done comes out, and nothing else.
//!
//! It has no clock, no randomness, no store and no network, so that the same run gives the same commands
//! on every engine, in a simulator and after every crash. A driver does, for each event of a run:
//!
//! 1. load the run, [`Run::advance`] it, and store what [`Run::save`] gives **together with the
//!    commands** in one transaction;
//! 2. only then act on [`Command::Invoke`], [`Command::Poll`] and [`Command::CancelInvoke`]. All other
//!    commands are rows: a timer, a lock, a request, a child, an event to publish;
//!    A new run hears [`Event::Recover`] with the present epoch before [`Event::Started`], or its first
//!    calls would pass for orphans;
//! 3. after a crash give every open run [`Event::Recover`] with a new epoch. What was in flight is sent
//!    again, asked about or left to an operator by its effect; rows need nothing.

mod command;
mod entry;
mod event;
mod locate;
mod machine;
mod path;
mod problem;
mod settings;
mod state;
mod stored;
mod view;

pub use command::{
    AttemptTimeouts, Command, Ending, Granted, Invocation, Invoke, Purpose, Request, Spawn,
    Subject, Suspended, Target,
};
pub use entry::{Entry, What};
pub use event::{
    ChildOutcome, Control, Event, Failure, Outcome, Reason, Resolution, Stamped, TimerKind,
    Verdict, Vote,
};
pub use path::TaskPath;
pub use problem::{Fault, Problem};
pub use settings::{Limits, RetryLimits, Reuse, RunSettings};
pub use view::{Phase, Status, StepView, Stuck, Wait, WaitOn};

use crate::dsl::model::{Definition, Effect};
use crate::expression::Expressions;
use jiff::Timestamp;
use machine::Machine;
use serde_json::{Value, json};
use state::State;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Version of the stored form. A run stored by the version before this one can be loaded.
pub const INTERPRETER_VERSION: u32 = 1;

/// Version of the product, as `$runtime.version`.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why a stored run cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It is no stored run.
    #[error("not a stored run")]
    Unreadable(#[source] serde_json::Error),
    /// It was stored by a version this one does not know.
    #[error("stored by interpreter version {found}; this is version {INTERPRETER_VERSION}")]
    Version {
        /// The version it names.
        found: u32,
    },
    /// It belongs to another definition.
    #[error("it runs definition {expected}, not {given}")]
    Definition {
        /// Digest it was started with.
        expected: String,
        /// Digest of what it was to be loaded with.
        given: String,
    },
    /// It stands at a step this definition does not have.
    #[error("the definition has no step {0}")]
    Step(TaskPath),
}

/// One run of a definition.
#[derive(Clone)]
pub struct Run {
    definition: Arc<Definition>,
    expressions: Arc<Expressions>,
    state: State,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Run {
    /// A run that has not begun. `id` is unique among all runs and part of every key.
    #[must_use]
    pub fn new(
        id: &str,
        definition: Arc<Definition>,
        expressions: Arc<Expressions>,
        input: Value,
        settings: RunSettings,
    ) -> Self {
        let state = State {
            version: INTERPRETER_VERSION,
            id: id.to_owned(),
            digest: definition.digest.clone(),
            settings,
            input: Arc::new(input),
            context: Arc::default(),
            started: None,
            now: Timestamp::MIN,
            epoch: 0,
            events: 0,
            high: 0,
            serial: 0,
            children: 0,
            frames: BTreeMap::new(),
            queue: std::collections::VecDeque::new(),
            undo: Vec::new(),
            draining: Vec::new(),
            timers: BTreeMap::new(),
            locks: Vec::new(),
            locked: false,
            paused: None,
            winding: None,
            ending: None,
            ended: None,
            human_millis: 0,
            human_since: None,
        };
        Self {
            definition,
            expressions,
            state,
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.state.id
    }

    /// What it runs.
    #[must_use]
    pub const fn definition(&self) -> &Arc<Definition> {
        &self.definition
    }

    /// The epoch it last heard of. A driver gives [`Event::Recover`] to runs of another one.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.state.epoch
    }

    /// Applies an event, and gives what is to be done, in order.
    pub fn advance(&mut self, event: Stamped) -> Vec<Command> {
        self.machine(|machine| machine.advance(event))
    }

    fn machine(&mut self, work: impl FnOnce(&mut Machine<'_>)) -> Vec<Command> {
        let mut machine = Machine {
            state: &mut self.state,
            definition: &self.definition,
            expressions: &self.expressions,
            out: Vec::new(),
            pure: 0,
        };
        work(&mut machine);
        machine.out
    }

    /// The run as JSON text.
    ///
    /// # Panics
    /// Never: a state has only text keys.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        serde_json::to_vec(&self.state).expect("a state has only text keys")
    }

    /// Loads what [`Self::save`] gave, of this version or the one before.
    ///
    /// # Errors
    /// When it is no stored run, from another version, or of another definition.
    pub fn restore(
        definition: Arc<Definition>,
        expressions: Arc<Expressions>,
        saved: &[u8],
    ) -> Result<Self, RestoreError> {
        let state: State = serde_json::from_slice(saved).map_err(RestoreError::Unreadable)?;
        let known = [INTERPRETER_VERSION - 1, INTERPRETER_VERSION];
        if !known.contains(&state.version) {
            return Err(RestoreError::Version {
                found: state.version,
            });
        }
        if state.digest != definition.digest {
            let (expected, given) = (state.digest, definition.digest.clone());
            return Err(RestoreError::Definition { expected, given });
        }
        let state = State {
            version: INTERPRETER_VERSION,
            ..state
        };
        Self {
            definition,
            expressions,
            state,
        }
        .placed()
    }

    /// The same run on a newer definition, whose tools have these effects, and what is to be written
    /// down about that. Whether a step that was executed has changed is for the
    /// caller to find out, who knows the history (`dsl::diff`).
    ///
    /// # Errors
    /// When a step that is under way is not there any more.
    pub fn adopt(
        &self,
        definition: Arc<Definition>,
        effects: BTreeMap<String, Effect>,
    ) -> Result<(Self, Vec<Command>), RestoreError> {
        let mut run = self.clone();
        let from = std::mem::replace(&mut run.state.digest, definition.digest.clone());
        run.state.settings.effects.extend(effects);
        run.definition = definition;
        let mut run = run.placed()?;
        let out = run.machine(|machine| machine.adopted(from));
        Ok((run, out))
    }

    fn placed(self) -> Result<Self, RestoreError> {
        let lost = self.state.frames.iter().find(|(path, frame)| {
            let undo = matches!(&frame.step, state::Step::Call(calling) if calling.undo.is_some());
            !undo && locate::locate(&self.definition, path.as_str()).is_none()
        });
        match lost.map(|(path, _)| path.clone()) {
            Some(path) => Err(RestoreError::Step(path)),
            None => Ok(self),
        }
    }
}

/// The pointer of the task a path names; `None` when the definition has none there.
#[must_use]
pub fn pointer_of<'d>(definition: &'d Definition, path: &TaskPath) -> Option<&'d str> {
    locate::task(definition, path.as_str()).map(|task| task.pointer.as_str())
}

fn describe_runtime() -> Value {
    json!({"name": "waygate", "version": VERSION, "metadata": {}})
}
