//! What operators do.

use super::super::command::{Ending, Suspended};
use super::super::entry::What;
use super::super::event::{Control, Reason, Resolution, TimerKind};
use super::super::path::TaskPath;
use super::super::problem::{Fault, Problem};
use super::super::state::{Data, Phase, Step, Trying};
use super::Machine;

impl Machine<'_> {
    pub(super) fn control(&mut self, control: Control) {
        let run = TaskPath::run();
        match control {
            Control::Pause(reason) => {
                if self.state.paused.is_none() && self.state.winding.is_none() {
                    self.log(&run, What::RunPaused(reason.clone()));
                    self.state.paused = Some(reason);
                }
            }
            Control::Resume(reason) => {
                if self.state.paused.take().is_some() {
                    self.log(&run, What::RunResumed(reason));
                }
            }
            Control::Cancel(reason) => self.wind(Ending::Cancelled(reason)),
            Control::Kill(reason) => {
                self.log(&run, What::RunCancelling(reason.clone()));
                self.abandon_all();
                self.finish(Ending::Killed(reason));
            }
            Control::Resolve {
                path,
                resolution,
                reason,
            } => {
                self.resolve(&path, resolution, reason);
            }
        }
    }

    fn resolve(&mut self, path: &TaskPath, resolution: Resolution, reason: Reason) {
        let how = match &resolution {
            Resolution::ItRan(_) => "it_ran",
            Resolution::Retry => "retry",
            Resolution::Skip(_) => "skip",
            Resolution::Fail => "fail",
        };
        let ran = match &resolution {
            Resolution::ItRan(output) => Some(output.clone()),
            _ => None,
        };
        if self.settle_draining(path, ran.as_ref()) {
            self.log(path, What::Resolved { how, reason });
            return;
        }
        if !self.resolvable(path, &resolution) {
            return;
        }
        self.log(path, What::Resolved { how, reason });
        match resolution {
            Resolution::ItRan(output) => {
                self.set_phase(path, Phase::Ready);
                self.push_done(path, output);
            }
            Resolution::Retry => self.retry_now(path),
            Resolution::Skip(output) => self.skip(path, output),
            Resolution::Fail => {
                let problem = self.held_problem(path);
                self.stand_down(path);
                self.push_fail(path, problem, false);
            }
        }
    }

    /// Whether an operator may decide so about this step now. Never about a step people are asked about:
    /// that would be a way around the approval.
    fn resolvable(&self, path: &TaskPath, resolution: &Resolution) -> bool {
        let Some(frame) = self.state.frames.get(path) else {
            return false;
        };
        let ran = matches!(resolution, Resolution::ItRan(_));
        let retry = matches!(resolution, Resolution::Retry);
        match &frame.step {
            Step::Held(_) => !ran,
            Step::Wait | Step::Listen(_) => !ran && !retry,
            Step::Call(calling) => match &calling.phase {
                Phase::Held {
                    why: Suspended::Unknown | Suspended::Compensation,
                    ..
                } => true,
                Phase::Held { .. } | Phase::Backoff | Phase::Parked => !ran,
                _ => false,
            },
            _ => false,
        }
    }

    fn retry_now(&mut self, path: &TaskPath) {
        let (now, high) = (self.state.now, self.state.high);
        let Some(frame) = self.state.frames.get_mut(path) else {
            return;
        };
        match &mut frame.step {
            Step::Held(_) => {
                frame.base = high;
                frame.step = Step::Try(Trying {
                    turns: 0,
                    first: now,
                    catching: false,
                });
            }
            Step::Call(calling) => {
                calling.tries = 0;
                calling.first = now;
                calling.phase = Phase::Ready;
                if calling.undo.is_some() {
                    let budget = self.later(self.state.settings.limits.compensation);
                    self.timer(&TaskPath::run(), TimerKind::Budget, budget);
                }
            }
            _ => return,
        }
        self.stop_timer(path, TimerKind::Retry);
        self.stop_timer(path, TimerKind::Probe);
        // A call that is another one now may have to wait for people first.
        if self.is_undo(path) || !self.as_written(path).unwrap_or(false) {
            self.push_proceed(path);
        }
    }

    fn skip(&mut self, path: &TaskPath, output: Data) {
        if self.is_undo(path) {
            self.set_phase(path, Phase::Ready);
        } else {
            self.stand_down(path);
            self.set_step(path, Step::Skipped);
        }
        self.push_done(path, output);
    }

    /// Stops what a waiting step waits for, without an end to the step.
    fn stand_down(&mut self, path: &TaskPath) {
        let Some(frame) = self.state.frames.get(path) else {
            return;
        };
        if matches!(frame.step, Step::Listen(_)) {
            self.abandon_below(path);
            self.out
                .push(super::Command::StopAwait { path: path.clone() });
            self.set_step(path, Step::Ready);
        }
        for timer in [TimerKind::Wait, TimerKind::Retry, TimerKind::Probe] {
            self.stop_timer(path, timer);
        }
        self.set_phase(path, Phase::Ready);
    }

    fn held_problem(&self, path: &TaskPath) -> Problem {
        let held = match self.state.frames.get(path).map(|frame| &frame.step) {
            Some(Step::Held(problem)) => Some(problem.clone()),
            Some(Step::Call(calling)) => match &calling.phase {
                Phase::Held { problem, .. } => problem.clone(),
                _ => None,
            },
            _ => None,
        };
        held.unwrap_or_else(|| {
            Problem::new(
                Fault::Runtime,
                "failed by an operator",
                "its outcome was not known",
            )
        })
    }
}
