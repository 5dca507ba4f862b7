//! What a simulated store holds besides the run. Volatile commands are handed back, not stored.

use crate::core::{
    Command, Ending, Event, Invoke, Outcome, Spawn, Suspended, TaskPath, TimerKind, What,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Calls that were asked for; lost in a crash.
#[derive(Debug, Clone)]
pub(super) enum Pending {
    Send(Box<Invoke>),
    Poll(TaskPath, u32, String),
    Answer(TaskPath, u32, Outcome),
    Accepted(TaskPath, u32, String),
}

/// Rows; they outlive a crash.
#[derive(Clone, Default)]
pub(super) struct Rows {
    pub(super) timers: BTreeMap<(TaskPath, TimerKind), Timestamp>,
    pub(super) awaits: BTreeSet<TaskPath>,
    pub(super) requests: BTreeMap<(TaskPath, u32), String>,
    pub(super) locks: BTreeSet<TaskPath>,
    pub(super) children: BTreeMap<(TaskPath, u32), Arc<Value>>,
    pub(super) emitted: BTreeSet<String>,
    /// Scripted events that were delivered.
    pub(super) delivered: usize,
    pub(super) votes: BTreeMap<TaskPath, usize>,
    pub(super) ending: Option<Ending>,
    /// Compensations that are registered and did not run, in order.
    registered: Vec<String>,
    /// A compensation that ran before a later one.
    pub(super) disorder: Option<String>,
    /// Times somebody had to say what became of a call.
    pub(super) unknown: u32,
}

impl Rows {
    /// Stores what a command asks for.
    pub(super) fn store(&mut self, command: Command) -> Option<Pending> {
        match command {
            Command::Invoke(invoke) => return Some(Pending::Send(invoke)),
            Command::Poll {
                path,
                attempt,
                handle,
                ..
            } => {
                return Some(Pending::Poll(path, attempt, handle));
            }
            Command::Timer { path, timer, at } => {
                self.timers.insert((path, timer), at);
            }
            Command::StopTimer { path, timer } => {
                self.timers.remove(&(path, timer));
            }
            Command::Await { path, .. } => {
                self.awaits.insert(path);
            }
            Command::StopAwait { path } => {
                self.awaits.remove(&path);
            }
            Command::Approve(request) => {
                self.requests
                    .insert((request.path, request.attempt), request.digest);
            }
            Command::Withdraw { path, attempt } => {
                self.requests.remove(&(path, attempt));
            }
            Command::Spawn(spawn) if spawn.wait => {
                let Spawn {
                    path,
                    attempt,
                    input,
                    ..
                } = *spawn;
                self.children.insert((path, attempt), input);
            }
            Command::Lock { path, .. } => {
                self.locks.insert(path);
            }
            Command::Unlock { path, .. } => {
                self.locks.remove(&path);
            }
            Command::Emit { path, .. } => {
                self.emitted.insert(path.to_string());
            }
            Command::Notify {
                why: Suspended::Unknown,
                ..
            } => self.unknown += 1,
            Command::Finish(ending) => self.ending = Some(ending),
            Command::Journal(entry) => self.ordered(entry.what),
            // A cancelled attempt still answers here, which is the harder case.
            Command::CancelInvoke { .. }
            | Command::CancelChild { .. }
            | Command::Spawn(_)
            | Command::Notify { .. }
            | Command::Index(_) => {}
        }
        None
    }

    /// Holds compensation to its order: last registered, first run.
    fn ordered(&mut self, what: What) {
        match what {
            What::Registered { key } => self.registered.push(key),
            What::Undone { key } if self.registered.pop().as_ref() != Some(&key) => {
                self.disorder = Some(key);
            }
            _ => {}
        }
    }

    /// Takes away what an event uses up.
    pub(super) fn forget(&mut self, event: &Event) {
        match event {
            Event::Fired { path, timer } => {
                self.timers.remove(&(path.clone(), *timer));
            }
            Event::Child { path, attempt, .. } => {
                self.children.remove(&(path.clone(), *attempt));
            }
            _ => {}
        }
    }
}

/// An ending without what depends on attempts.
pub(super) fn shown(ending: &Ending) -> Value {
    match ending {
        Ending::Completed(output) => json!({"completed": **output}),
        Ending::Faulted(problem) => json!({"faulted": problem.to_value()}),
        Ending::Cancelled(_) => json!("cancelled"),
        Ending::Killed(_) => json!("killed"),
    }
}
