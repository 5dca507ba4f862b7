//! Keeping house: what is over long enough goes, with everything that belongs to it.

use super::Workflows;
use crate::store::{Statement, StoreError, micros};

/// Runs removed at once.
const PAGE: i64 = 500;

impl Workflows {
    /// Removes runs that ended long ago, outputs nobody refers to, and old events.
    pub(super) async fn keep_house(&self) -> Result<(), StoreError> {
        let now = self.now();
        let before = now
            .checked_sub(self.config.keep)
            .unwrap_or(jiff::Timestamp::MIN);
        let before = micros(before);
        let runs = "DELETE FROM workflows WHERE id IN (SELECT id FROM workflows \
                    WHERE finished_at < $1 ORDER BY finished_at LIMIT $2)";
        let blobs = "DELETE FROM workflow_blobs WHERE created_at < $1 AND NOT EXISTS \
                     (SELECT 1 FROM workflow_steps s WHERE s.result_digest = workflow_blobs.digest)";
        let events = "DELETE FROM workflow_cloudevents WHERE at < $1 AND pending = 0";
        let found = "SELECT 1 AS found FROM workflows WHERE finished_at < $1 LIMIT 1";
        let store = self.instance.store();
        let old = store.read(Statement::new(found).bind(before)).await?;
        if old.is_empty() {
            return Ok(());
        }
        let batch = vec![
            Statement::new(runs).bind(before).bind(PAGE),
            Statement::new(blobs).bind(before),
            Statement::new(events).bind(before),
        ];
        let outcomes = store.write(batch).await?;
        let removed = outcomes.first().map_or(0, |outcome| outcome.touched);
        tracing::info!(
            event = "workflows_removed",
            runs = removed,
            "old workflows were removed"
        );
        Ok(())
    }
}
