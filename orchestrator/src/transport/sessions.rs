//! Sessions of the legacy revisions. Kept in the store, so that they survive a restart of the hub;
//! the ones in use are kept in memory too.
//!
//! A session grants nothing: every request is authenticated, and a session answers its own principal
//! only. It remembers the revision, the log level, what the client can be asked and watches, and which
//! requests can be cancelled.

mod rows;

use super::asking::Asks;
use super::changes::Watched;
use super::revision::Revision;
use crate::auth::Principal;
use crate::metrics::Metrics;
use crate::store::{Statement, Store, StoreError, micros, moment};
use crate::upstream::offers::HostAbilities;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use moka::future::Cache;
use parking_lot::Mutex;
use shared::clock::SharedClock;
use shared::tasks::Tasks;
use shared::tool::LogLevel;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Life of a session.
const LIFE: Duration = Duration::from_secs(24 * 3600);
/// Sessions kept in memory.
const IN_MEMORY: u64 = 10_000;
/// Activity is written down at most this often, in microseconds.
const TOUCH_EVERY: i64 = 60_000_000;
/// How often sessions that are over are removed.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Requests of one session that can be cancelled at a time.
const MAX_CANCELLABLE: usize = 256;
/// `GET` streams of one session.
const MAX_STREAMS: usize = 4;

/// Every session of this hub.
pub struct Sessions {
    store: Store,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    known: Cache<String, Arc<Session>>,
}

/// One session.
pub struct Session {
    /// Random; 32 characters.
    pub id: String,
    /// The revision that was agreed on.
    pub revision: Revision,
    /// Bounds the `GET` streams.
    pub streams: Arc<tokio::sync::Semaphore>,
    /// What the client can be asked.
    pub abilities: HostAbilities,
    /// What it was asked and has not answered.
    pub asks: Arc<Asks>,
    /// The resources it watches.
    pub watched: Watched,
    /// What it watched before the hub was started, until a stream takes it up again.
    remembered: Mutex<Vec<String>>,
    principal: Arc<str>,
    expires_at: Timestamp,
    touched: AtomicI64,
    log_level: Mutex<Option<LogLevel>>,
    cancellable: Mutex<HashMap<String, CancellationToken>>,
}

/// What a client said of itself.
#[derive(Debug, Clone, Default)]
pub struct Client {
    /// `clientInfo`, for people.
    pub about: String,
    /// `capabilities`.
    pub capabilities: String,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Unknown, over, or somebody else's.
    #[error("there is no such session")]
    Unknown,
    /// The store could not be asked.
    #[error("the session could not be looked up")]
    Store(#[source] Arc<StoreError>),
}

impl Sessions {
    /// Sessions in this store.
    #[must_use]
    pub fn new(store: Store, clock: SharedClock, metrics: Arc<Metrics>) -> Self {
        let known = Cache::builder()
            .max_capacity(IN_MEMORY)
            .time_to_idle(Duration::from_secs(3600))
            .build();
        Self {
            store,
            clock,
            metrics,
            known,
        }
    }

    /// Opens a session.
    ///
    /// # Errors
    /// [`SessionError::Store`]; the client can go on without a session.
    pub async fn open(
        &self,
        principal: &Principal,
        revision: Revision,
        client: &Client,
    ) -> Result<Arc<Session>, SessionError> {
        let now = self.clock.now();
        let id = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>());
        let mut session = Session::new(id, Arc::clone(&principal.id), revision, now);
        session.abilities = rows::abilities(&client.capabilities);
        let rows = rows::insert(&session, principal, client, micros(now));
        self.store.write(rows).await.map_err(unavailable)?;
        let session = Arc::new(session);
        self.known
            .insert(session.id.clone(), Arc::clone(&session))
            .await;
        Ok(session)
    }

    /// The session of this id, if it is `principal`'s and not over.
    ///
    /// # Errors
    /// [`SessionError::Unknown`], or [`SessionError::Store`] when it is not in memory and the store
    /// is away.
    pub async fn find(
        &self,
        id: &str,
        principal: &Principal,
    ) -> Result<Arc<Session>, SessionError> {
        if !plausible(id) {
            return Err(SessionError::Unknown);
        }
        let now = self.clock.now();
        let load = self.load(id);
        let session = self.known.try_get_with(id.to_owned(), load).await;
        let session = session.map_err(|error| match &*error {
            SessionError::Unknown => SessionError::Unknown,
            SessionError::Store(cause) => SessionError::Store(Arc::clone(cause)),
        })?;
        if session.expires_at <= now || session.principal != principal.id {
            return Err(SessionError::Unknown);
        }
        self.touch(&session, micros(now));
        Ok(session)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// As [`Sessions::find`].
    pub async fn close(&self, id: &str, principal: &Principal) -> Result<(), SessionError> {
        let session = self.find(id, principal).await?;
        session.streams.close();
        self.known.invalidate(id).await;
        self.store
            .write(vec![rows::delete(id)])
            .await
            .map_err(unavailable)?;
        Ok(())
    }

    /// Remembers the least severity a session wants to hear of.
    ///
    /// # Errors
    /// [`SessionError::Store`]; until the next restart the level holds all the same.
    pub async fn set_log_level(
        &self,
        session: &Session,
        level: LogLevel,
    ) -> Result<(), SessionError> {
        *session.log_level.lock() = Some(level);
        let row = rows::set_log_level(&session.id, level);
        self.store.write(vec![row]).await.map_err(unavailable)?;
        Ok(())
    }

    /// Remembers what a session watches.
    ///
    /// # Errors
    /// [`SessionError::Store`]; until the next restart it holds all the same.
    pub async fn keep_watched(&self, session: &Session) -> Result<(), SessionError> {
        let row = rows::set_watched(&session.id, &session.watched.uris());
        self.store.write(vec![row]).await.map_err(unavailable)?;
        Ok(())
    }

    /// Sessions that are open on all hubs of this store; 0 when it cannot be asked.
    pub async fn count(&self) -> u64 {
        let rows = self.store.read(rows::count()).await.unwrap_or_default();
        let open = rows.first().and_then(|row| row.integer("open").ok());
        open.and_then(|open| u64::try_from(open).ok()).unwrap_or(0)
    }

    /// Removes sessions that are over, now and every minute, until `tasks` stop.
    pub fn start_jobs(self: &Arc<Self>, tasks: &Tasks) {
        let sessions = Arc::clone(self);
        let stop = tasks.token();
        tasks.spawn("sessions", async move {
            loop {
                sessions.sweep().await;
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(SWEEP_EVERY) => {}
                }
            }
        });
    }

    async fn sweep(&self) {
        if let Err(error) = self.sweep_once().await {
            tracing::warn!(event = "sessions_sweep", %error, "old sessions could not be removed");
        }
    }

    async fn sweep_once(&self) -> Result<(), StoreError> {
        let now = micros(self.clock.now());
        self.store.write(vec![rows::delete_over(now)]).await?;
        let open = i64::try_from(self.count().await).unwrap_or(i64::MAX);
        self.metrics.sessions_active("mcp", open);
        Ok(())
    }

    async fn load(&self, id: &str) -> Result<Arc<Session>, SessionError> {
        let rows = self
            .store
            .read(rows::select(id))
            .await
            .map_err(unavailable)?;
        let row = rows.first().ok_or(SessionError::Unknown)?;
        rows::session(id, row).map(Arc::new).map_err(unavailable)
    }

    fn touch(&self, session: &Session, now: i64) {
        let last = session.touched.load(Ordering::Relaxed);
        let due = now.saturating_sub(last) >= TOUCH_EVERY;
        let swapped =
            session
                .touched
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed);
        if due && swapped.is_ok() {
            self.later(vec![rows::touch(&session.id, now)]);
        }
    }

    /// What is lost here is a date, so a full queue is only logged.
    fn later(&self, statements: Vec<Statement>) {
        if let Err(error) = self.store.try_write_later(statements) {
            tracing::debug!(event = "session_write", %error, "a session could not be updated");
        }
    }
}

impl Session {
    fn new(id: String, principal: Arc<str>, revision: Revision, now: Timestamp) -> Self {
        Self {
            id,
            revision,
            streams: Arc::new(tokio::sync::Semaphore::new(MAX_STREAMS)),
            principal,
            expires_at: now.checked_add(LIFE).unwrap_or(Timestamp::MAX),
            touched: AtomicI64::new(micros(now)),
            log_level: Mutex::new(None),
            abilities: HostAbilities::default(),
            asks: Arc::default(),
            watched: Watched::default(),
            remembered: Mutex::default(),
            cancellable: Mutex::default(),
        }
    }

    /// The least severity it wants to hear of; `None` means nothing.
    #[must_use]
    pub fn log_level(&self) -> Option<LogLevel> {
        *self.log_level.lock()
    }

    /// What it watched before the hub was started; empty from the second time on.
    #[must_use]
    pub fn take_remembered(&self) -> Vec<String> {
        std::mem::take(&mut *self.remembered.lock())
    }

    /// Makes a request cancellable by its id until the guard is dropped. Past the bound on such
    /// requests, and for an id that is in use, the request just cannot be cancelled.
    #[must_use]
    pub fn cancellable(self: &Arc<Self>, id: &str, token: CancellationToken) -> Cancellable {
        let mut all = self.cancellable.lock();
        let free = all.len() < MAX_CANCELLABLE && !all.contains_key(id);
        if free {
            all.insert(id.to_owned(), token);
        }
        Cancellable(free.then(|| (Arc::clone(self), id.to_owned())))
    }

    /// Cancels a request; an unknown id is ignored, since the request may have ended.
    pub fn cancel(&self, id: &str) {
        if let Some(token) = self.cancellable.lock().get(id) {
            token.cancel();
        }
    }
}

/// A request that can be cancelled, until this is dropped.
pub struct Cancellable(Option<(Arc<Session>, String)>);

impl Drop for Cancellable {
    fn drop(&mut self) {
        if let Some((session, id)) = self.0.take() {
            session.cancellable.lock().remove(&id);
        }
    }
}

fn plausible(id: &str) -> bool {
    id.len() == 32
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn unavailable(error: StoreError) -> SessionError {
    SessionError::Store(Arc::new(error))
}

#[cfg(test)]
mod tests;
