//! What a committed transition asks for, done.

use super::super::commit::{After, Plan};
use super::super::invoke::Attempt;
use super::super::mailbox::Letter;
use super::super::{Changed, WorkflowError};
use super::{Loaded, Runner};
use std::sync::Arc;
use std::time::Duration;
use workflow::core::{Event, Outcome};

impl Runner {
    /// Does what a committed transition asks for; whether the run is over.
    pub(super) async fn carry_out(
        &mut self,
        loaded: &Loaded,
        plan: Plan,
    ) -> Result<bool, WorkflowError> {
        for after in plan.after {
            self.act(loaded, after).await;
        }
        let finished = plan.ending.is_some();
        if let Some(ending) = &plan.ending {
            let took = self.workflows.now().duration_since(loaded.facts.created_at);
            let took = Duration::try_from(took).unwrap_or_default();
            self.workflows.ended(&loaded.facts, ending, took);
        }
        let rests = finished || matches!(loaded.shown.phase, "waiting" | "suspended");
        let id = Arc::clone(&self.id);
        let changes = &self.workflows.changes;
        changes.tell(Changed { id, rests });
        if finished {
            changes.ends.notify_one();
        }
        Ok(finished)
    }

    async fn act(&mut self, loaded: &Loaded, after: After) {
        let workflows = &self.workflows;
        match after {
            After::Invoke(invoke) => {
                let key = (invoke.path.clone(), invoke.attempt);
                let cancelled = self.flying.get(&key).cloned().unwrap_or_default();
                workflows.dispatch(Attempt {
                    facts: Arc::clone(&loaded.facts),
                    invoke,
                    cancelled,
                });
            }
            After::Poll {
                path,
                attempt,
                call,
            } => {
                // No upstream of this build hands out handles, so none can be asked about.
                let outcome = Outcome::Unknown {
                    detail: format!("{:?} cannot be asked what became of it", call.target),
                };
                let event = Event::Outcome {
                    path,
                    attempt,
                    outcome,
                };
                drop(workflows.deliver(&self.id, Letter::Event(event)).await);
            }
            After::Cancel { path, attempt } => {
                if let Some(token) = self.flying.get(&(path, attempt)) {
                    token.cancel();
                }
            }
            After::Hint(due) => workflows.timers.hint(due),
            After::Locks(keys) => {
                workflows
                    .settle_locks(&loaded.facts.organization, &keys)
                    .await;
            }
            After::Wake(id) => drop(workflows.deliver(&id, Letter::Inbox).await),
            After::Route(event) => {
                workflows
                    .route_quietly(&loaded.facts.organization, &event)
                    .await;
            }
            After::Asked(id) => workflows.announce_question(&id).await,
        }
    }
}
