//! Dropping what is under way. A call that was sent may still answer, and then counts for compensation.

use super::super::command::{Command, Suspended};
use super::super::entry::What;
use super::super::event::Outcome;
use super::super::path::TaskPath;
use super::super::state::{
    Calling, Data, DrainKind, Draining, Frame, Phase, Step, UndoInput, Work,
};
use super::Machine;
use crate::dsl::model::Effect;

impl Machine<'_> {
    pub(super) fn abandon_all(&mut self) {
        let paths: Vec<_> = self.state.frames.keys().cloned().collect();
        for path in paths {
            self.abandon(&path);
        }
    }

    /// Drops a frame that did not end by itself. What it sent may still answer.
    pub(super) fn abandon(&mut self, path: &TaskPath) {
        let from = self.undo_input(path);
        let Some(frame) = self.state.frames.get(path).cloned() else {
            return;
        };
        let rule = self
            .task(path)
            .and_then(|task| task.common.hub.compensate.as_ref());
        match &frame.step {
            Step::Call(calling) => self.abandon_call(path, &frame, calling, rule.map(|_| from)),
            Step::Asking(asking) => {
                let attempt = asking.attempt;
                self.out.push(Command::Withdraw {
                    path: path.clone(),
                    attempt,
                });
            }
            Step::Listen(_) => self.out.push(Command::StopAwait { path: path.clone() }),
            Step::Child { attempt, key } => {
                let attempt = *attempt;
                self.out.push(Command::CancelChild {
                    path: path.clone(),
                    attempt,
                });
                self.state.draining.push(Draining {
                    path: path.clone(),
                    attempt,
                    key: key.clone(),
                    since: self.state.now,
                    handle: None,
                    of: DrainKind::Child,
                    held: false,
                });
            }
            _ => {}
        }
        self.drop_frame(path);
    }

    fn abandon_call(
        &mut self,
        path: &TaskPath,
        frame: &Frame,
        calling: &Calling,
        undo: Option<UndoInput>,
    ) {
        match &calling.phase {
            Phase::Asking(asking) => {
                let attempt = asking.attempt;
                self.out.push(Command::Withdraw {
                    path: path.clone(),
                    attempt,
                });
            }
            Phase::Flying { handle, .. } => {
                self.out.push(Command::CancelInvoke {
                    path: path.clone(),
                    attempt: calling.attempt,
                    handle: handle.clone(),
                });
                if calling.effect != Effect::Read {
                    self.drain_call(path, calling, undo, handle.clone());
                }
            }
            Phase::Verifying { .. }
            | Phase::Held {
                why: Suspended::Unknown,
                ..
            } => {
                // It may have taken place, and nothing more will be heard of it.
                self.drain_call(path, calling, undo, None);
                self.hold_draining(path, calling.attempt);
            }
            Phase::Ready => {
                // It is done, and that was not yet acted on.
                let done = self.state.queue.iter().find_map(|work| match work {
                    Work::Done { id, output, .. } if *id == frame.id => Some(output.clone()),
                    _ => None,
                });
                if let (Some(from), Some(output)) = (undo, done) {
                    self.register_late(path, calling.attempt, from, &output);
                }
            }
            Phase::Backoff | Phase::Parked | Phase::Held { .. } => {}
        }
    }

    fn drain_call(
        &mut self,
        path: &TaskPath,
        calling: &Calling,
        undo: Option<UndoInput>,
        handle: Option<String>,
    ) {
        self.state.draining.push(Draining {
            path: path.clone(),
            attempt: calling.attempt,
            key: self.key(path, calling.attempt),
            since: self.state.now,
            handle,
            of: DrainKind::Call {
                call: calling.call.clone(),
                undo,
            },
            held: false,
        });
    }

    pub(super) fn drain_of(&mut self, path: &TaskPath, attempt: u32) -> Option<&mut Draining> {
        let drains = self.state.draining.iter_mut();
        drains
            .into_iter()
            .find(|drain| drain.path == *path && drain.attempt == attempt)
    }

    fn take_draining(&mut self, path: &TaskPath, attempt: u32) -> Option<Draining> {
        let fits = |drain: &Draining| drain.path == *path && drain.attempt == attempt;
        let at = self.state.draining.iter().position(fits)?;
        Some(self.state.draining.remove(at))
    }

    /// Whether an outcome was one of a cancelled attempt.
    pub(super) fn drained(&mut self, path: &TaskPath, attempt: u32, outcome: &Outcome) -> bool {
        let Some(drain) = self.drain_of(path, attempt) else {
            return false;
        };
        match outcome {
            Outcome::Unknown { .. } => {
                drain.handle = None;
                self.hold_draining(path, attempt);
            }
            Outcome::Completed(output) => {
                if let Some(Draining {
                    of:
                        DrainKind::Call {
                            undo: Some(from), ..
                        },
                    ..
                }) = self.take_draining(path, attempt)
                {
                    self.register_late(path, attempt, from, output);
                }
            }
            Outcome::Failed(_) | Outcome::Parked { .. } | Outcome::ApprovalNeeded { .. } => {
                self.take_draining(path, attempt);
            }
        }
        true
    }

    pub(super) fn drained_child(&mut self, path: &TaskPath, attempt: u32) -> bool {
        self.take_draining(path, attempt).is_some()
    }

    /// Nothing more will be heard of a cancelled attempt. With a compensation an operator must say
    /// whether it took place; without one there is nothing to decide.
    pub(super) fn hold_draining(&mut self, path: &TaskPath, attempt: u32) {
        let Some(drain) = self.drain_of(path, attempt) else {
            return;
        };
        if drain.held {
            return;
        }
        let call = matches!(drain.of, DrainKind::Call { .. });
        let decides = matches!(drain.of, DrainKind::Call { undo: Some(_), .. });
        drain.held = decides;
        if call {
            let detail = "it was cancelled and did not answer".to_owned();
            self.log(path, What::Unknown { attempt, detail });
        }
        if decides {
            self.suspended(path, Suspended::Unknown, None);
        } else {
            self.take_draining(path, attempt);
        }
    }

    pub(super) fn grace_over(&mut self) {
        for drain in self.state.draining.clone() {
            self.hold_draining(&drain.path, drain.attempt);
        }
    }

    /// The run ends; what has not answered stays unknown.
    pub(super) fn lose_draining(&mut self) {
        for drain in std::mem::take(&mut self.state.draining) {
            if matches!(drain.of, DrainKind::Call { .. }) && !drain.held {
                let detail = "the run ended before it answered".to_owned();
                self.log(
                    &drain.path,
                    What::Unknown {
                        attempt: drain.attempt,
                        detail,
                    },
                );
            }
        }
    }

    pub(super) fn settle_draining(&mut self, path: &TaskPath, ran: Option<&Data>) -> bool {
        let held = |drain: &&Draining| drain.held && drain.path == *path;
        let Some(attempt) = self
            .state
            .draining
            .iter()
            .find(held)
            .map(|drain| drain.attempt)
        else {
            return false;
        };
        let Some(drain) = self.take_draining(path, attempt) else {
            return false;
        };
        if let (
            Some(output),
            DrainKind::Call {
                undo: Some(from), ..
            },
        ) = (ran, drain.of)
        {
            self.register_late(path, attempt, from, output);
        }
        true
    }
}
