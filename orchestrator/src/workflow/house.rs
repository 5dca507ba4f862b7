//! Keeping house: what is over long enough, or one too many, goes with everything that belongs to it.
//!
//! Open runs are never touched, and the audit trail is not here.

use super::Workflows;
use crate::store::{Statement, StoreError, micros};
use jiff::Timestamp;

/// Runs removed with one commit, so that others get their turn.
const PAGE: u64 = 500;
/// Commits in one go.
const PAGES: usize = 100;

impl Workflows {
    /// Removes runs that ended long ago or are too many, outputs nobody refers to, old events and
    /// checkpoints.
    pub(super) async fn keep_house(&self) -> Result<(), StoreError> {
        let oldest = self.now().checked_sub(self.config.keep);
        let oldest = micros(oldest.unwrap_or(Timestamp::MIN));
        let before = self
            .one_too_many()
            .await?
            .map_or(oldest, |end| oldest.max(end));
        let mut removed = 0;
        for _ in 0..PAGES {
            let some = self.remove_ended(before).await?;
            removed += some;
            if some < PAGE {
                break;
            }
        }
        if removed > 0 {
            self.remove_leftovers(before).await?;
            tracing::info!(
                event = "workflows_removed",
                runs = removed,
                "old workflows were removed"
            );
        }
        Ok(())
    }

    /// Just after the end of the newest run that is one too many; `None` when all may stay.
    async fn one_too_many(&self) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT finished_at FROM workflows WHERE finished_at IS NOT NULL \
                   ORDER BY finished_at DESC LIMIT 1 OFFSET $1";
        let select = Statement::new(sql).bind(i64::from(self.config.keep_runs));
        let rows = self.instance.store().read(select).await?;
        let end = rows.first().map(|row| row.integer("finished_at"));
        Ok(end.transpose()?.map(|end| end.saturating_add(1)))
    }

    async fn remove_ended(&self, before: i64) -> Result<u64, StoreError> {
        let store = self.instance.store();
        let found = "SELECT 1 AS found FROM workflows WHERE finished_at < $1 LIMIT 1";
        let old = store.read(Statement::new(found).bind(before)).await?;
        if old.is_empty() {
            return Ok(0);
        }
        let sql = "DELETE FROM workflows WHERE id IN (SELECT id FROM workflows \
                   WHERE finished_at < $1 ORDER BY finished_at LIMIT $2)";
        let delete = Statement::new(sql)
            .bind(before)
            .bind(i64::try_from(PAGE).unwrap_or(i64::MAX));
        let outcomes = store.write(vec![delete]).await?;
        Ok(outcomes.first().map_or(0, |outcome| outcome.touched))
    }

    async fn remove_leftovers(&self, before: i64) -> Result<(), StoreError> {
        let blobs = "DELETE FROM workflow_blobs WHERE created_at < $1 AND NOT EXISTS \
                     (SELECT 1 FROM workflow_steps s WHERE s.result_digest = workflow_blobs.digest)";
        let events = "DELETE FROM workflow_cloudevents WHERE at < $1 AND pending = 0";
        let checkpoints = "DELETE FROM workflow_checkpoints WHERE created_at < $1";
        let batch = [blobs, events, checkpoints].map(|sql| Statement::new(sql).bind(before));
        self.instance.store().write(batch.into()).await?;
        Ok(())
    }
}
