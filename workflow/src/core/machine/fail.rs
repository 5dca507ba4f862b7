//! Failing: up through lists and loops to the `try` that takes the error, or to the end of the run.

use super::super::command::{Command, Ending, Suspended};
use super::super::entry::What;
use super::super::event::TimerKind;
use super::super::path::TaskPath;
use super::super::problem::Problem;
use super::super::state::{Data, Step, Trying, Vars};
use super::Machine;
use crate::dsl::model::{ErrorFilter, Kind, OnFailure, Try};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

impl<'a> Machine<'a> {
    /// The task at `path`, or one turn of a list, failed. `gave_up`: a call was tried as often as it
    /// may, so that the run waits for an operator where nobody catches it.
    pub(super) fn fail(&mut self, path: &TaskPath, problem: Problem, gave_up: bool) {
        let problem = problem.at(path);
        if self.is_undo(path) {
            self.log(path, What::Faulted(problem));
            self.abandon(path);
            return;
        }
        let is_list = matches!(self.step(path), Some(Step::List { .. }));
        self.abandon_below(path);
        if is_list {
            self.list_failed(path, problem, gave_up);
            return;
        }
        self.log(path, What::Faulted(problem.clone()));
        self.abandon(path);
        let Some(parent) = self.parent(path) else {
            return;
        };
        match self.step(&parent) {
            Some(Step::List { .. }) => self.list_failed(&parent, problem, gave_up),
            Some(Step::Fork { .. }) => self.branch_failed(&parent, path, problem, gave_up),
            _ => self.push_fail(&parent, problem, gave_up),
        }
    }

    fn step(&self, path: &TaskPath) -> Option<&Step> {
        self.state.frames.get(path).map(|frame| &frame.step)
    }

    /// A list ends because a task of it failed.
    pub(super) fn list_failed(&mut self, list: &TaskPath, problem: Problem, gave_up: bool) {
        self.abandon_below(list);
        self.drop_frame(list);
        let Some(parent) = self.parent(list) else {
            self.wind(Ending::Faulted(problem));
            return;
        };
        match self.step(&parent) {
            Some(Step::Try(Trying {
                catching: false, ..
            })) => {
                self.catch(&parent, problem, gave_up);
            }
            Some(Step::Loop(_)) => self.item_done(&parent, list, Err((problem, gave_up))),
            _ => self.push_fail(&parent, problem, gave_up),
        }
    }

    pub(super) fn begin_try(&mut self, path: &TaskPath) {
        let state = Trying {
            turns: 0,
            first: self.state.now,
            catching: false,
        };
        self.set_step(path, Step::Try(state));
        self.turn_again(path);
    }

    /// Begins the next turn of a `try`.
    pub(super) fn turn_again(&mut self, path: &TaskPath) {
        let Some(of) = self.try_of(path) else { return };
        let Some(frame) = self.state.frames.get(path) else {
            return;
        };
        let (input, base) = (frame.input.clone(), frame.base);
        let list = path.join("try");
        self.open_list(&list, input.clone(), base, BTreeMap::new());
        let limit = of
            .catch
            .retry
            .as_ref()
            .and_then(|retry| retry.limit.attempt.as_ref());
        if let Some(limit) = limit {
            match self.length(path, limit, &input) {
                Ok(limit) => self.timer(&list, TimerKind::Timeout, self.later(limit)),
                Err(problem) => self.push_fail(path, problem, false),
            }
        }
    }

    /// The list of a `try` failed.
    fn catch(&mut self, path: &TaskPath, problem: Problem, gave_up: bool) {
        let Some(of) = self.try_of(path) else { return };
        if let Err(wrong) = self.try_catch(path, of, &problem, gave_up) {
            self.push_fail(path, wrong, false);
        }
    }

    fn try_catch(
        &mut self,
        path: &TaskPath,
        of: &'a Try,
        problem: &Problem,
        gave_up: bool,
    ) -> Result<(), Problem> {
        if !self.takes(path, of, problem)? {
            self.push_fail(path, problem.clone(), gave_up);
            return Ok(());
        }
        if let Some(at) = self.next_turn(path, of, problem)? {
            self.log(path, What::RetryAt { at });
            let high = self.state.high;
            if let Some(frame) = self.state.frames.get_mut(path) {
                // What is entered again counts its attempts on.
                frame.base = high;
            }
            self.trying(path, |state| state.turns += 1);
            self.timer(path, TimerKind::Retry, at);
            return Ok(());
        }
        let Some(frame) = self.state.frames.get(path) else {
            return Ok(());
        };
        let (input, base) = (frame.input.clone(), frame.base);
        if !of.catch.tasks.is_empty() {
            self.trying(path, |state| state.catching = true);
            let vars = error_as(of, problem);
            self.open_list(&path.join("catch/do"), input, base, vars);
        } else if of.catch.retry.is_none() {
            self.push_done(path, input);
        } else {
            self.give_up(path, problem.clone(), gave_up);
        }
        Ok(())
    }

    fn trying(&mut self, path: &TaskPath, change: impl FnOnce(&mut Trying)) {
        if let Some(Step::Try(state)) = self.state.frames.get_mut(path).map(|frame| &mut frame.step)
        {
            change(state);
        }
    }

    /// A `try` tried as often as it may, and has nothing else to do.
    fn give_up(&mut self, path: &TaskPath, problem: Problem, gave_up: bool) {
        if !gave_up || !self.suspends(path, &problem) {
            self.push_fail(path, problem, gave_up);
            return;
        }
        self.set_step(path, Step::Held(problem.clone()));
        self.suspended(path, Suspended::Exhausted, Some(problem));
    }

    pub(super) fn suspended(&mut self, path: &TaskPath, why: Suspended, problem: Option<Problem>) {
        self.log(path, What::Suspended(why));
        self.out.push(Command::Notify {
            path: path.clone(),
            why,
            problem,
        });
    }

    /// Whether a step that gave up waits for an operator: nobody catches it and the author did not ask
    /// for the run to fail.
    pub(super) fn suspends(&self, path: &TaskPath, problem: &Problem) -> bool {
        let task = self.task(path);
        let wish = task.and_then(|task| task.common.hub.on_failure);
        let wish = wish.unwrap_or(self.definition.hub.on_failure);
        wish == OnFailure::Suspend && !self.caught(path, problem)
    }

    /// Whether something above takes this error.
    pub(super) fn caught(&self, path: &TaskPath, problem: &Problem) -> bool {
        let problem = problem.clone().at(path);
        path.ancestors().any(|above| {
            let Some((above, frame)) = self.state.frames.get_key_value(above) else {
                return false;
            };
            match &frame.step {
                Step::Try(Trying {
                    catching: false, ..
                }) => self.try_of(above).is_some_and(|of| {
                    // A filter that fails is an error of its own and is seen on the way up.
                    self.takes(above, of, &problem).unwrap_or(true)
                }),
                Step::Loop(_) => self.tolerates(above),
                _ => false,
            }
        })
    }

    /// Whether the `catch` of a `try` is for this error.
    fn takes(&self, path: &TaskPath, of: &Try, problem: &Problem) -> Result<bool, Problem> {
        let catch = &of.catch;
        if catch
            .errors
            .as_ref()
            .is_some_and(|filter| !fits(filter, problem))
        {
            return Ok(false);
        }
        let conditions = [(&catch.when, true), (&catch.except_when, false)];
        self.conditions(path, of, problem, conditions)
    }

    /// Whether each condition that is there has the value it must have.
    pub(super) fn conditions(
        &self,
        path: &TaskPath,
        of: &Try,
        problem: &Problem,
        conditions: [(&Option<crate::dsl::model::Expression>, bool); 2],
    ) -> Result<bool, Problem> {
        let vars = error_as(of, problem);
        let Some(frame) = self.state.frames.get(path) else {
            return Ok(false);
        };
        for (condition, wanted) in conditions {
            let Some(condition) = condition else { continue };
            let scope = self.scope(path).with(&vars);
            if self.holds(condition, &frame.input, &scope)? != wanted {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn try_of(&self, path: &TaskPath) -> Option<&'a Try> {
        match &self.task(path)?.kind {
            Kind::Try(of) => Some(of),
            _ => None,
        }
    }
}

fn error_as(of: &Try, problem: &Problem) -> Vars {
    let error: Data = Arc::new(problem.to_value());
    Vars::from([(of.catch.as_.clone(), error)])
}

/// Whether an error has all the fields a filter names.
fn fits(filter: &ErrorFilter, problem: &Problem) -> bool {
    let same = |wanted: &Option<String>, found: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
    };
    filter
        .kind
        .as_deref()
        .is_none_or(|kind| problem.has_type(kind))
        && filter
            .status
            .is_none_or(|status| status == i64::from(problem.status))
        && same(
            &filter.instance,
            problem.instance.as_ref().map(TaskPath::as_str),
        )
        && same(&filter.title, problem.title.as_deref())
        && same(&filter.details, problem.detail.as_deref())
        && filter.others.iter().all(|(_, value)| *value == Value::Null)
}
