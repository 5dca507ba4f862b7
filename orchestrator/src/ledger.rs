//! One effect per idempotency key: what was begun, what came of it, and what nobody knows.
//!
//! A key belongs to a principal and stands for one call (tool and arguments) during a day. When the
//! hub dies between the beginning and the end, the effect stays *unknown* until somebody resolves it;
//! nothing is tried again by itself. A change without a key has one of its own making, see [`NewEffect`].

mod resolve;
mod stored;
mod ticket;

pub use resolve::{EffectView, Resolved, Whose};
pub use ticket::Ticket;

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
/// Begins the keys of changes whose callers brought none.
const OWN: &str = "call:";
/// Longest key kept as it is; longer ones are kept as their hash.
const MAX_KEY: usize = 200;
/// How often a key is looked at again that vanished in between.
const ATTEMPTS: u32 = 3;
/// How often tickets that could not be written are tried again.
const ORPHAN_PERIOD: Duration = Duration::from_secs(1);
/// So many rounds of tickets make one round of expiry.
const EXPIRY_PERIOD: u32 = 600;

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

/// A change that is about to be made.
#[derive(Debug, Clone, Copy)]
pub struct NewEffect<'a> {
    /// Whose it is.
    pub organization: &'a str,
    /// Who makes it.
    pub principal: &'a str,
    /// Its idempotency key: the caller's, or for a change without one [`NewEffect::own_key`].
    pub key: &'a str,
    /// Canonical id.
    pub tool: &'a ToolId,
    /// See [`shared::arguments::hash`].
    pub arguments_hash: &'a str,
}

impl NewEffect<'_> {
    /// The key of a change whose caller brought none: the same call has the same, so that one whose
    /// outcome was lost is not made again by itself.
    #[must_use]
    pub fn own_key(tool: &ToolId, arguments_hash: &str) -> String {
        format!("{OWN}{tool}:{arguments_hash}")
    }
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
    pub async fn begin(&self, effect: NewEffect<'_>) -> Result<Begun, StoreError> {
        let key = EntryKey::new(effect.principal, effect.key);
        for _ in 0..ATTEMPTS {
            if self.insert(&key, effect).await? {
                return Ok(Begun::Fresh(self.ticket(key)));
            }
            if let Some(begun) = self.look_up(&key, effect).await? {
                return Ok(begun);
            }
        }
        Ok(Begun::Running)
    }

    /// What is known of a key, without beginning anything; `None` when it is free.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is safe.
    pub async fn find(&self, effect: NewEffect<'_>) -> Result<Option<Begun>, StoreError> {
        let key = EntryKey::new(effect.principal, effect.key);
        self.look_up(&key, effect).await
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

    /// Frees a key whose end is known.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is safe.
    pub async fn forget(&self, principal: &str, key: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM effect_ledger WHERE principal = $1 AND idempotency_key = $2 \
                   AND state IN ('done', 'failed')";
        let delete = EntryKey::new(principal, key).bind(Statement::new(sql));
        self.instance.store().write(vec![delete]).await.map(drop)
    }

    async fn look_up(
        &self,
        key: &EntryKey,
        effect: NewEffect<'_>,
    ) -> Result<Option<Begun>, StoreError> {
        let sql = "SELECT tool, arguments_hash, state, result FROM effect_ledger \
                   WHERE principal = $1 AND idempotency_key = $2";
        let statement = key.bind(Statement::new(sql));
        let rows = self.instance.store().read(statement).await?;
        rows.first().map(|row| known(row, effect)).transpose()
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

    /// Drops keys whose day is over; what is unknown stays until somebody resolves it.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is safe.
    pub async fn expire(&self) -> Result<u64, StoreError> {
        let sql =
            "DELETE FROM effect_ledger WHERE expires_at <= $1 AND state IN ('done', 'failed')";
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

    async fn insert(&self, key: &EntryKey, effect: NewEffect<'_>) -> Result<bool, StoreError> {
        let now = self.now();
        let over = "DELETE FROM effect_ledger WHERE principal = $1 AND idempotency_key = $2 \
                    AND expires_at <= $3 AND state IN ('done', 'failed')";
        let sql = "INSERT INTO effect_ledger (principal, idempotency_key, tool, arguments_hash, \
                   state, instance, created_at, expires_at, organization_id, id) \
                   VALUES ($1, $2, $3, $4, 'intent', $5, $6, $7, $8, $9) \
                   ON CONFLICT (principal, idempotency_key) DO NOTHING";
        let insert = key
            .bind(Statement::new(sql))
            .bind(effect.tool.as_str())
            .bind(effect.arguments_hash)
            .bind(self.instance.id().as_ref())
            .bind(now)
            .bind(now.saturating_add(LIFE_MICROS))
            .bind(effect.organization)
            .bind(format!("eff_{}", uuid::Uuid::now_v7().simple()));
        let batch = vec![key.bind(Statement::new(over)).bind(now), insert];
        let outcomes = self.instance.store().write(batch).await?;
        Ok(outcomes.last().is_some_and(|outcome| outcome.touched == 1))
    }

    fn ticket(&self, key: EntryKey) -> Ticket {
        Ticket::new(self.instance.clone(), Arc::clone(&self.orphans), key)
    }

    fn write_orphans(&self) {
        let taken = std::mem::take(&mut *self.orphans.lock());
        if taken.is_empty() {
            return;
        }
        let batch = taken.iter().map(ticket::unknown).collect();
        if self.instance.store().try_write_later(batch).is_err() {
            self.orphans.lock().extend(taken);
        }
    }

    fn now(&self) -> i64 {
        micros(self.instance.clock().now())
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

fn known(row: &Row, effect: NewEffect<'_>) -> Result<Begun, StoreError> {
    let same = row.text("tool")? == effect.tool.as_str();
    if !same || row.text("arguments_hash")? != effect.arguments_hash {
        return Ok(Begun::Conflict);
    }
    Ok(match row.text("state")? {
        "intent" => Begun::Running,
        "unknown" => Begun::Unknown,
        _ => Stored::read(row.text("result")?)?.into(),
    })
}
