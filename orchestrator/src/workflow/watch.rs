//! Watching over open runs: how many there are for metrics, and whether each has a reason to be open.
//!
//! Nothing is mended here: a run that waits for nothing is a defect, and somebody has to know.

use super::Workflows;
use crate::store::{Statement, StoreError};

/// Runs without a reason that are looked for.
const PAGE: i64 = 1000;

/// Open runs of one hub that nothing will ever wake: no timer, no attempt in flight, no event on its way, no
/// lock, listener, question or child.
const STUCK: &str = "SELECT s.workflow_id FROM workflow_states s \
     JOIN workflows w ON w.id = s.workflow_id \
     WHERE s.owner = $1 AND s.in_flight = 0 AND w.phase <> 'suspended' \
     AND NOT EXISTS (SELECT 1 FROM workflow_timers t WHERE t.workflow_id = w.id) \
     AND NOT EXISTS (SELECT 1 FROM workflow_inbox i WHERE i.workflow_id = w.id) \
     AND NOT EXISTS (SELECT 1 FROM workflow_locks l WHERE l.workflow_id = w.id AND l.held_at IS NULL) \
     AND NOT EXISTS (SELECT 1 FROM workflow_awaits a WHERE a.workflow_id = w.id) \
     AND NOT EXISTS (SELECT 1 FROM workflow_approvals p WHERE p.workflow_id = w.id) \
     AND NOT EXISTS (SELECT 1 FROM workflows c WHERE c.parent_id = w.id AND c.finished_at IS NULL) \
     LIMIT $2";

impl Workflows {
    /// Counts open runs, and raises an alarm for each that waits for nothing that could come.
    pub(super) async fn watch(&self) -> Result<(), StoreError> {
        let metrics = &self.gateway.metrics;
        metrics.workflows_open(&self.open_by_phase().await?);
        metrics.workflow_unknowns(self.unknowns().await?);
        let stuck = self.stuck().await?;
        for id in &stuck {
            tracing::error!(
                event = "workflow_stuck",
                workflow_id = id,
                "a run waits for nothing that could come"
            );
        }
        metrics.workflows_stuck(i64::try_from(stuck.len()).unwrap_or(i64::MAX));
        metrics.workflows_at_work(self.mailboxes.len());
        Ok(())
    }

    async fn stuck(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.own(STUCK, Some(PAGE)).await?;
        let ids = rows.iter().map(|row| row.text("workflow_id"));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        // What is at work may be between two commits.
        let idle = ids.into_iter().filter(|id| !self.mailboxes.has(id));
        Ok(idle.map(str::to_owned).collect())
    }

    async fn open_by_phase(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let sql = "SELECT w.phase, COUNT(*) AS total FROM workflow_states s \
                   JOIN workflows w ON w.id = s.workflow_id WHERE s.owner = $1 GROUP BY w.phase";
        let rows = self.own(sql, None).await?;
        let counts = rows
            .iter()
            .map(|row| Ok((row.text("phase")?.to_owned(), row.integer("total")?)));
        counts.collect()
    }

    async fn unknowns(&self) -> Result<i64, StoreError> {
        let sql = "SELECT COUNT(*) AS total FROM workflow_states s \
                   JOIN workflows w ON w.id = s.workflow_id \
                   JOIN workflow_steps t ON t.workflow_id = w.id \
                   WHERE s.owner = $1 AND w.phase = 'suspended' AND t.status = 'unknown'";
        let rows = self.own(sql, None).await?;
        rows.first().map_or(Ok(0), |row| row.integer("total"))
    }

    /// Rows of a question about this hub's own runs.
    async fn own(
        &self,
        sql: &'static str,
        most: Option<i64>,
    ) -> Result<Vec<crate::store::Row>, StoreError> {
        let select = Statement::new(sql).bind(self.instance.id().as_ref());
        let select = match most {
            Some(most) => select.bind(most),
            None => select,
        };
        self.instance.store().read(select).await
    }
}
