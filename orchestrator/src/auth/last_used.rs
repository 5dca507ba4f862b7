//! When keys were last used: collected, and written in one batch twice a second.

use crate::store::{Statement, Store};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Most keys in one batch; the rest waits for the next one.
const BATCH: usize = 500;

/// Uses not written yet: one entry per key, whatever the traffic.
#[derive(Default)]
pub(in crate::auth) struct LastUsed(Mutex<HashMap<Arc<str>, i64>>);

impl LastUsed {
    /// A key was used at `now`, in microseconds.
    pub(in crate::auth) fn note(&self, key: &Arc<str>, now: i64) {
        let mut waiting = self.0.lock();
        match waiting.get_mut(key) {
            Some(at) => *at = now.max(*at),
            None => drop(waiting.insert(Arc::clone(key), now)),
        }
    }

    /// Queues what was collected. What the queue cannot take is kept for the next time.
    pub(in crate::auth) fn write(&self, store: &Store) {
        let taken: Vec<(Arc<str>, i64)> = {
            let mut waiting = self.0.lock();
            let keys: Vec<Arc<str>> = waiting.keys().take(BATCH).cloned().collect();
            keys.into_iter()
                .filter_map(|key| waiting.remove_entry(&key))
                .collect()
        };
        if taken.is_empty() {
            return;
        }
        let sql = "UPDATE api_keys SET last_used_at = $2 \
                   WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
        let update = |(key, at): &(Arc<str>, i64)| Statement::new(sql).bind(key.as_ref()).bind(*at);
        if store
            .try_write_later(taken.iter().map(update).collect())
            .is_err()
        {
            for (key, at) in &taken {
                self.note(key, *at);
            }
        }
    }
}
