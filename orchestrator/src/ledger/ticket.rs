//! The right to make one call, and how its end is written down.

use super::stored::Stored;
use super::{EntryKey, LIFE_MICROS};
use crate::store::instance::Instance;
use crate::store::{Statement, StoreError, micros};
use parking_lot::Mutex;
use shared::tool::{Output, ToolError};
use std::sync::Arc;
use std::time::Duration;

/// Most dropped tickets remembered; beyond that their rows wait for the next start.
const MAX_ORPHANS: usize = 10_000;

/// Keys of tickets that were dropped while the store took nothing.
pub(in crate::ledger) type Orphans = Arc<Mutex<Vec<EntryKey>>>;

/// The right to make one call. Dropped without a word, the effect is unknown.
pub struct Ticket {
    instance: Instance,
    orphans: Orphans,
    /// `None` once the end is written.
    open: Option<EntryKey>,
    /// How long the end is kept, in microseconds.
    life: i64,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

impl Ticket {
    pub(in crate::ledger) const fn new(
        instance: Instance,
        orphans: Orphans,
        key: EntryKey,
    ) -> Self {
        Self {
            instance,
            orphans,
            open: Some(key),
            life: LIFE_MICROS,
        }
    }

    /// The end is kept for so long instead of a day.
    #[must_use]
    pub fn for_only(mut self, life: Duration) -> Self {
        self.life = i64::try_from(life.as_micros()).unwrap_or(LIFE_MICROS);
        self
    }

    /// The call was made and gave this. Kept for repetitions, unless it is sensitive or over 1 MiB.
    ///
    /// # Errors
    /// [`StoreError`]; the effect then counts as unknown.
    pub async fn done(self, output: &Output) -> Result<(), StoreError> {
        self.settle("done", Stored::of_output(output)).await
    }

    /// The call was made and failed; a repetition gets the same failure.
    ///
    /// # Errors
    /// As [`Ticket::done`].
    pub async fn failed(self, error: &ToolError) -> Result<(), StoreError> {
        self.settle("failed", Stored::of_error(error)).await
    }

    /// The call was certainly not made: the key is free again.
    ///
    /// # Errors
    /// As [`Ticket::done`].
    pub async fn withdrawn(self) -> Result<(), StoreError> {
        let sql = "DELETE FROM effect_ledger WHERE principal = $1 AND idempotency_key = $2 \
                   AND instance = $3 AND state IN ('intent', 'unknown')";
        self.end(|key, hub| key.bind(Statement::new(sql)).bind(hub))
            .await
    }

    /// Nobody knows whether the call was made.
    ///
    /// # Errors
    /// As [`Ticket::done`].
    pub async fn unknown(self) -> Result<(), StoreError> {
        self.end(|key, _hub| unknown(key)).await
    }

    async fn settle(self, state: &'static str, result: String) -> Result<(), StoreError> {
        let until = micros(self.instance.clock().now()).saturating_add(self.life);
        let sql = "UPDATE effect_ledger SET state = $4, result = $5, \
                   expires_at = CASE WHEN expires_at < $6 THEN expires_at ELSE $6 END \
                   WHERE principal = $1 AND idempotency_key = $2 \
                   AND instance = $3 AND state IN ('intent', 'unknown')";
        self.end(|key, hub| {
            let update = key
                .bind(Statement::new(sql))
                .bind(hub)
                .bind(state)
                .bind(result)
                .bind(until);
            update.expect(1)
        })
        .await
    }

    async fn end(
        mut self,
        statement: impl FnOnce(&EntryKey, &str) -> Statement,
    ) -> Result<(), StoreError> {
        let Some(key) = &self.open else { return Ok(()) };
        let write = statement(key, self.instance.id());
        self.instance.store().write(vec![write]).await?;
        self.open = None;
        Ok(())
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Some(key) = self.open.take() else { return };
        // The queue of writes keeps its order: an end that is under way still comes first.
        if self
            .instance
            .store()
            .try_write_later(vec![unknown(&key)])
            .is_err()
        {
            let mut orphans = self.orphans.lock();
            if orphans.len() < MAX_ORPHANS {
                orphans.push(key);
            }
        }
    }
}

pub(in crate::ledger) fn unknown(key: &EntryKey) -> Statement {
    let sql = "UPDATE effect_ledger SET state = 'unknown' \
               WHERE principal = $1 AND idempotency_key = $2 AND state = 'intent'";
    key.bind(Statement::new(sql))
}
