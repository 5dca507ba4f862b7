//! After a crash: what was in flight under an earlier epoch is an orphan.
//!
//! Only calls are looked at. Timers, locks, requests, child runs and events are rows that were stored
//! with the transition that asked for them; they need nothing.

use super::super::command::Command;
use super::super::entry::What;
use super::super::path::TaskPath;
use super::super::state::{DrainKind, Phase, Step};
use super::Machine;
use crate::dsl::model::Effect;

/// What becomes of an orphan.
enum Orphan {
    Resend,
    Poll(String),
    Lost,
    AskAgain,
}

impl Machine<'_> {
    pub(super) fn recover(&mut self, epoch: u64) {
        if epoch <= self.state.epoch {
            return;
        }
        self.state.epoch = epoch;
        if self.state.started.is_none() {
            return;
        }
        self.log(&TaskPath::run(), What::RunRecovered { epoch });
        let paths: Vec<_> = self.state.frames.keys().cloned().collect();
        for path in paths {
            if let Some(orphan) = self.orphan(&path, epoch) {
                self.adopt(&path, orphan);
            }
        }
        for drain in self.state.draining.clone() {
            match (drain.of, drain.handle) {
                (DrainKind::Child, _) => {}
                (DrainKind::Call { call, .. }, Some(handle)) => {
                    let (path, attempt) = (drain.path, drain.attempt);
                    self.out.push(Command::Poll {
                        path,
                        attempt,
                        handle,
                        call,
                    });
                }
                (DrainKind::Call { .. }, None) => self.hold_draining(&drain.path, drain.attempt),
            }
        }
    }

    /// What is to become of the call at `path`, which is taken over into `now`; `None` when it is no
    /// orphan.
    fn orphan(&mut self, path: &TaskPath, now: u64) -> Option<Orphan> {
        let Step::Call(calling) = &mut self.state.frames.get_mut(path)?.step else {
            return None;
        };
        let effect = calling.effect;
        match &mut calling.phase {
            Phase::Flying { epoch, handle } if *epoch < now => {
                *epoch = now;
                Some(match (handle, effect) {
                    (Some(handle), _) => Orphan::Poll(handle.clone()),
                    (None, Effect::Read | Effect::Idempotent) => Orphan::Resend,
                    (None, Effect::Once) => Orphan::Lost,
                })
            }
            Phase::Verifying { epoch, .. } if *epoch < now => {
                *epoch = now;
                Some(Orphan::AskAgain)
            }
            _ => None,
        }
    }

    fn adopt(&mut self, path: &TaskPath, orphan: Orphan) {
        let Some(calling) = self.calling_at(path) else {
            return;
        };
        let (attempt, call) = (calling.attempt, calling.call.clone());
        let detail = || "the hub stopped while it was under way".to_owned();
        match orphan {
            Orphan::Resend => {
                self.send(path);
            }
            Orphan::Poll(handle) => {
                let path = path.clone();
                self.out.push(Command::Poll {
                    path,
                    attempt,
                    handle,
                    call,
                });
            }
            // Asking is a read: a new question is as good as the old one.
            Orphan::Lost | Orphan::AskAgain => self.lost(path, detail()),
        }
    }
}
