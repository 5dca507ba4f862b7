//! `for` and `fork`: many at a time, within bounds.

use super::super::entry::What;
use super::super::path::TaskPath;
use super::super::problem::{Fault, Problem};
use super::super::state::{Data, Loop, Step, Vars};
use super::Machine;
use crate::dsl::model::{For, Fork, Kind, Parallel, Tolerance};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

impl<'a> Machine<'a> {
    pub(super) fn begin_for(&mut self, path: &TaskPath, of: &For) -> Result<(), Problem> {
        let Some(frame) = self.state.frames.get(path) else {
            return Ok(());
        };
        let input = frame.input.clone();
        let items = match self.evaluate(&of.in_, &input, &self.scope(path))? {
            Value::Array(items) => items,
            Value::Null => Vec::new(),
            other => {
                let detail = format!("a loop needs an array, not {other}");
                return Err(Problem::new(Fault::Validation, "not an array", detail));
            }
        };
        self.count_children(items.len())?;
        let state = Loop {
            items: items.into_iter().map(Arc::new).collect(),
            next: 0,
            running: 0,
            data: input,
            outputs: BTreeMap::new(),
            failures: BTreeMap::new(),
            closed: false,
        };
        self.set_step(path, Step::Loop(state));
        self.fill(path);
        Ok(())
    }

    /// Children, loop items and events count against one limit.
    pub(super) fn count_children(&mut self, more: usize) -> Result<(), Problem> {
        let limit = self.state.settings.limits.children;
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        self.state.children = self.state.children.saturating_add(more);
        if self.state.children <= limit {
            return Ok(());
        }
        let detail = format!("a run may have {limit} items, events and children");
        Err(Problem::new(Fault::Runtime, "too many items", detail))
    }

    /// Begins items until the window is full; ends the loop when there is nothing more to do.
    fn fill(&mut self, path: &TaskPath) {
        let Some((of, parallel)) = self.loop_of(path) else {
            return;
        };
        let window = parallel.map_or(1, |parallel| parallel.concurrency);
        loop {
            let Some(Step::Loop(state)) = self.state.frames.get(path).map(|frame| &frame.step)
            else {
                return;
            };
            let over = state.closed || state.next >= state.items.len();
            if over && state.running == 0 {
                self.loop_done(path, parallel);
                return;
            }
            if over || state.running >= window {
                return;
            }
            if let Err(problem) = self.begin_item(path, of) {
                self.push_fail(path, problem, false);
                return;
            }
        }
    }

    fn begin_item(&mut self, path: &TaskPath, of: &For) -> Result<(), Problem> {
        let Some(frame) = self.state.frames.get(path) else {
            return Ok(());
        };
        let Step::Loop(state) = &frame.step else {
            return Ok(());
        };
        let (index, data, base) = (state.next, state.data.clone(), frame.base);
        let Some(item) = state.items.get(index).cloned() else {
            return Ok(());
        };
        let vars = Vars::from([
            (of.each.clone(), item),
            (of.at.clone(), Arc::new(json!(index))),
        ]);
        let goes_on = match &of.while_ {
            Some(condition) => self.holds(condition, &data, &self.scope(path).with(&vars))?,
            None => true,
        };
        let Some(Step::Loop(state)) = self.state.frames.get_mut(path).map(|frame| &mut frame.step)
        else {
            return Ok(());
        };
        if !goes_on {
            state.closed = true;
            return Ok(());
        }
        state.next += 1;
        state.running += 1;
        self.open_list(&path.join(&format!("for/{index}/do")), data, base, vars);
        Ok(())
    }

    /// One item of a loop ended, well or not.
    pub(super) fn item_done(
        &mut self,
        path: &TaskPath,
        list: &TaskPath,
        result: Result<Data, (Problem, bool)>,
    ) {
        let Some((_, parallel)) = self.loop_of(path) else {
            return;
        };
        let Some(index) = place_in(path, list) else {
            return;
        };
        let Some(Step::Loop(state)) = self.state.frames.get_mut(path).map(|frame| &mut frame.step)
        else {
            return;
        };
        state.running = state.running.saturating_sub(1);
        match (result, parallel) {
            (Ok(output), None) => state.data = output,
            (Ok(output), Some(_)) => {
                state.outputs.insert(index, output);
            }
            (Err((problem, gave_up)), None) => {
                self.push_fail(path, problem, gave_up);
                return;
            }
            (Err((problem, _)), Some(parallel)) => {
                let value = json!({"error": problem.to_value()});
                state.outputs.insert(index, Arc::new(value));
                state.failures.insert(index, problem.clone());
                let intolerable = state.failures.len() > tolerated(parallel, state.items.len());
                if intolerable && parallel.fail_fast {
                    self.push_fail(path, problem, false);
                    return;
                }
            }
        }
        self.fill(path);
    }

    fn loop_done(&mut self, path: &TaskPath, parallel: Option<&Parallel>) {
        let Some(Step::Loop(state)) = self.state.frames.get_mut(path).map(|frame| &mut frame.step)
        else {
            return;
        };
        let Some(parallel) = parallel else {
            let data = state.data.clone();
            self.push_done(path, data);
            return;
        };
        let outputs = std::mem::take(&mut state.outputs);
        let failed = state.failures.len();
        let first = state.failures.pop_first();
        if failed > tolerated(parallel, state.items.len())
            && let Some((_, problem)) = first
        {
            self.push_fail(path, problem, false);
            return;
        }
        let outputs = outputs.into_values().map(Arc::unwrap_or_clone).collect();
        self.push_done(path, Arc::new(Value::Array(outputs)));
    }

    /// Whether one more failure of an item is something the author reckoned with.
    pub(super) fn tolerates(&self, path: &TaskPath) -> bool {
        let Some((_, Some(parallel))) = self.loop_of(path) else {
            return false;
        };
        match self.state.frames.get(path).map(|frame| &frame.step) {
            Some(Step::Loop(state)) => tolerated(parallel, state.items.len()) > 0,
            _ => false,
        }
    }

    fn loop_of(&self, path: &TaskPath) -> Option<(&'a For, Option<&'a Parallel>)> {
        let task = self.task(path)?;
        match &task.kind {
            Kind::For(of) => Some((of, task.common.hub.parallel.as_ref())),
            _ => None,
        }
    }

    pub(super) fn begin_fork(&mut self, path: &TaskPath, of: &Fork, input: &Data) {
        let left = (0..of.branches.len()).collect();
        self.set_step(
            path,
            Step::Fork {
                left,
                outputs: BTreeMap::new(),
            },
        );
        let list = path.join("fork/branches");
        for (index, (name, _)) in of.branches.iter().enumerate() {
            self.push_enter(path, list.task(index, name), input.clone());
        }
        if of.branches.is_empty() {
            self.push_done(path, Arc::new(Value::Array(Vec::new())));
        }
    }

    /// One branch of a fork is done; the first of competing ones ends the others.
    pub(super) fn branch_done(&mut self, path: &TaskPath, branch: &TaskPath, output: Data) {
        let Some(index) = branch_of(path, branch) else {
            return;
        };
        let competes = self.competes(path);
        let Some(Step::Fork { left, outputs }) =
            self.state.frames.get_mut(path).map(|frame| &mut frame.step)
        else {
            return;
        };
        left.retain(|other| *other != index);
        if competes {
            left.clear();
            self.abandon_below(path);
            self.set_step(path, Step::Ready);
            self.push_done(path, output);
            return;
        }
        outputs.insert(index, output);
        if left.is_empty() {
            let outputs = std::mem::take(outputs).into_values();
            let outputs = outputs.map(Arc::unwrap_or_clone).collect();
            self.push_done(path, Arc::new(Value::Array(outputs)));
        }
    }

    /// One branch failed: the fork fails, unless others still compete.
    pub(super) fn branch_failed(
        &mut self,
        path: &TaskPath,
        branch: &TaskPath,
        problem: Problem,
        gave_up: bool,
    ) {
        let Some(index) = branch_of(path, branch) else {
            return;
        };
        let competes = self.competes(path);
        let Some(Step::Fork { left, .. }) =
            self.state.frames.get_mut(path).map(|frame| &mut frame.step)
        else {
            return;
        };
        left.retain(|other| *other != index);
        if !competes || left.is_empty() {
            self.push_fail(path, problem, gave_up);
        }
    }

    pub(super) fn competes(&self, path: &TaskPath) -> bool {
        matches!(self.task(path).map(|task| &task.kind), Some(Kind::Fork(of)) if of.compete)
    }

    /// Stops everything below a frame.
    pub(super) fn abandon_below(&mut self, path: &TaskPath) {
        for below in self.below(path) {
            self.log(&below, What::Cancelled);
            self.abandon(&below);
        }
    }

    /// Frames strictly below, deepest last.
    pub(super) fn below(&self, path: &TaskPath) -> Vec<TaskPath> {
        let from = format!("{path}/");
        self.state
            .frames
            .range::<str, _>((
                std::ops::Bound::Included(from.as_str()),
                std::ops::Bound::Unbounded,
            ))
            .take_while(|(below, _)| below.as_str().starts_with(&from))
            .map(|(below, _)| below.clone())
            .collect()
    }
}

/// Failures a loop over so many items puts up with.
fn tolerated(parallel: &Parallel, items: usize) -> usize {
    match parallel.tolerance {
        Tolerance::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
        Tolerance::Percent(percent) => items * usize::from(percent) / 100,
    }
}

/// The index in `<path>/for/17/do` or `<path>/foreach/17/do`.
pub(super) fn place_in(path: &TaskPath, list: &TaskPath) -> Option<usize> {
    let rest = list.as_str().strip_prefix(path.as_str())?;
    rest.split('/').nth(2)?.parse().ok()
}

/// The index in `<path>/fork/branches/1/name`.
fn branch_of(path: &TaskPath, branch: &TaskPath) -> Option<usize> {
    let rest = branch.as_str().strip_prefix(path.as_str())?;
    rest.split('/').nth(3)?.parse().ok()
}
