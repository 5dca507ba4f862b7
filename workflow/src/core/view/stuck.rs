//! Whether a run can ever go on.

use super::super::Run;
use super::super::event::TimerKind;
use super::super::path::TaskPath;
use super::super::state::Step;
use super::{has_child, waits_on};

/// A run that nothing can wake: a fault of the interpreter, never of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// The step, or the run.
    pub path: TaskPath,
    /// What is missing.
    pub detail: &'static str,
}

impl Run {
    /// Whether nothing can ever wake this run: every run that has not ended has a timer, an attempt in
    /// flight, a lock wait, an open approval, a child, an awaited event or an operator in front of
    /// every step that is under way.
    #[must_use]
    pub fn stuck(&self) -> Option<Stuck> {
        let state = &self.state;
        let run = |detail| {
            Some(Stuck {
                path: TaskPath::run(),
                detail,
            })
        };
        if state.ending.is_some() || state.started.is_none() {
            return None;
        }
        if !state.queue.is_empty()
            && state.paused.is_none()
            && !state.timers.contains_key(&TimerKind::Yield)
        {
            return run("work that nothing begins");
        }
        if state.winding.is_none() && !state.timers.contains_key(&TimerKind::Timeout) {
            return run("no end of its life");
        }
        if state.frames.is_empty() && state.queue.is_empty() && state.draining.is_empty() {
            return run("nothing is under way");
        }
        if state.winding.is_some()
            && state.draining.iter().any(|drain| !drain.held)
            && !state.timers.contains_key(&TimerKind::Grace)
        {
            return run("answers are waited for without an end");
        }
        let queued = |path: &TaskPath| state.queue.iter().any(|work| work.path().is_within(path));
        state.frames.iter().find_map(|(path, frame)| {
            if queued(path) || waits_on(state, path, frame).is_some() || has_child(state, path) {
                return None;
            }
            let detail = match &frame.step {
                Step::Wait if frame.timers.contains_key(&TimerKind::Wait) => return None,
                Step::Try(_) if frame.timers.contains_key(&TimerKind::Retry) => return None,
                Step::Call(_) if frame.timers.contains_key(&TimerKind::Retry) => return None,
                Step::List { .. } if !state.locked && !state.locks.is_empty() => return None,
                Step::Call(_) => "a call that nothing sends",
                Step::List { .. } => "a list without a task",
                _ => "a task that nothing wakes",
            };
            Some(Stuck {
                path: path.clone(),
                detail,
            })
        })
    }
}
