//! Calls: written down before they are sent, sent again only when that is safe.

use super::super::command::{
    AttemptTimeouts, Command, Granted, Invocation, Invoke, Purpose, Spawn, Suspended,
};
use super::super::entry::What;
use super::super::event::{Failure, Outcome, TimerKind};
use super::super::path::TaskPath;
use super::super::problem::{Fault, Problem};
use super::super::state::{Calling, Phase, Step};
use super::Machine;
use crate::dsl::model::{Call, Effect, Run, Task};
use std::sync::Arc;

impl<'a> Machine<'a> {
    pub(super) fn begin_call(
        &mut self,
        path: &TaskPath,
        task: &'a Task,
        call: &'a Call,
    ) -> Result<(), Problem> {
        let Some(frame) = self.state.frames.get(path) else {
            return Ok(());
        };
        let input = frame.input.clone();
        if let Call::Function { name, arguments } = call {
            let arguments = self.template(arguments, &input, &self.scope(path))?;
            self.set_step(path, Step::Nest);
            let name = name.replace('~', "~0").replace('/', "~1");
            self.push_enter(path, path.join("call").join(&name), Arc::new(arguments));
            return Ok(());
        }
        let invocation = self.invocation(path, call, &input)?;
        self.call(path, task, invocation)
    }

    pub(super) fn begin_run(
        &mut self,
        path: &TaskPath,
        task: &'a Task,
        run: &'a Run,
    ) -> Result<(), Problem> {
        let Some(frame) = self.state.frames.get(path) else {
            return Ok(());
        };
        let data = frame.input.clone();
        let (namespace, name, version, input, wait) = match run {
            Run::Process(process) => {
                let invocation = self.process(path, process, &data)?;
                return self.call(path, task, invocation);
            }
            Run::Workflow {
                namespace,
                name,
                version,
                input,
                wait,
            } => (namespace, name, version, input, *wait),
        };
        let depth = self.state.settings.depth + 1;
        if depth > self.state.settings.limits.depth {
            let detail = format!(
                "runs may start runs {} deep",
                self.state.settings.limits.depth
            );
            return Err(Problem::new(Fault::Runtime, "too deep", detail));
        }
        self.count_children(1)?;
        let input = match input {
            Some(template) => Arc::new(self.template(template, &data, &self.scope(path))?),
            None => data.clone(),
        };
        let attempt = self.next_attempt(path);
        let key = self.key(path, attempt);
        self.log(path, What::Spawned { key: key.clone() });
        if wait {
            self.set_step(
                path,
                Step::Child {
                    attempt,
                    key: key.clone(),
                },
            );
        } else {
            self.push_done(path, data);
        }
        self.out.push(Command::Spawn(Box::new(Spawn {
            path: path.clone(),
            attempt,
            key,
            namespace: namespace.clone(),
            name: name.clone(),
            version: version.clone(),
            input,
            wait,
            depth,
        })));
        Ok(())
    }

    fn call(&mut self, path: &TaskPath, task: &'a Task, call: Invocation) -> Result<(), Problem> {
        let effect = task.common.hub.effect.unwrap_or_else(|| self.effect(&call));
        let calling = self.calling(call, effect, None);
        self.set_step(path, Step::Call(Box::new(calling)));
        match &task.common.hub.approval {
            Some(approval) => self.ask_call(path, approval),
            None => {
                self.dispatch(path);
                Ok(())
            }
        }
    }

    pub(super) fn calling(
        &self,
        call: Invocation,
        effect: Effect,
        undo: Option<String>,
    ) -> Calling {
        Calling {
            call: Arc::new(call),
            effect,
            began: 0,
            attempt: 0,
            tries: 0,
            first: self.state.now,
            phase: Phase::Ready,
            granted: None,
            undo,
        }
    }

    pub(super) fn calling_at(&mut self, path: &TaskPath) -> Option<&mut Calling> {
        match &mut self.state.frames.get_mut(path)?.step {
            Step::Call(calling) => Some(calling),
            _ => None,
        }
    }

    /// Decides on the next attempt. It is sent when this transition is stored.
    pub(super) fn dispatch(&mut self, path: &TaskPath) {
        self.stop_timer(path, TimerKind::Probe);
        self.stop_timer(path, TimerKind::Retry);
        let (attempt, epoch) = (self.next_attempt(path), self.state.epoch);
        let Some(calling) = self.calling_at(path) else {
            return;
        };
        if calling.began == 0 {
            calling.began = attempt;
        }
        calling.attempt = attempt;
        calling.tries += 1;
        calling.phase = Phase::Flying {
            epoch,
            handle: None,
        };
        let purpose = if calling.undo.is_some() {
            Purpose::Undo
        } else {
            Purpose::Step
        };
        let call = calling.call.clone();
        if let Some(key) = self.send(path) {
            self.log(
                path,
                What::Dispatched {
                    attempt,
                    key,
                    purpose,
                    call,
                },
            );
        }
    }

    /// Sends the present attempt, for the first time or again. Gives its key.
    pub(super) fn send(&mut self, path: &TaskPath) -> Option<String> {
        let timeouts = self.timeouts(path);
        let calling = self.calling_at(path)?.clone();
        let key = self.state.key_of(path, &calling)?;
        let purpose = if calling.undo.is_some() {
            Purpose::Undo
        } else {
            Purpose::Step
        };
        self.out.push(Command::Invoke(Box::new(Invoke {
            path: path.clone(),
            attempt: calling.attempt,
            key: key.clone(),
            call: calling.call,
            effect: calling.effect,
            purpose,
            timeouts,
            approval: calling.granted,
        })));
        Some(key)
    }

    pub(super) fn timeouts(&self, path: &TaskPath) -> AttemptTimeouts {
        let limits = &self.state.settings.limits;
        let hub = self.task(path).map(|task| &task.common.hub.timeouts);
        let input = self.state.frames.get(path).map(|frame| &frame.input);
        let own = |length: Option<&crate::dsl::model::Length>, otherwise| match (length, input) {
            (Some(length), Some(input)) => self.length(path, length, input).unwrap_or(otherwise),
            _ => otherwise,
        };
        AttemptTimeouts {
            queue: own(hub.and_then(|hub| hub.queue.as_ref()), limits.queue),
            run: limits.call,
            heartbeat: own(hub.and_then(|hub| hub.heartbeat.as_ref()), limits.heartbeat),
        }
    }

    pub(super) fn accepted(&mut self, path: &TaskPath, attempt: u32, given: String) {
        if let Some(drain) = self.drain_of(path, attempt) {
            drain.handle = Some(given);
            return;
        }
        let Some(calling) = self
            .calling_at(path)
            .filter(|calling| calling.attempt == attempt)
        else {
            return;
        };
        if let Phase::Flying { handle, .. } = &mut calling.phase {
            *handle = Some(given.clone());
            self.log(
                path,
                What::Accepted {
                    attempt,
                    handle: given,
                },
            );
        }
    }

    /// An attempt ended.
    pub(super) fn outcome(&mut self, path: &TaskPath, attempt: u32, outcome: Outcome) {
        if self.drained(path, attempt, &outcome) {
            return;
        }
        let Some(calling) = self.calling_at(path) else {
            return;
        };
        match &calling.phase {
            Phase::Verifying { attempt: own, .. } if *own == attempt => {
                self.verified(path, outcome);
            }
            Phase::Flying { .. } if calling.attempt == attempt => self.landed(path, outcome),
            _ => {}
        }
    }

    fn landed(&mut self, path: &TaskPath, outcome: Outcome) {
        let now = self.state.now;
        let Some(calling) = self.calling_at(path) else {
            return;
        };
        let (attempt, effect) = (calling.attempt, calling.effect);
        match outcome {
            Outcome::Completed(output) => {
                calling.phase = Phase::Ready;
                let output = self.process_output(path, output);
                self.push_done(path, output);
            }
            Outcome::Failed(failure) => self.attempt_failed(path, failure),
            Outcome::Unknown { detail } if effect == Effect::Once => self.lost(path, detail),
            Outcome::Unknown { detail } => self.attempt_failed(
                path,
                Failure {
                    problem: Problem::new(Fault::Communication, "no answer", detail),
                    ran: true,
                    transient: true,
                    retry_after: None,
                },
            ),
            Outcome::Parked { detail } => {
                calling.tries = calling.tries.saturating_sub(1);
                calling.first = now;
                calling.phase = Phase::Parked;
                self.log(path, What::Parked { detail });
                self.timer(
                    path,
                    TimerKind::Probe,
                    self.later(self.state.settings.limits.probe),
                );
            }
            Outcome::ApprovalNeeded { request } => {
                calling.tries = calling.tries.saturating_sub(1);
                self.ask_elsewhere(path, attempt, request);
            }
        }
    }

    fn attempt_failed(&mut self, path: &TaskPath, failure: Failure) {
        let problem = failure.problem.at(path);
        let Some(calling) = self.calling_at(path) else {
            return;
        };
        let calling = calling.clone();
        let attempt = calling.attempt;
        self.log(
            path,
            What::AttemptFailed {
                attempt,
                problem: problem.clone(),
            },
        );
        let undo = calling.undo.is_some();
        if !undo && (!failure.transient || self.caught(path, &problem)) {
            self.ready(path);
            self.push_fail(path, problem, failure.transient);
            return;
        }
        let safe = calling.effect != Effect::Once || !failure.ran;
        if failure.transient
            && safe
            && let Some(at) = self.next_try(path, &calling, failure.retry_after)
        {
            self.set_phase(path, Phase::Backoff);
            self.log(path, What::RetryAt { at });
            self.timer(path, TimerKind::Retry, at);
            return;
        }
        if !undo && !self.suspends(path, &problem) {
            self.ready(path);
            self.push_fail(path, problem, true);
            return;
        }
        let why = if undo {
            Suspended::Compensation
        } else {
            Suspended::Exhausted
        };
        self.hold(path, why, Some(problem));
    }

    pub(super) fn ready(&mut self, path: &TaskPath) {
        self.set_phase(path, Phase::Ready);
    }

    pub(super) fn set_phase(&mut self, path: &TaskPath, phase: Phase) {
        if let Some(calling) = self.calling_at(path) {
            calling.phase = phase;
        }
    }

    pub(super) fn hold(&mut self, path: &TaskPath, why: Suspended, problem: Option<Problem>) {
        self.set_phase(
            path,
            Phase::Held {
                why,
                problem: problem.clone(),
            },
        );
        self.suspended(path, why, problem);
    }

    pub(super) fn available(&mut self, path: &TaskPath) {
        let Some(calling) = self.calling_at(path) else {
            return;
        };
        if matches!(calling.phase, Phase::Parked) {
            calling.phase = Phase::Ready;
            self.stop_timer(path, TimerKind::Probe);
            self.push_proceed(path);
        }
    }

    /// A call whose approval came through.
    pub(super) fn granted(&mut self, path: &TaskPath, granted: Granted) {
        if let Some(calling) = self.calling_at(path) {
            calling.granted = Some(granted);
            calling.phase = Phase::Ready;
            self.push_proceed(path);
        }
    }
}
