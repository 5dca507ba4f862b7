//! A run on a newer definition: what its history says of that, and calls that are written otherwise now.

use super::super::entry::What;
use super::super::path::TaskPath;
use super::super::problem::Problem;
use super::super::state::Step;
use super::Machine;
use crate::dsl::model::Kind;
use std::sync::Arc;

impl<'a> Machine<'a> {
    /// Notes the change of definition.
    pub(in crate::core) fn adopted(&mut self, from: String) {
        let to = self.definition.digest.clone();
        self.log(&TaskPath::run(), What::RunAdopted { from, to });
    }

    /// Before a call is made again because an operator says so: what is called is what the definition
    /// says now. Another call is another effect, with a key of its own, and nobody has agreed to it yet.
    /// Whether people are asked again.
    pub(super) fn as_written(&mut self, path: &TaskPath) -> Result<bool, Problem> {
        let Some((task, input)) = self
            .task(path)
            .zip(self.state.frames.get(path).map(|frame| frame.input.clone()))
        else {
            return Ok(false);
        };
        let (Kind::Call(call), Some(Step::Call(calling))) = (
            &task.kind,
            self.state.frames.get(path).map(|frame| &frame.step),
        ) else {
            return Ok(false);
        };
        let call = self.invocation(path, call, &input)?;
        if *calling.call == call {
            return Ok(false);
        }
        let hub = &task.common.hub;
        let effect = hub.effect.unwrap_or_else(|| self.effect(&call));
        if let Some(calling) = self.calling_at(path) {
            calling.call = Arc::new(call);
            calling.effect = effect;
            calling.granted = None;
            calling.began = 0;
        }
        match &hub.approval {
            None => Ok(false),
            Some(approval) => self.ask_call(path, approval).map(|()| true),
        }
    }
}
