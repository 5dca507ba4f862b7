//! One transition: an event is applied, then pure work goes on until the run needs the outside world.
//!
//! Nothing recurses: what is to be done next stands in the run's queue, so that a loop of a thousand
//! steps needs no stack, and a paused run keeps its place.

mod adopt;
mod approve;
mod arguments;
mod call;
mod control;
mod data;
mod drain;
mod effect;
mod enter;
mod fail;
mod leave;
mod listen;
mod loops;
mod recover;
mod retry;
mod undo;
mod verify;
mod wind;

use super::command::{Command, Ending};
use super::entry::{Entry, What};
use super::event::{ChildOutcome, Event, Stamped, TimerKind};
use super::locate;
use super::path::TaskPath;
use super::problem::{Fault, Problem};
use super::state::{Data, Frame, State, Step, Work};
use crate::dsl::model::{Definition, Length, Task};
use crate::expression::Expressions;
use jiff::Timestamp;
use std::time::Duration;

/// A run during one transition.
pub(super) struct Machine<'a> {
    pub(super) state: &'a mut State,
    pub(super) definition: &'a Definition,
    pub(super) expressions: &'a Expressions,
    pub(super) out: Vec<Command>,
    /// Pure steps of this transition.
    pub(super) pure: u32,
}

impl<'a> Machine<'a> {
    /// Applies `event`; [`Self::out`] then holds what is to be done.
    pub(super) fn advance(&mut self, event: Stamped) {
        if self.state.ending.is_some() {
            return;
        }
        self.state.now = self.state.now.max(event.at);
        self.apply(event.event);
        self.drain();
        self.settle();
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Started => self.start(),
            Event::Outcome {
                path,
                attempt,
                outcome,
            } => self.outcome(&path, attempt, outcome),
            Event::Accepted {
                path,
                attempt,
                handle,
            } => self.accepted(&path, attempt, handle),
            Event::Fired { path, timer } => self.fired(&path, timer),
            Event::Received { path, event } => self.received(&path, &event),
            Event::Child {
                path,
                attempt,
                outcome,
            } => self.child(&path, attempt, outcome),
            Event::Locked { path } => self.locked(&path),
            Event::LockRefused { path, holder } => self.lock_refused(&path, &holder),
            Event::Decided {
                path,
                attempt,
                vote,
            } => self.decided(&path, attempt, vote),
            Event::Available { path } => self.available(&path),
            Event::Control(control) => self.control(control),
            Event::Recover { epoch } => self.recover(epoch),
        }
    }

    /// Works until the queue is empty, the run is paused or over, or others should have their turn.
    fn drain(&mut self) {
        while self.state.paused.is_none() && self.state.ending.is_none() {
            if self.pure >= self.state.settings.limits.pure_steps && !self.state.queue.is_empty() {
                self.timer(&TaskPath::run(), TimerKind::Yield, self.state.now);
                return;
            }
            let Some(work) = self.state.queue.pop_front() else {
                return;
            };
            self.work(work);
            self.check_length();
        }
    }

    fn work(&mut self, work: Work) {
        match work {
            Work::Enter { path, of, input } => {
                if self.state.frames.values().any(|frame| frame.id == of) {
                    self.pure += 1;
                    self.enter(&path, input);
                }
            }
            Work::Proceed { path, id } if self.is(&path, id) => self.proceed(&path),
            Work::Done {
                path,
                id,
                output,
                go,
            } if self.is(&path, id) => {
                self.done(&path, &output, go);
            }
            Work::Fail {
                path,
                id,
                problem,
                gave_up,
            } if self.is(&path, id) => {
                self.fail(&path, problem, gave_up);
            }
            Work::Proceed { .. } | Work::Done { .. } | Work::Fail { .. } => {}
        }
    }

    fn check_length(&mut self) {
        let limit = self.state.settings.limits.events;
        if self.state.events >= limit && self.state.winding.is_none() {
            let detail = format!("more than {limit} lines of history");
            let problem = Problem::new(Fault::Runtime, "history too long", detail);
            self.wind(Ending::Faulted(problem));
        }
    }

    fn start(&mut self) {
        if self.state.started.is_some() {
            return;
        }
        self.state.started = Some(self.state.now);
        self.log(&TaskPath::run(), What::RunStarted(self.state.input.clone()));
        self.begin();
    }

    fn fired(&mut self, path: &TaskPath, timer: TimerKind) {
        let now = self.state.now;
        let timers = if path.is_run() {
            Some(&mut self.state.timers)
        } else {
            self.state
                .frames
                .get_mut(path)
                .map(|frame| &mut frame.timers)
        };
        // A timer that was stopped, or set anew since, is not this one.
        let Some(timers) = timers else { return };
        if timers.get(&timer).is_none_or(|at| *at > now) {
            return;
        }
        timers.remove(&timer);
        match timer {
            TimerKind::Yield => {}
            TimerKind::Grace => self.grace_over(),
            TimerKind::Budget => self.budget_over(),
            TimerKind::Approval => self.approval_expired(path),
            TimerKind::Timeout if path.is_run() => self.run_timeout(),
            TimerKind::Timeout => self.timed_out(path),
            TimerKind::Wait | TimerKind::Retry | TimerKind::Probe => self.push_proceed(path),
        }
    }

    fn timed_out(&mut self, path: &TaskPath) {
        let problem = Problem::new(Fault::Timeout, "timeout", "the task took too long");
        self.push_fail(path, problem, false);
    }

    fn child(&mut self, path: &TaskPath, attempt: u32, outcome: ChildOutcome) {
        if self.drained_child(path, attempt) {
            return;
        }
        let waits = self.state.frames.get(path).is_some_and(
            |frame| matches!(&frame.step, Step::Child { attempt: own, .. } if *own == attempt),
        );
        if !waits {
            return;
        }
        self.set_step(path, Step::Ready);
        match outcome {
            ChildOutcome::Completed(output) => self.push_done(path, output),
            ChildOutcome::Faulted(problem) => self.push_fail(path, problem.at(path), false),
            ChildOutcome::Cancelled => {
                let problem = Problem::new(
                    Fault::Runtime,
                    "child cancelled",
                    "the run it started was cancelled",
                );
                self.push_fail(path, problem, false);
            }
        }
    }

    /// The task a path names. Frames only stand at places the definition has; see `Run::restore`.
    pub(super) fn task(&self, path: &TaskPath) -> Option<&'a Task> {
        locate::task(self.definition, path.as_str())
    }

    fn is(&self, path: &TaskPath, id: u32) -> bool {
        self.state
            .frames
            .get(path)
            .is_some_and(|frame| frame.id == id)
    }

    /// Puts a frame at `path`.
    pub(super) fn push_frame(&mut self, path: &TaskPath, input: Data, base: u32, step: Step) {
        self.state.serial += 1;
        let frame = Frame {
            id: self.state.serial,
            input,
            raw: None,
            vars: std::collections::BTreeMap::new(),
            base,
            since: self.state.now,
            timers: std::collections::BTreeMap::new(),
            locks: Vec::new(),
            step,
        };
        self.state.frames.insert(path.clone(), frame);
    }

    pub(super) fn set_step(&mut self, path: &TaskPath, step: Step) {
        if let Some(frame) = self.state.frames.get_mut(path) {
            frame.step = step;
        }
    }

    /// The frame a path belongs to: the nearest one above.
    pub(super) fn parent(&self, path: &TaskPath) -> Option<TaskPath> {
        path.ancestors()
            .find_map(|above| self.state.frames.get_key_value(above))
            .map(|(path, _)| path.clone())
    }

    pub(super) fn push_proceed(&mut self, path: &TaskPath) {
        if let Some(frame) = self.state.frames.get_mut(path) {
            let work = Work::Proceed {
                path: path.clone(),
                id: frame.id,
            };
            self.state.queue.push_back(work);
        }
    }

    pub(super) fn push_done(&mut self, path: &TaskPath, output: Data) {
        self.push_done_then(path, output, None);
    }

    pub(super) fn push_done_then(
        &mut self,
        path: &TaskPath,
        output: Data,
        go: Option<crate::dsl::model::Then>,
    ) {
        if let Some(frame) = self.state.frames.get(path) {
            let work = Work::Done {
                path: path.clone(),
                id: frame.id,
                output,
                go,
            };
            self.state.queue.push_back(work);
        }
    }

    pub(super) fn push_fail(&mut self, path: &TaskPath, problem: Problem, gave_up: bool) {
        if let Some(frame) = self.state.frames.get(path) {
            let work = Work::Fail {
                path: path.clone(),
                id: frame.id,
                problem,
                gave_up,
            };
            self.state.queue.push_back(work);
        }
    }

    pub(super) fn log(&mut self, path: &TaskPath, what: What) {
        self.state.events += 1;
        let seq = self.state.events;
        let entry = Entry {
            seq,
            at: self.state.now,
            path: path.clone(),
            what,
        };
        self.out.push(Command::Journal(entry));
        if seq == self.state.settings.limits.events_warn {
            self.log(&TaskPath::run(), What::RunLong { events: seq });
        }
    }

    pub(super) fn timer(&mut self, path: &TaskPath, timer: TimerKind, at: Timestamp) {
        let timers = if path.is_run() {
            &mut self.state.timers
        } else if let Some(frame) = self.state.frames.get_mut(path) {
            &mut frame.timers
        } else {
            return;
        };
        timers.insert(timer, at);
        self.out.push(Command::Timer {
            path: path.clone(),
            timer,
            at,
        });
    }

    pub(super) fn stop_timer(&mut self, path: &TaskPath, timer: TimerKind) {
        let timers = if path.is_run() {
            Some(&mut self.state.timers)
        } else {
            self.state
                .frames
                .get_mut(path)
                .map(|frame| &mut frame.timers)
        };
        if timers.and_then(|timers| timers.remove(&timer)).is_some() {
            self.out.push(Command::StopTimer {
                path: path.clone(),
                timer,
            });
        }
    }

    /// `after` from now; as late as can be said when that is past the end of time.
    pub(super) fn later(&self, after: Duration) -> Timestamp {
        self.state.now.checked_add(after).unwrap_or(Timestamp::MAX)
    }

    /// A duration of the definition, evaluated against `input` where needed.
    pub(super) fn length(
        &self,
        path: &TaskPath,
        length: &Length,
        input: &Data,
    ) -> Result<Duration, Problem> {
        match length {
            Length::Fixed(duration) => Ok(*duration),
            Length::Computed(expression) => {
                let value = self.evaluate(expression, input, &self.scope(path))?;
                data::duration(&value).ok_or_else(|| {
                    Problem::new(Fault::Validation, "not a duration", value.to_string())
                })
            }
        }
    }

    /// The next attempt at `path`: larger than any given out for it on any visit.
    pub(super) fn next_attempt(&mut self, path: &TaskPath) -> u32 {
        let Some(frame) = self.state.frames.get_mut(path) else {
            return self.state.high + 1;
        };
        frame.base += 1;
        let next = frame.base;
        self.state.high = self.state.high.max(next);
        next
    }

    pub(super) fn key(&self, path: &TaskPath, attempt: u32) -> String {
        self.state.key(path, attempt)
    }
}
