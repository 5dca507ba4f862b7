//! The connections to one server: one for everybody, or one per principal or session.
//!
//! A server with sessions is told once what its client can do, so calls whose client can be asked
//! something get a connection of their own per principal and abilities. A connection that broke is
//! opened again when it is next needed, at once if it had worked, with growing waits if it cannot be
//! opened, and never more than so many times a minute for a child process.

use super::connection::{Connection, Era};
use super::dial::{Dialer, Endpoint};
use crate::upstream::UpstreamError;
use crate::upstream::offers::{Bridge, HostAbilities};
use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::Mutex;
use shared::tasks::Tasks;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// Connections of one server.
const MAX_SLOTS: usize = 64;
/// After how long an unused connection of one principal is ended.
const IDLE: Duration = Duration::from_secs(600);
/// How long opening a connection may take.
const OPENING: Duration = Duration::from_secs(30);
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const MINUTE: Duration = Duration::from_secs(60);

/// Who shares a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Everybody.
    Shared,
    /// Each principal has its own.
    PerPrincipal,
    /// Each session of a client has its own; without a session, each principal.
    PerSession,
}

/// Which connection a call uses.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Key {
    scope: Option<Arc<str>>,
    /// Of the abilities; `None` when the client cannot be asked anything.
    abilities: Option<[u8; 8]>,
}

/// Connections to one server.
pub(super) struct Pool {
    pub(super) dialer: Dialer,
    pub(super) isolation: Isolation,
    /// Whether servers may ask clients.
    pub(super) interactive: bool,
    /// Most starts of a child in a minute.
    pub(super) starts_per_minute: usize,
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
    starts: Mutex<VecDeque<Instant>>,
    era: Mutex<Option<Era>>,
    /// Told when the shared connection was opened.
    pub(super) connected: Notify,
}

#[derive(Default)]
struct Slot {
    current: tokio::sync::Mutex<Option<Arc<Connection>>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    used: Option<Instant>,
    failures: u32,
    failed: Option<Instant>,
}

impl Pool {
    pub(super) fn new(
        dialer: Dialer,
        isolation: Isolation,
        interactive: bool,
        starts_per_minute: usize,
    ) -> Self {
        Self {
            dialer,
            isolation,
            interactive,
            starts_per_minute,
            slots: Mutex::default(),
            starts: Mutex::default(),
            era: Mutex::default(),
            connected: Notify::new(),
        }
    }

    /// The connection of the hub itself: for lists, health and changes.
    pub(super) async fn shared(&self) -> Result<Arc<Connection>, UpstreamError> {
        self.connection(&Key::default(), &HostAbilities::default())
            .await
    }

    /// The connection for a call.
    pub(super) async fn of(
        &self,
        principal: &str,
        bridge: &Bridge,
    ) -> Result<Arc<Connection>, UpstreamError> {
        let scope = match self.isolation {
            Isolation::Shared => None,
            Isolation::PerPrincipal => Some(Arc::from(principal)),
            Isolation::PerSession => Some(
                bridge
                    .session
                    .clone()
                    .unwrap_or_else(|| Arc::from(principal)),
            ),
        };
        let abilities = bridge.host.abilities();
        let asks = self.interactive && !abilities.is_empty();
        let plain = Key {
            scope,
            abilities: None,
        };
        if !asks {
            return self.connection(&plain, &HostAbilities::default()).await;
        }
        if self.era.lock().is_none() {
            self.connection(&plain, &HostAbilities::default()).await?;
        }
        if *self.era.lock() == Some(Era::Modern) {
            return self.connection(&plain, &HostAbilities::default()).await;
        }
        let key = Key {
            scope: plain.scope.or_else(|| Some(Arc::from(principal))),
            abilities: Some(fingerprint(&abilities)),
        };
        self.connection(&key, &abilities).await
    }

    /// The shared connection, if it is open now.
    pub(super) fn open(&self) -> Option<Arc<Connection>> {
        let slot = self.slots.lock().get(&Key::default()).cloned()?;
        let current = slot.current.try_lock().ok()?;
        current.clone().filter(|it| !it.inbox.is_closed())
    }

    /// How many connections are open.
    pub(super) fn count(&self) -> usize {
        let slots = self.slots.lock();
        let open = |slot: &&Arc<Slot>| {
            let current = slot.current.try_lock();
            current.is_ok_and(|it| it.as_ref().is_some_and(|it| !it.inbox.is_closed()))
        };
        slots.values().filter(open).count()
    }

    /// Ends every connection.
    pub(super) async fn close(&self) {
        let slots: Vec<_> = self.slots.lock().drain().map(|(_, slot)| slot).collect();
        for slot in slots {
            let connection = slot.current.lock().await.take();
            if let Some(connection) = connection {
                connection.close().await;
            }
        }
    }

    async fn connection(
        &self,
        key: &Key,
        abilities: &HostAbilities,
    ) -> Result<Arc<Connection>, UpstreamError> {
        let slot = self.slot(key)?;
        let mut current = slot.current.lock().await;
        if let Some(open) = current.as_ref().filter(|it| !it.inbox.is_closed()) {
            return Ok(Arc::clone(open));
        }
        if let Some(broken) = current.take() {
            broken.close().await;
        }
        slot.may_try()?;
        let connection = Arc::new(self.dial(&slot, abilities).await?);
        *current = Some(Arc::clone(&connection));
        drop(current);
        if *key == Key::default() {
            self.connected.notify_one();
        }
        Ok(connection)
    }

    async fn dial(
        &self,
        slot: &Slot,
        abilities: &HostAbilities,
    ) -> Result<Connection, UpstreamError> {
        self.count_start()?;
        let known = self.era.lock().clone();
        let dialled = timeout(OPENING, self.dialer.dial(known.as_ref(), abilities)).await;
        let dialled = dialled.unwrap_or(Err(UpstreamError::Timeout));
        match &dialled {
            Ok(connection) => {
                slot.worked();
                *self.era.lock() = Some(connection.opening.era.clone());
                tracing::info!(
                    event = "server_connected",
                    server = &*self.dialer.server,
                    revision = connection.opening.era.version(),
                    "a server is connected"
                );
            }
            Err(error) => {
                slot.failed();
                // The verdict may be an old one.
                *self.era.lock() = None;
                tracing::debug!(event = "server_not_connected", server = &*self.dialer.server, %error,
                    "a server could not be connected");
            }
        }
        // Nothing was asked of any tool yet.
        dialled.map_err(|error| match error {
            UpstreamError::Refused(_) | UpstreamError::Overloaded { .. } => error,
            other => UpstreamError::Unreachable(other.to_string()),
        })
    }

    fn count_start(&self) -> Result<(), UpstreamError> {
        if !matches!(self.dialer.endpoint, Endpoint::Stdio { .. }) {
            return Ok(());
        }
        let now = Instant::now();
        let mut starts = self.starts.lock();
        while starts
            .front()
            .is_some_and(|at| now.duration_since(*at) >= MINUTE)
        {
            starts.pop_front();
        }
        if starts.len() >= self.starts_per_minute {
            return Err(UpstreamError::Unreachable(
                "the server was started too often in the last minute".into(),
            ));
        }
        starts.push_back(now);
        Ok(())
    }

    fn slot(&self, key: &Key) -> Result<Arc<Slot>, UpstreamError> {
        let now = Instant::now();
        let mut slots = self.slots.lock();
        self.sweep(&mut slots, now);
        if !slots.contains_key(key) && slots.len() >= MAX_SLOTS {
            return Err(UpstreamError::Overloaded {
                retry_after: MINUTE,
            });
        }
        let slot = Arc::clone(slots.entry(key.clone()).or_default());
        slot.state.lock().used = Some(now);
        Ok(slot)
    }

    /// Ends connections that nobody used for long; a call in flight holds its slot's connection.
    fn sweep(&self, slots: &mut HashMap<Key, Arc<Slot>>, now: Instant) {
        let tasks = &self.dialer.tasks;
        slots.retain(|key, slot| {
            let used = slot.state.lock().used;
            let idle = used.is_some_and(|at| now.duration_since(at) >= IDLE);
            if *key == Key::default() || !idle || tasks.is_stopping() {
                return true;
            }
            let Ok(mut current) = slot.current.try_lock() else {
                return true;
            };
            let busy = current.as_ref().is_some_and(|it| Arc::strong_count(it) > 1);
            if busy {
                return true;
            }
            if let Some(connection) = current.take() {
                end(tasks, connection);
            }
            false
        });
    }
}

impl Slot {
    fn may_try(&self) -> Result<(), UpstreamError> {
        let state = self.state.lock();
        let Some(failed) = state.failed else {
            return Ok(());
        };
        let growth = 2_u32.saturating_pow(state.failures.saturating_sub(1).min(16));
        let wait = FIRST_WAIT.saturating_mul(growth).min(LONGEST_WAIT);
        if failed.elapsed() < wait {
            return Err(UpstreamError::Unreachable(
                "the server could not be reached a moment ago".into(),
            ));
        }
        Ok(())
    }

    fn worked(&self) {
        let mut state = self.state.lock();
        state.failures = 0;
        state.failed = None;
    }

    fn failed(&self) {
        let mut state = self.state.lock();
        state.failures = state.failures.saturating_add(1);
        state.failed = Some(Instant::now());
    }
}

fn end(tasks: &Tasks, connection: Arc<Connection>) {
    tasks.spawn("end a connection", async move { connection.close().await });
}

fn fingerprint(abilities: &HostAbilities) -> [u8; 8] {
    let text = super::connection::capabilities(abilities).to_raw();
    let mut short = [0; 8];
    let hash = digest(&SHA256, text.get().as_bytes());
    for (to, from) in short.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    short
}
