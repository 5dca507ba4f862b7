//! A world for one run in memory: a store, tools that remember every effect, people, a clock, and
//! crashes at chosen instants. Same definition, seed and crashes: same history.
//!
//! Between two looks at the world everything volatile may be lost. A *boundary* is an instant at which
//! that can matter: before and after a transition is stored, before and after a call is sent.

mod rows;
mod script;
mod world;

pub use script::Script;
pub use world::{Effects, World};

use crate::core::{
    ChildOutcome, Control, Event, Reason, Resolution, Run, RunSettings, Stamped, Suspended,
    TaskPath, TimerKind, WaitOn,
};
use crate::dsl::model::{Definition, Effect};
use crate::expression::Expressions;
use jiff::Timestamp;
use rows::{Pending, Rows, shown};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Steps after which a simulation is given up; none of the definitions comes near it.
const MOST_STEPS: u32 = 20_000;

/// What a simulated run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How it ended, as far as the outcome does not depend on attempts.
    pub ending: Value,
    /// What the tools did.
    pub effects: Effects,
    /// Ids of events published, without attempts.
    pub emitted: BTreeSet<String>,
    /// Boundaries passed.
    pub boundaries: u32,
    /// Times an operator had to say what became of a call.
    pub unknown: u32,
}

/// A violation of what a run promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

/// One thing that can happen next.
enum Action {
    Call(usize),
    Event(Event),
    Resolve(Event, TaskPath, Option<String>),
    Deliver(TaskPath),
    Vote(TaskPath, u32, String),
    Fire(TaskPath, TimerKind, Timestamp),
}

/// One run in its world.
pub struct Simulation<'a> {
    script: &'a Script,
    definition: Arc<Definition>,
    expressions: Arc<Expressions>,
    run: Run,
    rows: Rows,
    pending: Vec<Pending>,
    world: World,
    now: Timestamp,
    random: u64,
    epoch: u64,
    boundaries: u32,
    crashes: &'a [u32],
}

/// Thrown by a boundary at which the schedule wants a crash.
struct Crash;

impl<'a> Simulation<'a> {
    /// A run of `definition` that crashes at the given boundaries, counted over all its lives from 1.
    #[must_use]
    pub fn new(
        definition: &Arc<Definition>,
        expressions: &Arc<Expressions>,
        script: &'a Script,
        seed: u64,
        crashes: &'a [u32],
    ) -> Self {
        let settings = RunSettings {
            starter: "starter".into(),
            effects: BTreeMap::from([
                ("sim.read".to_owned(), Effect::Read),
                ("sim.put".to_owned(), Effect::Idempotent),
                ("sim.once".to_owned(), Effect::Once),
                ("sim.undo".to_owned(), Effect::Idempotent),
            ]),
            ..RunSettings::default()
        };
        let (definition, expressions) = (definition.clone(), expressions.clone());
        let input = script.input.clone();
        let run = Run::new(
            "run",
            definition.clone(),
            expressions.clone(),
            input,
            settings,
        );
        Self {
            script,
            definition,
            expressions,
            run,
            rows: Rows::default(),
            pending: Vec::new(),
            world: World::default(),
            now: Timestamp::UNIX_EPOCH,
            random: seed,
            epoch: 0,
            boundaries: 0,
            crashes,
        }
    }

    /// Lets the run live until it ends.
    ///
    /// # Errors
    /// [`Violation`] when it is stuck, does not end, or cannot be loaded.
    pub fn finish(mut self) -> Result<Report, Violation> {
        let mut begun = false;
        for _ in 0..MOST_STEPS {
            if let Some(key) = &self.rows.disorder {
                return Err(Violation(format!("compensated too early: {key}")));
            }
            if let Some(ending) = &self.rows.ending {
                return Ok(Report {
                    ending: shown(ending),
                    effects: self.world.effects(),
                    emitted: self.rows.emitted.clone(),
                    boundaries: self.boundaries,
                    unknown: self.rows.unknown,
                });
            }
            if let Some(stuck) = self.run.stuck() {
                return Err(Violation(format!(
                    "stuck at {}: {}",
                    stuck.path, stuck.detail
                )));
            }
            let done = if begun {
                self.step()?
            } else {
                self.transition(Event::Started)
            };
            match done {
                Ok(()) => begun = true,
                Err(Crash) => self.recover()?,
            }
        }
        Err(Violation(format!("does not end: {:?}", self.run.waits())))
    }

    fn step(&mut self) -> Result<Result<(), Crash>, Violation> {
        let mut actions = self.actions();
        if actions.is_empty() {
            return Err(Violation(format!(
                "nothing can happen: {:?}",
                self.run.waits()
            )));
        }
        let chosen = usize::try_from(self.draw() % (actions.len() as u64)).unwrap_or(0);
        Ok(match actions.swap_remove(chosen) {
            Action::Call(index) => self.act(index),
            Action::Event(event) => self.transition(event),
            Action::Resolve(event, path, key) => {
                self.world.unheard(&path, key.as_deref());
                self.transition(event)
            }
            Action::Deliver(path) => {
                let event = self
                    .script
                    .events
                    .get(self.rows.delivered)
                    .cloned()
                    .unwrap_or_default();
                self.transition_then(
                    Event::Received {
                        path,
                        event: Arc::new(event),
                    },
                    |rows| {
                        rows.delivered += 1;
                    },
                )
            }
            Action::Vote(path, attempt, digest) => {
                let cast = self.rows.votes.get(&path).copied().unwrap_or(0);
                let vote = self.script.vote(cast, digest);
                self.transition_then(
                    Event::Decided {
                        path: path.clone(),
                        attempt,
                        vote,
                    },
                    |rows| {
                        *rows.votes.entry(path).or_default() += 1;
                    },
                )
            }
            Action::Fire(path, timer, at) => {
                self.now = self.now.max(at);
                self.transition(Event::Fired { path, timer })
            }
        })
    }

    /// Everything that can happen now; timers only when nothing else can.
    fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Some(path) = &self.script.cancel
            && self.run.steps().iter().any(|step| step.path == *path)
            && self.run.status().winding.is_none()
        {
            let control = match self.script.kill {
                true => Control::Kill(operator()),
                false => Control::Cancel(operator()),
            };
            return vec![Action::Event(Event::Control(control))];
        }
        actions.extend((0..self.pending.len()).map(Action::Call));
        for wait in self.run.waits() {
            match wait.on {
                WaitOn::Lock { .. } if self.rows.locks.contains(&wait.path) => {
                    actions.push(Action::Event(Event::Locked { path: wait.path }));
                }
                WaitOn::Operator { why, key, .. } => {
                    let event = self.resolution(&wait.path, why, key.as_deref());
                    let forget = key.filter(|_| why != Suspended::Exhausted);
                    actions.push(Action::Resolve(event, wait.path, forget));
                }
                WaitOn::Resume => {
                    actions.push(Action::Event(Event::Control(Control::Resume(operator()))));
                }
                WaitOn::Event
                    if self.rows.awaits.contains(&wait.path)
                        && self.rows.delivered < self.script.events.len() =>
                {
                    actions.push(Action::Deliver(wait.path));
                }
                _ => {}
            }
        }
        for ((path, attempt), digest) in &self.rows.requests {
            let cast = self.rows.votes.get(path).copied().unwrap_or(0);
            if cast < self.script.votes.len() {
                actions.push(Action::Vote(path.clone(), *attempt, digest.clone()));
            }
        }
        for ((path, attempt), input) in &self.rows.children {
            let outcome = ChildOutcome::Completed(Arc::new(json!({"child": **input})));
            let (path, attempt) = (path.clone(), *attempt);
            actions.push(Action::Event(Event::Child {
                path,
                attempt,
                outcome,
            }));
        }
        if actions.is_empty()
            && let Some(((path, timer), at)) = self.rows.timers.iter().min_by_key(|(_, at)| **at)
        {
            actions.push(Action::Fire(path.clone(), *timer, *at));
        }
        actions
    }

    /// What an operator who looks into the books of the tools says.
    fn resolution(&self, path: &TaskPath, why: Suspended, key: Option<&str>) -> Event {
        let resolution = match (why, self.world.done(key)) {
            (Suspended::Exhausted, _) => self.script.operator.clone(),
            (_, Some(output)) => Resolution::ItRan(output),
            (_, None) => Resolution::Retry,
        };
        Event::Control(Control::Resolve {
            path: path.clone(),
            resolution,
            reason: operator(),
        })
    }

    /// Takes the next step of a call.
    fn act(&mut self, index: usize) -> Result<(), Crash> {
        match self.pending.swap_remove(index) {
            Pending::Send(invoke) => {
                self.boundary()?;
                let path = invoke.path.clone();
                let attempt = invoke.attempt;
                match self.world.call(&invoke) {
                    Ok(outcome) => self.pending.push(Pending::Answer(path, attempt, outcome)),
                    Err(handle) => self.pending.push(Pending::Accepted(path, attempt, handle)),
                }
                self.boundary()
            }
            Pending::Poll(path, attempt, handle) => {
                let outcome = self.world.poll(&handle);
                self.pending.push(Pending::Answer(path, attempt, outcome));
                Ok(())
            }
            Pending::Accepted(path, attempt, handle) => {
                let event = Event::Accepted {
                    path: path.clone(),
                    attempt,
                    handle: handle.clone(),
                };
                self.transition(event)?;
                self.pending.push(Pending::Poll(path, attempt, handle));
                Ok(())
            }
            Pending::Answer(path, attempt, outcome) => self.transition(Event::Outcome {
                path,
                attempt,
                outcome,
            }),
        }
    }

    fn transition(&mut self, event: Event) -> Result<(), Crash> {
        self.transition_then(event, |_| ())
    }

    /// One transaction: the run, its rows, and what led to the event.
    fn transition_then(&mut self, event: Event, also: impl FnOnce(&mut Rows)) -> Result<(), Crash> {
        let mut run = self.run.clone();
        let mut rows = self.rows.clone();
        rows.forget(&event);
        let commands = run.advance(Stamped {
            at: self.now,
            event,
        });
        self.boundary()?;
        also(&mut rows);
        let mut sends = Vec::new();
        for command in commands {
            sends.extend(rows.store(command));
        }
        self.run = run;
        self.rows = rows;
        self.boundary()?;
        self.pending.extend(sends);
        Ok(())
    }

    /// An instant at which the schedule may want a crash.
    fn boundary(&mut self) -> Result<(), Crash> {
        self.boundaries += 1;
        if self.crashes.contains(&self.boundaries) {
            Err(Crash)
        } else {
            Ok(())
        }
    }

    /// What is stored is loaded; everything else is gone.
    fn recover(&mut self) -> Result<(), Violation> {
        loop {
            self.pending.clear();
            self.epoch += 1;
            let saved = self.run.save();
            let (definition, expressions) = (self.definition.clone(), self.expressions.clone());
            self.run = Run::restore(definition, expressions, &saved)
                .map_err(|error| Violation(error.to_string()))?;
            if self.rows.ending.is_some() || self.run.status().started.is_none() {
                return Ok(());
            }
            let epoch = self.epoch;
            if self.transition(Event::Recover { epoch }).is_ok() {
                return Ok(());
            }
        }
    }

    /// The next number of the schedule (`SplitMix64`).
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn operator() -> Reason {
    Reason {
        by: "operator".into(),
        why: "simulated".into(),
    }
}
