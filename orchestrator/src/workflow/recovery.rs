//! Taking runs up: at start, after another hub of the same store was killed, and whatever stands still
//! without a reason.
//!
//! A run that only waits is not loaded: its rows say all there is. Runs with attempts in flight are, so
//! that the core learns which of them are orphans.

use super::mailbox::Letter;
use super::rows::{COLUMNS, RunRow};
use super::runner::{Facts, Loaded};
use super::{WorkflowError, Workflows};
use crate::store::{Statement, StoreError};
use std::sync::Arc;
use std::time::Duration;
use workflow::core::Run;

/// How often runs of dead hubs, and runs that stand still, are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Runs woken at once.
const PAGE: i64 = 10_000;

impl Workflows {
    /// Takes up what is there and starts the jobs. Call once, after the work of killed hubs was closed.
    ///
    /// # Errors
    /// [`StoreError`]; the hub must not serve.
    pub async fn take_up(self: &Arc<Self>) -> Result<(), StoreError> {
        let woken = self.adopt().await?;
        self.bring_all().await?;
        if woken > 0 {
            tracing::info!(
                event = "workflows_taken_up",
                runs = woken,
                "open workflows go on"
            );
        }
        let tasks = &self.gateway.tasks;
        drop(tasks.spawn("workflow timers", Arc::clone(self).keep_time()));
        drop(tasks.spawn("workflow people", Arc::clone(self).listen_to_people()));
        drop(tasks.spawn("workflow schedules", Arc::clone(self).keep_schedules()));
        drop(tasks.spawn("workflow jobs", Arc::clone(self).look_after()));
        Ok(())
    }

    async fn look_after(self: Arc<Self>) {
        let stop = self.gateway.tasks.token();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        ticks.tick().await;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if let Err(error) = self.look_once().await {
                tracing::warn!(event = "workflow_jobs", %error, "workflows could not be looked after");
            }
        }
    }

    async fn look_once(self: &Arc<Self>) -> Result<(), StoreError> {
        self.adopt().await?;
        self.watch().await?;
        self.keep_house().await
    }

    /// Makes runs without a living hub this hub's, and wakes those that have something to do.
    async fn adopt(self: &Arc<Self>) -> Result<usize, StoreError> {
        let own = self.instance.id().as_ref();
        let sql = if self.instance.store().is_embedded() {
            "UPDATE workflow_states SET owner = $1, seq = seq + 1 WHERE owner IS NULL OR owner <> $1"
        } else {
            "UPDATE workflow_states SET owner = $1, seq = seq + 1 WHERE owner IS NULL OR \
             (owner <> $1 AND owner NOT IN (SELECT id FROM hub_instances))"
        };
        let claim = Statement::new(sql).bind(own);
        self.instance.store().write(vec![claim]).await?;
        let sql = "SELECT s.workflow_id FROM workflow_states s WHERE s.owner = $1 AND (s.in_flight > 0 \
                   OR EXISTS (SELECT 1 FROM workflow_inbox i WHERE i.workflow_id = s.workflow_id)) LIMIT $2";
        let select = Statement::new(sql).bind(own).bind(PAGE);
        let mut woken = 0;
        for row in &self.instance.store().read(select).await? {
            let id: Arc<str> = row.text("workflow_id")?.into();
            // A run at work has its attempts in hand; only its inbox may be news.
            woken += usize::from(self.deliver(&id, Letter::Inbox).await.is_ok());
        }
        self.timers.hint(crate::store::micros(self.now()));
        Ok(woken)
    }

    /// A run with its state; `None` when it is over, unknown, or another hub's.
    pub(super) async fn load(&self, id: &str) -> Result<Option<Loaded>, WorkflowError> {
        let sql = format!(
            "SELECT {COLUMNS}, s.state, s.seq, s.in_flight FROM workflows w \
             JOIN workflow_states s ON s.workflow_id = w.id WHERE w.id = $1 AND s.owner = $2"
        );
        let select = Statement::generated(sql.into())
            .bind(id)
            .bind(self.instance.id().as_ref());
        let rows = self.instance.store().read(select).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let known = RunRow::of(row)?;
        let definition = self.definition(&known.organization, &known.digest).await?;
        let grant = super::definitions::grant_of(&definition)?;
        let expressions = Arc::clone(&self.expressions);
        let facts = Facts::of(&known, grant);
        let state = self.opened(id, row.text("state")?, &facts.sensitive)?;
        let run = Run::restore(definition, expressions, state.as_bytes())
            .map_err(|error| WorkflowError::Unreadable(error.to_string()))?;
        Ok(Some(Loaded {
            facts: Arc::new(facts),
            seq: row.integer("seq")?,
            in_flight: row.integer("in_flight")?,
            shown: super::show::shown(&run),
            run,
        }))
    }

    /// How many commits a run has; `None` when it is over or another hub's.
    pub(super) async fn seq_of(&self, id: &str) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT seq FROM workflow_states WHERE workflow_id = $1 AND owner = $2";
        let select = Statement::new(sql)
            .bind(id)
            .bind(self.instance.id().as_ref());
        let rows = self.instance.store().read(select).await?;
        rows.first().map(|row| row.integer("seq")).transpose()
    }
}
