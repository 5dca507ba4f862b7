//! Writing a run down: its own rows, and the commit that holds them with everything else.

use super::super::commit::Plan;
use super::super::{WorkflowError, show};
use super::{Loaded, Runner};
use crate::store::{Statement, StoreError, micros};
use std::time::Duration;

/// Pauses between attempts to commit while the store is away.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Runner {
    /// The run's own rows: its state, refused unless this hub owns the run and nobody else has moved it
    /// on, and where it stands when that has changed.
    pub(super) fn state_rows(&self, loaded: &mut Loaded, plan: &Plan) -> Vec<Statement> {
        let owner = self.workflows.instance.id().as_ref();
        if plan.ending.is_some() {
            let sql =
                "DELETE FROM workflow_states WHERE workflow_id = $1 AND seq = $2 AND owner = $3";
            let delete = Statement::new(sql)
                .bind(self.id.as_ref())
                .bind(loaded.seq)
                .bind(owner);
            return vec![delete.expect(1)];
        }
        let sql = "UPDATE workflow_states SET state = $2, seq = $3 + 1, in_flight = $4 \
                   WHERE workflow_id = $1 AND seq = $3 AND owner = $5";
        let in_flight = i64::try_from(loaded.run.status().in_flight).unwrap_or(i64::MAX);
        let state = String::from_utf8_lossy(&loaded.run.save()).into_owned();
        let sensitive = &loaded.facts.sensitive;
        let state = self.workflows.closed(&self.id, state, sensitive);
        let update = Statement::new(sql)
            .bind(self.id.as_ref())
            .bind(state)
            .bind(loaded.seq)
            .bind(in_flight)
            .bind(owner);
        let mut statements = vec![update.expect(1)];
        let shown = show::shown(&loaded.run);
        if shown != loaded.shown {
            let sql = "UPDATE workflows SET status = $2, phase = $3, current_step = $4, waits = $5, \
                       updated_at = $6 WHERE id = $1";
            let update = Statement::new(sql)
                .bind(self.id.as_ref())
                .bind(shown.status)
                .bind(shown.phase)
                .bind(shown.step.clone())
                .bind(shown.waits.clone())
                .bind(micros(self.workflows.now()));
            statements.push(update);
            loaded.shown = shown;
        }
        statements
    }

    /// Commits, as long as it takes: a full disk or a locked database holds a run up and loses nothing.
    pub(super) async fn commit(
        &self,
        loaded: &mut Loaded,
        statements: Vec<Statement>,
    ) -> Result<(), WorkflowError> {
        let mut pause = FIRST_PAUSE;
        let store = self.workflows.instance.store();
        let mut tried = false;
        loop {
            match store.write(statements.clone()).await {
                Ok(_) => {
                    loaded.seq += 1;
                    return Ok(());
                }
                // The attempt before may have been committed after all.
                Err(StoreError::Unexpected(0)) if tried => return self.was_committed(loaded).await,
                Err(error @ StoreError::Unexpected(_)) => return Err(error.into()),
                Err(error) if self.workflows.gateway.tasks.is_stopping() => {
                    return Err(error.into());
                }
                Err(error) => {
                    tracing::warn!(
                        event = "workflow_commit",
                        workflow_id = &*self.id,
                        %error,
                        "a transition could not be committed; it is tried again"
                    );
                    tried = true;
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn was_committed(&self, loaded: &mut Loaded) -> Result<(), WorkflowError> {
        if self.workflows.seq_of(&self.id).await? != Some(loaded.seq + 1) {
            return Err(StoreError::Unexpected(0).into());
        }
        loaded.seq += 1;
        Ok(())
    }
}
