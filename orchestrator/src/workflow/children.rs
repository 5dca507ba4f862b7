//! Runs that runs start: born in their parent's commit, their end told in their own.

use super::Workflows;
use super::commit::Plan;
use super::runner::Facts;
use super::sensitive::Sensitive;
use super::start::NewRun;
use crate::store::{Statement, StoreError};
use shared::error::Code;
use std::sync::Arc;
use workflow::core::{ChildOutcome, Control, Ending, Event, Problem, Reason, Spawn, TaskPath};

/// What becomes of a request for a child.
pub(super) enum Birth {
    /// Its rows; nothing when it was born before.
    Born(Arc<str>, Vec<Statement>),
    /// It cannot be.
    Refused(Problem),
}

impl Workflows {
    /// The rows of a child, once per key.
    pub(super) async fn bear(
        &self,
        facts: &Arc<Facts>,
        spawn: &Spawn,
    ) -> Result<Birth, StoreError> {
        let refused =
            |why: String| Ok(Birth::Refused(super::answers::problem(Code::NotFound, why)));
        let name = (spawn.namespace.as_str(), spawn.name.as_str());
        let kept = self
            .newest(&facts.organization, name, &spawn.version)
            .await?;
        let Some(kept) = kept else {
            return refused(format!(
                "there is no workflow {}/{} {}",
                spawn.namespace, spawn.name, spawn.version
            ));
        };
        let definition = match self.definition(&facts.organization, &kept.digest).await {
            Ok(definition) => definition,
            Err(error) => return refused(error.to_string()),
        };
        if let Some(born) = self.by_key(&facts.principal, &spawn.key).await? {
            return Ok(Birth::Born(born.id, Vec::new()));
        }
        let child = NewRun {
            organization: Arc::clone(&facts.organization),
            namespace: Arc::clone(&facts.namespace),
            principal: Arc::clone(&facts.principal),
            correlation_id: facts.correlation_id.clone(),
            definition: &definition,
            short: false,
            input: Arc::clone(&spawn.input),
            key: Some(spawn.key.clone()),
            request_hash: String::new(),
            depth: spawn.depth,
            parent: Some((
                Arc::clone(&facts.id),
                format!("{}#{}", spawn.path, spawn.attempt),
                spawn.wait,
            )),
            schedule: None,
            rerun: None,
            sensitive: Sensitive::like(&facts.sensitive),
        };
        let (id, statements) = self.new_run(child);
        Ok(Birth::Born(id, statements))
    }

    /// Puts a cancellation into the inbox of a child that is open.
    pub(super) async fn cancel_child(
        &self,
        plan: &mut Plan,
        facts: &Arc<Facts>,
        path: &TaskPath,
        attempt: u32,
    ) -> Result<(), StoreError> {
        let sql = "SELECT id FROM workflows WHERE parent_id = $1 AND parent_path = $2 \
                   AND finished_at IS NULL";
        let select = Statement::new(sql)
            .bind(facts.id.as_ref())
            .bind(format!("{path}#{attempt}"));
        for row in &self.instance.store().read(select).await? {
            let cancel = Event::Control(Control::Cancel(Reason {
                by: format!("workflow:{}", facts.id),
                why: "the run that started it does not wait any more".into(),
            }));
            self.post_to(plan, &row.text("id")?.into(), &cancel);
        }
        Ok(())
    }

    /// Tells the run that started this one, in the same commit.
    pub(super) fn tell_parent(&self, plan: &mut Plan, facts: &Facts, ending: &Ending) {
        let Some((parent, place)) = &facts.parent else {
            return;
        };
        let Some((path, attempt)) = place.rsplit_once('#') else {
            return;
        };
        let Ok(attempt) = attempt.parse() else {
            return;
        };
        let outcome = match ending {
            Ending::Completed(output) => ChildOutcome::Completed(Arc::clone(output)),
            Ending::Faulted(problem) => ChildOutcome::Faulted(problem.clone()),
            Ending::Cancelled(_) | Ending::Killed(_) => ChildOutcome::Cancelled,
        };
        let ended = Event::Child {
            path: TaskPath::new(path),
            attempt,
            outcome,
        };
        let post = self.post_closed(parent, &ended, &facts.sensitive);
        self.put_into(plan, parent, post);
    }
}
