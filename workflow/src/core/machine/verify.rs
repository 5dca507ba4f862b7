//! Calls whose outcome nobody knows: the tool the author named is asked, or an operator.

use super::super::command::{Command, Invocation, Invoke, Purpose, Suspended, Target};
use super::super::entry::What;
use super::super::event::Outcome;
use super::super::path::TaskPath;
use super::super::problem::Problem;
use super::super::state::Phase;
use super::Machine;
use crate::dsl::model::Effect;
use serde_json::Value;
use std::sync::Arc;

impl Machine<'_> {
    /// A `once` attempt was sent and nobody knows what became of it.
    pub(super) fn lost(&mut self, path: &TaskPath, detail: String) {
        let Some(calling) = self.calling_at(path) else {
            return;
        };
        let (attempt, undo) = (calling.attempt, calling.undo.is_some());
        self.log(path, What::Unknown { attempt, detail });
        if undo {
            self.hold(path, Suspended::Compensation, None);
            return;
        }
        match self.ask_whether(path) {
            Ok(true) => {}
            Ok(false) => self.hold(path, Suspended::Unknown, None),
            Err(problem) => self.hold(path, Suspended::Unknown, Some(problem.at(path))),
        }
    }

    /// Asks the tool the author named whether a lost attempt took place; `false` when there is none.
    fn ask_whether(&mut self, path: &TaskPath) -> Result<bool, Problem> {
        let Some(verify) = self
            .task(path)
            .and_then(|task| task.common.hub.verify.as_ref())
        else {
            return Ok(false);
        };
        let Some(frame) = self.state.frames.get(path) else {
            return Ok(false);
        };
        let input = frame.input.clone();
        let with = self.template(&verify.with, &input, &self.scope(path))?;
        let call = Arc::new(Invocation {
            target: Target::Tool {
                id: verify.call.clone(),
                version: None,
            },
            with,
        });
        let (attempt, epoch) = (self.next_attempt(path), self.state.epoch);
        self.set_phase(path, Phase::Verifying { epoch, attempt });
        let key = self.key(path, attempt);
        self.log(
            path,
            What::Dispatched {
                attempt,
                key,
                purpose: Purpose::Verify,
                call: call.clone(),
            },
        );
        self.send_verify(path, attempt, call);
        Ok(true)
    }

    fn send_verify(&mut self, path: &TaskPath, attempt: u32, call: Arc<Invocation>) {
        let timeouts = self.timeouts(path);
        self.out.push(Command::Invoke(Box::new(Invoke {
            path: path.clone(),
            attempt,
            key: self.key(path, attempt),
            call,
            effect: Effect::Read,
            purpose: Purpose::Verify,
            timeouts,
            approval: None,
        })));
    }

    pub(super) fn verified(&mut self, path: &TaskPath, outcome: Outcome) {
        let Outcome::Completed(answer) = outcome else {
            self.hold(path, Suspended::Unknown, None);
            return;
        };
        let holds = self
            .task(path)
            .and_then(|task| task.common.hub.verify.as_ref());
        let holds = match holds.and_then(|verify| verify.holds.as_ref()) {
            Some(holds) => self.holds(holds, &answer, &self.scope(path)),
            None => Ok(!matches!(&*answer, Value::Null | Value::Bool(false))),
        };
        match holds {
            Ok(true) => {
                self.ready(path);
                self.push_done(path, answer);
            }
            Ok(false) => {
                self.ready(path);
                self.push_proceed(path);
            }
            Err(problem) => self.hold(path, Suspended::Unknown, Some(problem.at(path))),
        }
    }
}
