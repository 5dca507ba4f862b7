//! Which hubs are at work on this store, so that what a dead one left behind can be closed.
//!
//! A hub enters its name when it starts, renews it while it runs, and takes it out when it stops in
//! order. A name that is still there and no longer renewed belongs to a hub that was killed. On an
//! embedded store there is one hub at most, so every other name is dead at once.

use super::{Statement, Store, StoreError, micros};
use shared::clock::SharedClock;
use shared::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;

/// How often the name is renewed.
const BEAT: Duration = Duration::from_secs(5);
/// A name that was not renewed for so long is dead.
const DEAD_AFTER: Duration = Duration::from_secs(20);
/// Most dead hubs looked at in one go.
const DEAD_PAGE: i64 = 100;

/// This process among the hubs of one store. Cheap to clone.
#[derive(Clone)]
pub struct Instance {
    id: Arc<str>,
    store: Store,
    clock: SharedClock,
}

impl Instance {
    /// A process that writes records and makes no calls, such as a command of the CLI: it is not
    /// entered, since it leaves nothing open.
    #[must_use]
    pub fn visitor(store: Store, clock: SharedClock) -> Self {
        Self {
            id: Arc::from(uuid::Uuid::now_v7().to_string().as_str()),
            store,
            clock,
        }
    }

    /// A hub that starts: enters its name.
    ///
    /// # Errors
    /// [`StoreError`]; the hub must not make calls.
    pub async fn register(store: Store, clock: SharedClock) -> Result<Self, StoreError> {
        let instance = Self::visitor(store, clock);
        let sql = "INSERT INTO hub_instances (id, started_at, seen_at) VALUES ($1, $2, $2)";
        let now = micros(instance.clock.now());
        let insert = Statement::new(sql).bind(instance.id.as_ref()).bind(now);
        instance.store.write(vec![insert]).await?;
        Ok(instance)
    }

    /// Its name, new at every start.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The store it is at work on.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// Renews the name until `tasks` stop.
    pub fn start_jobs(&self, tasks: &Tasks) {
        let instance = self.clone();
        let stop = tasks.token();
        tasks.spawn("hub instance", async move {
            let mut ticks = tokio::time::interval(BEAT);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = ticks.tick() => instance.beat(),
                }
            }
        });
    }

    fn beat(&self) {
        let sql = "INSERT INTO hub_instances (id, started_at, seen_at) VALUES ($1, $2, $2) \
                   ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";
        let beat = Statement::new(sql)
            .bind(self.id.as_ref())
            .bind(micros(self.clock.now()));
        if let Err(error) = self.store.try_write_later(vec![beat]) {
            tracing::warn!(event = "instance_beat", error = %error, "the hub could not renew its name");
        }
    }

    /// Names of hubs that were killed, at most 100.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is safe.
    pub async fn dead(&self) -> Result<Vec<String>, StoreError> {
        let now = micros(self.clock.now());
        let age = i64::try_from(DEAD_AFTER.as_micros()).unwrap_or(i64::MAX);
        let limit = if self.store.is_embedded() {
            i64::MAX
        } else {
            now.saturating_sub(age)
        };
        let sql =
            "SELECT id FROM hub_instances WHERE id <> $1 AND seen_at < $2 ORDER BY id LIMIT $3";
        let select = Statement::new(sql)
            .bind(self.id.as_ref())
            .bind(limit)
            .bind(DEAD_PAGE);
        let rows = self.store.read(select).await?;
        rows.iter()
            .map(|row| row.text("id").map(str::to_owned))
            .collect()
    }

    /// Takes out the name of a dead hub whose work is closed.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is safe.
    pub async fn bury(&self, dead: &str) -> Result<(), StoreError> {
        self.take_out(dead).await
    }

    /// Takes out the own name: the hub stops in order and leaves nothing open.
    ///
    /// # Errors
    /// [`StoreError`]; the next start then looks after this hub's work as if it had been killed.
    pub async fn leave(&self) -> Result<(), StoreError> {
        self.take_out(&self.id).await
    }

    async fn take_out(&self, id: &str) -> Result<(), StoreError> {
        let delete = Statement::new("DELETE FROM hub_instances WHERE id = $1").bind(id);
        self.store.write(vec![delete]).await.map(drop)
    }
}
