//! What takes the effect of a step back: registered when the step completes, run when the run ends badly.

use super::super::command::{Invocation, Suspended, Target};
use super::super::entry::What;
use super::super::path::TaskPath;
use super::super::problem::Problem;
use super::super::state::{Data, Step, Undo, UndoInput, Vars};
use super::Machine;
use crate::dsl::model::{Compensation, Task};
use std::sync::Arc;

impl<'a> Machine<'a> {
    /// Registers what takes a task's effect back, in the transition that completes the task.
    pub(super) fn register(
        &mut self,
        path: &TaskPath,
        task: &'a Task,
        output: &Data,
    ) -> Result<(), Problem> {
        let Some(rule) = &task.common.hub.compensate else {
            return Ok(());
        };
        let Some(frame) = self.state.frames.get(path) else {
            return Ok(());
        };
        if matches!(frame.step, Step::Skipped) {
            return Ok(());
        }
        let attempt = match &frame.step {
            Step::Call(calling) if calling.attempt > 0 => calling.attempt,
            Step::Child { attempt, .. } => *attempt,
            _ => self.next_attempt(path),
        };
        let from = self.undo_input(path);
        self.register_from(path, attempt, rule, (from, output))
    }

    pub(super) fn undo_input(&self, path: &TaskPath) -> UndoInput {
        let mut vars = Vars::new();
        for above in path.ancestors() {
            for (name, data) in self
                .state
                .frames
                .get(above)
                .iter()
                .flat_map(|frame| &frame.vars)
            {
                vars.entry(name.clone()).or_insert_with(|| data.clone());
            }
        }
        let input = self.state.frames.get(path).map(|frame| frame.input.clone());
        UndoInput {
            input: input.unwrap_or_default(),
            vars,
        }
    }

    fn register_from(
        &mut self,
        path: &TaskPath,
        attempt: u32,
        rule: &Compensation,
        (from, output): (UndoInput, &Data),
    ) -> Result<(), Problem> {
        let scope = self
            .scope(path)
            .with_input(&from.input)
            .with_output(output)
            .with(&from.vars);
        let with = self.template(&rule.with, &from.input, &scope)?;
        let target = Target::Tool {
            id: rule.call.clone(),
            version: None,
        };
        let key = format!("{}:undo", self.key(path, attempt));
        let call = Arc::new(Invocation { target, with });
        let effect = self.effect(&call);
        self.log(path, What::Registered { key: key.clone() });
        self.state.undo.push(Undo {
            path: path.clone(),
            key,
            call,
            effect,
        });
        Ok(())
    }

    /// Registers the compensation of a call that nobody waited for any more.
    pub(super) fn register_late(
        &mut self,
        path: &TaskPath,
        attempt: u32,
        from: UndoInput,
        output: &Data,
    ) {
        let rule = self
            .task(path)
            .and_then(|task| task.common.hub.compensate.as_ref());
        let Some(rule) = rule else { return };
        if let Err(problem) = self.register_from(path, attempt, rule, (from, output)) {
            // Nothing can be taken back with arguments that cannot be computed: people must know.
            let problem = problem.at(path);
            self.suspended(path, Suspended::Compensation, Some(problem));
        }
    }
}
