//! One effect per idempotency key: what was begun, what came of it, and what nobody knows.
//!
//! A key belongs to a principal and stands for one call (tool and arguments) during a day. When the
//! hub dies between the beginning and the end, the effect stays *unknown* until somebody resolves it
//! or the day is over; nothing is tried again by itself.

mod resolve;
mod stored;

pub use resolve::{EffectView, Resolved};

use crate::store::instance::Instance;
use crate::store::{Row, Statement, StoreError, micros};
use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::Mutex;
use shared::id::ToolId;
use shared::tasks::Tasks;
use shared::tool::{Output, ToolError};
use std::sync::Arc;
use std::time::Duration;
use stored::Stored;
use tokio_util::sync::CancellationToken;

/// How long a key stands for its call.
const LIFE_MICROS: i64 = 86_400_000_000;
/// Longest key kept as it is; longer ones are kept as their hash.
const MAX_KEY: usize = 200;
/// How often a key is looked at again that vanished in between.
const ATTEMPTS: u32 = 3;
/// How often tickets that could not be written are tried again.
const ORPHAN_PERIOD: Duration = Duration::from_secs(1);
/// So many rounds of tickets make one round of expiry.
const EXPIRY_PERIOD: u32 = 600;
/// Most dropped tickets remembered; beyond that their rows wait for the next start.
const MAX_ORPHANS: usize = 10_000;

/// The ledger. Shared behind an `Arc`.
pub struct Ledger {
    instance: Instance,
    orphans: Arc<Mutex<Vec<EntryKey>>>,
}

/// What the ledger knows of a key.
#[derive(Debug)]
pub enum Begun {
    /// Nothing: go ahead, and tell the ticket how it ended.
    Fresh(Ticket),
    /// The call was made; this is its result, marked as replayed.
    Replay(Output),
    /// The call was made; this is how it failed, or why its result cannot be had.
    Failed(ToolError),
    /// The key stands for another call.
    Conflict,
    /// The call is being made.
    Running,
    /// The call may or may not have had its effect.
    Unknown,
}

impl Ledger {
    /// The hub whose changes these are.
    #[must_use]
    pub const fn instance(&self) -> &Instance {
        &self.instance
    }

    /// A ledger for the calls of this hub.
    #[must_use]
    pub fn new(instance: &Instance) -> Self {
        Self {
            instance: instance.clone(),
            orphans: Arc::default(),
        }
    }

    /// Begins a call, or says what came of it.
    ///
    /// # Errors
    /// [`StoreError`]; the call must not be made.
    pub async fn begin(
        &self,
        principal: &str,
        key: &str,
        tool: &ToolId,
        arguments_hash: &str,
    ) -> Result<Begun, StoreError> {
        let key = EntryKey::new(principal, key);
        for _ in 0..ATTEMPTS {
            if self.insert(&key, tool, arguments_hash).await? {
                return Ok(Begun::Fresh(self.ticket(key)));
            }
            if let Some(begun) = self.look_up(&key, tool, arguments_hash).await? {
                return Ok(begun);
            }
        }
        Ok(Begun::Running)
    }

    /// What is known of a key, without beginning anything; `None` when it is free.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is safe.
    pub async fn find(
        &self,
        principal: &str,
        key: &str,
        tool: &ToolId,
        arguments_hash: &str,
    ) -> Result<Option<Begun>, StoreError> {
        let key = EntryKey::new(principal, key);
        self.look_up(&key, tool, arguments_hash).await
    }

    /// Begins a call again whose outcome is unknown, because sending it twice does no harm. `None` when
    /// it is not unknown any more.
    ///
    /// # Errors
    /// [`StoreError`]; the call must not be made.
    pub async fn reopen(&self, principal: &str, key: &str) -> Result<Option<Ticket>, StoreError> {
        let key = EntryKey::new(principal, key);
        let sql = "UPDATE effect_ledger SET state = 'intent', instance = $3 \
                   WHERE principal = $1 AND idempotency_key = $2 AND state = 'unknown'";
        let update = key
            .bind(Statement::new(sql))
            .bind(self.instance.id().as_ref());
        let outcomes = self.instance.store().write(vec![update]).await?;
        let reopened = outcomes.first().is_some_and(|outcome| outcome.touched == 1);
        Ok(reopened.then(|| self.ticket(key)))
    }

    async fn look_up(
        &self,
        key: &EntryKey,
        tool: &ToolId,
        arguments_hash: &str,
    ) -> Result<Option<Begun>, StoreError> {
        let sql = "SELECT tool, arguments_hash, state, result FROM effect_ledger \
                   WHERE principal = $1 AND idempotency_key = $2";
        let statement = key.bind(Statement::new(sql));
        let rows = self.instance.store().read(statement).await?;
        rows.first()
            .map(|row| known(row, tool, arguments_hash))
            .transpose()
    }

    /// Marks as unknown what a hub that was killed had begun. Gives back how many.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is safe.
    pub async fn close_calls_of(&self, dead: &str) -> Result<u64, StoreError> {
        let sql = "UPDATE effect_ledger SET state = 'unknown' \
                   WHERE instance = $1 AND state = 'intent'";
        let outcomes = self
            .instance
            .store()
            .write(vec![Statement::new(sql).bind(dead)])
            .await?;
        Ok(outcomes.first().map_or(0, |outcome| outcome.touched))
    }

    /// Drops keys whose day is over.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is safe.
    pub async fn expire(&self) -> Result<u64, StoreError> {
        let sql = "DELETE FROM effect_ledger WHERE expires_at <= $1 AND state <> 'intent'";
        let delete = Statement::new(sql).bind(self.now());
        let outcomes = self.instance.store().write(vec![delete]).await?;
        Ok(outcomes.first().map_or(0, |outcome| outcome.touched))
    }

    /// Expires keys and writes dropped tickets, until `tasks` stop.
    pub fn start_jobs(self: &Arc<Self>, tasks: &Tasks) {
        tasks.spawn("ledger", Arc::clone(self).run(tasks.token()));
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(ORPHAN_PERIOD);
        for round in 0_u32.. {
            tokio::select! {
                () = stop.cancelled() => return self.write_orphans(),
                _ = ticks.tick() => self.write_orphans(),
            }
            if round % EXPIRY_PERIOD == 0 {
                self.expire_quietly().await;
            }
        }
    }

    async fn expire_quietly(&self) {
        if let Err(error) = self.expire().await {
            tracing::warn!(event = "ledger_expiry", %error, "keys could not be expired");
        }
    }

    async fn insert(
        &self,
        key: &EntryKey,
        tool: &ToolId,
        arguments_hash: &str,
    ) -> Result<bool, StoreError> {
        let now = self.now();
        let over = "DELETE FROM effect_ledger WHERE principal = $1 AND idempotency_key = $2 \
                    AND expires_at <= $3 AND state <> 'intent'";
        let sql = "INSERT INTO effect_ledger (principal, idempotency_key, tool, arguments_hash, \
                   state, instance, created_at, expires_at) \
                   VALUES ($1, $2, $3, $4, 'intent', $5, $6, $7) \
                   ON CONFLICT (principal, idempotency_key) DO NOTHING";
        let insert = key
            .bind(Statement::new(sql))
            .bind(tool.as_str())
            .bind(arguments_hash)
            .bind(self.instance.id().as_ref())
            .bind(now)
            .bind(now.saturating_add(LIFE_MICROS));
        let batch = vec![key.bind(Statement::new(over)).bind(now), insert];
        let outcomes = self.instance.store().write(batch).await?;
        Ok(outcomes.last().is_some_and(|outcome| outcome.touched == 1))
    }

    fn ticket(&self, key: EntryKey) -> Ticket {
        Ticket {
            instance: self.instance.clone(),
            orphans: Arc::clone(&self.orphans),
            open: Some(key),
        }
    }

    fn write_orphans(&self) {
        let taken = std::mem::take(&mut *self.orphans.lock());
        if taken.is_empty() {
            return;
        }
        let batch = taken.iter().map(unknown).collect();
        if self.instance.store().try_write_later(batch).is_err() {
            self.orphans.lock().extend(taken);
        }
    }

    fn now(&self) -> i64 {
        micros(self.instance.clock().now())
    }
}

/// The right to make one call. Dropped without a word, the effect is unknown.
pub struct Ticket {
    instance: Instance,
    orphans: Arc<Mutex<Vec<EntryKey>>>,
    /// `None` once the end is written.
    open: Option<EntryKey>,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}

impl Ticket {
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
        let sql = "UPDATE effect_ledger SET state = $4, result = $5 \
                   WHERE principal = $1 AND idempotency_key = $2 \
                   AND instance = $3 AND state IN ('intent', 'unknown')";
        self.end(|key, hub| {
            let update = key
                .bind(Statement::new(sql))
                .bind(hub)
                .bind(state)
                .bind(result);
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

/// Principal and idempotency key.
struct EntryKey {
    principal: String,
    key: String,
}

impl EntryKey {
    fn new(principal: &str, key: &str) -> Self {
        let key = if key.len() > MAX_KEY || key.contains('\0') {
            format!("sha256:{}", hex::encode(digest(&SHA256, key.as_bytes())))
        } else {
            key.to_owned()
        };
        Self {
            principal: principal.to_owned(),
            key,
        }
    }

    fn bind(&self, statement: Statement) -> Statement {
        statement
            .bind(self.principal.as_str())
            .bind(self.key.as_str())
    }
}

fn unknown(key: &EntryKey) -> Statement {
    let sql = "UPDATE effect_ledger SET state = 'unknown' \
               WHERE principal = $1 AND idempotency_key = $2 AND state = 'intent'";
    key.bind(Statement::new(sql))
}

fn known(row: &Row, tool: &ToolId, arguments_hash: &str) -> Result<Begun, StoreError> {
    if row.text("tool")? != tool.as_str() || row.text("arguments_hash")? != arguments_hash {
        return Ok(Begun::Conflict);
    }
    Ok(match row.text("state")? {
        "intent" => Begun::Running,
        "unknown" => Begun::Unknown,
        _ => Stored::read(row.text("result")?)?.into(),
    })
}
