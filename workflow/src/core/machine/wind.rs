//! Stopping: dropping what is under way, waiting for what may still answer, taking back what was done.
//!
//! Compensation runs one step after the other, last first, and cannot be cancelled, only killed.

use super::super::command::{Command, Ending, Invocation, Suspended};
use super::super::entry::What;
use super::super::event::TimerKind;
use super::super::path::TaskPath;
use super::super::problem::{Fault, Problem};
use super::super::state::{Calling, Data, Step, Undo, Winding};
use super::Machine;
use std::time::Duration;

impl Machine<'_> {
    /// Begins to end the run as `ending` says.
    pub(super) fn wind(&mut self, ending: Ending) {
        if self.state.winding.is_some() || self.state.ending.is_some() {
            return;
        }
        let run = TaskPath::run();
        self.log(
            &run,
            match &ending {
                Ending::Cancelled(reason) | Ending::Killed(reason) => {
                    What::RunCancelling(reason.clone())
                }
                Ending::Faulted(problem) => What::RunFaulting(problem.clone()),
                Ending::Completed(_) => return,
            },
        );
        self.state.paused = None;
        self.stop_timer(&run, TimerKind::Timeout);
        self.stop_timer(&run, TimerKind::Yield);
        self.state.winding = Some(Winding {
            ending,
            compensating: false,
        });
        self.abandon_all();
        self.state.queue.clear();
        if !self.state.draining.is_empty() {
            self.timer(
                &run,
                TimerKind::Grace,
                self.later(self.state.settings.limits.grace),
            );
        }
    }

    /// At the end of every transition: takes the next step of winding up, and counts the time in which
    /// people are waited for.
    pub(super) fn settle(&mut self) {
        self.wind_on();
        let waits = self.state.ending.is_none()
            && self
                .state
                .frames
                .values()
                .any(|frame| frame.step.waits_for_people());
        match (waits, self.state.human_since) {
            (true, None) => self.state.human_since = Some(self.state.now),
            (false, Some(since)) => {
                self.state.human_millis += millis_since(since, self.state.now);
                self.state.human_since = None;
            }
            _ => {}
        }
    }

    fn wind_on(&mut self) {
        while self.state.ending.is_none() {
            let Some(winding) = &mut self.state.winding else {
                return;
            };
            if !self.state.draining.is_empty() || !self.state.frames.is_empty() {
                return;
            }
            let run = TaskPath::run();
            let begins = !winding.compensating;
            let ending = winding.ending.clone();
            winding.compensating = true;
            self.stop_timer(&run, TimerKind::Grace);
            let Some(undo) = self.state.undo.pop() else {
                self.finish(ending);
                return;
            };
            if begins {
                self.timer(
                    &run,
                    TimerKind::Budget,
                    self.later(self.state.settings.limits.compensation),
                );
            }
            self.begin_undo(undo);
            self.drain();
        }
    }

    fn begin_undo(&mut self, undo: Undo) {
        let path = undo.path.join("undo");
        let calling = self.calling(Invocation::clone(&undo.call), undo.effect, Some(undo.key));
        self.push_frame(
            &path,
            Data::default(),
            self.state.high,
            Step::Call(Box::new(calling)),
        );
        self.dispatch(&path);
    }

    pub(super) fn is_undo(&self, path: &TaskPath) -> bool {
        matches!(
            self.state.frames.get(path).map(|frame| &frame.step),
            Some(Step::Call(calling)) if calling.undo.is_some()
        )
    }

    pub(super) fn undone(&mut self, path: &TaskPath) {
        if let Some(Calling {
            undo: Some(key), ..
        }) = self.calling_at(path)
        {
            let key = key.clone();
            self.log(path, What::Undone { key });
        }
        self.drop_frame(path);
    }

    /// Compensation took too long: what is under way waits for an operator.
    pub(super) fn budget_over(&mut self) {
        let undos: Vec<_> = self
            .state
            .frames
            .keys()
            .filter(|path| self.is_undo(path))
            .cloned()
            .collect();
        for path in undos {
            let attempt = self.calling_at(&path).map_or(0, |calling| calling.attempt);
            self.stop_timer(&path, TimerKind::Retry);
            self.stop_timer(&path, TimerKind::Probe);
            self.out.push(Command::CancelInvoke {
                path: path.clone(),
                attempt,
                handle: None,
            });
            let problem = Problem::new(Fault::Timeout, "timeout", "compensation took too long");
            self.hold(&path, Suspended::Compensation, Some(problem.at(&path)));
        }
    }

    /// The run took too long, waits for people not counted.
    pub(super) fn run_timeout(&mut self) {
        let run = TaskPath::run();
        let mut human = self.state.human_millis;
        if let Some(since) = self.state.human_since {
            human += millis_since(since, self.state.now);
        }
        if human > 0 && self.definition.timeout.is_none() {
            let life = self
                .state
                .settings
                .limits
                .run
                .saturating_add(Duration::from_millis(human));
            let started = self.state.started.unwrap_or(self.state.now);
            let due = started.checked_add(life).unwrap_or(jiff::Timestamp::MAX);
            if due > self.state.now || self.state.human_since.is_some() {
                // While people are waited for the end moves on, so this looks again, ever more rarely.
                self.timer(
                    &run,
                    TimerKind::Timeout,
                    due.max(self.later(Duration::from_secs(60))),
                );
                return;
            }
        }
        let problem = Problem::new(Fault::Timeout, "timeout", "the run took too long");
        self.wind(Ending::Faulted(problem.at(&run)));
    }
}

fn millis_since(since: jiff::Timestamp, now: jiff::Timestamp) -> u64 {
    u64::try_from(now.duration_since(since).as_millis()).unwrap_or(0)
}
