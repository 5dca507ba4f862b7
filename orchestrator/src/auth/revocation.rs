//! Which principals no longer stand: the keys revoked since this hub started, and the dates at which
//! keys in use run out. Kept in memory so that a call in flight can be checked without waiting.

use crate::store::{Statement, Store, StoreError};
use parking_lot::RwLock;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Clock difference between hubs that is forgiven, in microseconds.
const OVERLAP: i64 = 5_000_000;
/// Most revocations fetched at once; the rest comes with the next fetch.
const FETCH: i64 = 10_000;

/// Grows with the number of keys, not with traffic.
pub(in crate::auth) struct Revocations {
    revoked: RwLock<HashSet<Arc<str>>>,
    /// Principals in use whose key runs out, with the date in microseconds.
    ends: RwLock<HashMap<Arc<str>, i64>>,
    /// Revocations before this date are known, in microseconds.
    known_until: RwLock<i64>,
}

impl Revocations {
    pub(in crate::auth) fn since(started: i64) -> Self {
        Self {
            revoked: RwLock::default(),
            ends: RwLock::default(),
            known_until: RwLock::new(started),
        }
    }

    pub(in crate::auth) fn contains(&self, principal: &str) -> bool {
        self.revoked.read().contains(principal)
    }

    pub(in crate::auth) fn stands(&self, principal: &str, now: i64) -> bool {
        let over = self
            .ends
            .read()
            .get(principal)
            .is_some_and(|end| *end <= now);
        !over && !self.contains(principal)
    }

    /// A key of this principal is in use and runs out then.
    pub(in crate::auth) fn remember(&self, principal: &Arc<str>, end: Option<i64>) {
        let mut ends = self.ends.write();
        match end {
            Some(end) => ends.insert(Arc::clone(principal), end),
            None => ends.remove(principal),
        };
    }

    pub(in crate::auth) fn revoke(&self, key: &str) {
        let principal = Arc::from(format!("key:{key}").as_str());
        self.revoked.write().insert(principal);
    }

    /// A key that was revoked by mistake of the configuration stands again.
    pub(in crate::auth) fn reinstate(&self, key: &str) {
        self.revoked.write().remove(format!("key:{key}").as_str());
    }

    /// Learns what other processes revoked.
    pub(in crate::auth) async fn fetch(&self, store: &Store) -> Result<(), StoreError> {
        let since = self.known_until.read().saturating_sub(OVERLAP);
        let sql = "SELECT id, revoked_at FROM api_keys \
                   WHERE is_active = 0 AND revoked_at >= $1 ORDER BY revoked_at LIMIT $2";
        let rows = store
            .read(Statement::new(sql).bind(since).bind(FETCH))
            .await?;
        for row in &rows {
            self.revoke(row.text("id")?);
            let at = row.integer("revoked_at")?;
            let mut known_until = self.known_until.write();
            *known_until = at.max(*known_until);
        }
        Ok(())
    }
}
