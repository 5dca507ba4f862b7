//! Connections that stay open: legacy event streams and `WebSocket`s.
//!
//! What the hub says to one is kept in a short history, from which its reader takes at its own speed
//! and, after a break, where it left off. A reader that falls out of the history is cut, so nothing
//! here grows with a slow one.

use super::Hub;
use super::scope::Scope;
use super::talk::Talk;
use crate::auth::Principal;
use crate::caller::Caller;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// Connections of one kind at a time.
const MAX_OPEN: usize = 1000;
/// Events kept for one connection, and their bytes.
const MAX_EVENTS: usize = 1000;
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Messages of a client that wait to be read.
const INBOX: usize = 100;
/// Frames between a client's requests and its history.
const OUTBOX: usize = 100;
/// How long a connection without a reader is kept.
const IDLE: Duration = Duration::from_secs(300);
/// How long a connection may live at all.
const LIFE: Duration = Duration::from_secs(24 * 3600);
/// The name of events that are frames of MCP.
pub const MESSAGE: &str = "message";
/// How often a connection is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// The connections of one kind.
pub struct Channels {
    /// Such as `sse`.
    pub kind: &'static str,
    open: Mutex<BTreeMap<String, Arc<Channel>>>,
    total: AtomicU64,
    sent: AtomicU64,
}

/// One connection.
pub struct Channel {
    /// Random; 32 characters.
    pub id: String,
    /// Who opened it.
    pub principal: Arc<Principal>,
    /// When.
    pub since: Timestamp,
    /// Ends it.
    pub over: CancellationToken,
    inbox: mpsc::Sender<Bytes>,
    history: Mutex<History>,
    grown: watch::Sender<u64>,
    readers: AtomicUsize,
}

/// Something said to a client.
#[derive(Debug, Clone)]
pub struct Event {
    /// Counts from 1.
    pub number: u64,
    /// `message` for a frame of MCP.
    pub name: Arc<str>,
    /// One JSON document.
    pub data: Bytes,
    /// When.
    pub at: Timestamp,
}

#[derive(Default)]
struct History {
    events: VecDeque<Event>,
    bytes: usize,
    last: u64,
}

/// Reads one connection; while it lives the connection counts as read.
pub struct Reader {
    channel: Arc<Channel>,
    grown: watch::Receiver<u64>,
    seen: u64,
}

impl Channels {
    /// No connections yet.
    #[must_use]
    pub fn new(kind: &'static str) -> Self {
        Self {
            kind,
            open: Mutex::default(),
            total: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        }
    }

    /// Opens a connection and lets it be served; `None` when too many are open.
    #[must_use]
    pub fn open(self: &Arc<Self>, hub: &Hub, caller: Caller, scope: Scope) -> Option<Arc<Channel>> {
        let (inbox, messages) = mpsc::channel(INBOX);
        let channel = Arc::new(Channel {
            id: BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>()),
            principal: Arc::clone(&caller.principal),
            since: hub.gateway.clock.now(),
            over: hub.gateway.tasks.token().child_token(),
            inbox,
            history: Mutex::default(),
            grown: watch::Sender::new(0),
            readers: AtomicUsize::new(0),
        });
        {
            let mut open = self.open.lock();
            if open.len() >= MAX_OPEN {
                return None;
            }
            open.insert(channel.id.clone(), Arc::clone(&channel));
        }
        self.total.fetch_add(1, Ordering::Relaxed);
        self.show(hub);
        let (out, frames) = mpsc::channel(OUTBOX);
        let served = Served {
            hub: hub.clone(),
            channels: Arc::clone(self),
            channel: Arc::clone(&channel),
            talk: Talk::new(hub, caller, scope, out),
            messages,
            frames,
        };
        hub.gateway.tasks.spawn("connection", served.run());
        Some(channel)
    }

    /// A connection `reader` may see: its own, or any of its organisation with `all`.
    #[must_use]
    pub fn find(&self, id: &str, reader: &Principal, all: bool) -> Option<Arc<Channel>> {
        let found = self.open.lock().get(id).cloned()?;
        let own = found.principal.id == reader.id;
        let near = found.principal.organization == reader.organization;
        (near && (own || all)).then_some(found)
    }

    /// Says something to every connection of the sender's organisation and namespace; how many heard.
    pub fn broadcast(
        &self,
        sender: &Principal,
        name: &Arc<str>,
        data: &Bytes,
        now: Timestamp,
    ) -> usize {
        let near: Vec<Arc<Channel>> = self
            .open
            .lock()
            .values()
            .filter(|it| {
                it.principal.organization == sender.organization
                    && it.principal.namespace == sender.namespace
            })
            .cloned()
            .collect();
        for channel in &near {
            self.say(channel, name, data, now);
        }
        near.len()
    }

    /// Says something to one connection.
    pub fn say(&self, channel: &Channel, name: &Arc<str>, data: &Bytes, now: Timestamp) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        channel.add(Arc::clone(name), data.clone(), now);
    }

    /// How many are open.
    #[must_use]
    pub fn active(&self) -> usize {
        self.open.lock().len()
    }

    /// How many were ever opened.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// The status document; `reader` sees the connections of its organisation.
    #[must_use]
    pub fn status(&self, reader: &Principal) -> Value {
        let open = self.open.lock();
        let near = open
            .values()
            .filter(|it| it.principal.organization == reader.organization);
        let sessions: Vec<Value> = near.map(|it| it.shown()).collect();
        json!({
            "active_connections": open.len(),
            "total_connections": self.total(),
            "sessions": sessions,
            "metrics": {"messages_sent": self.sent.load(Ordering::Relaxed)},
            "transport_type": self.kind,
        })
    }

    fn close(&self, hub: &Hub, id: &str) {
        self.open.lock().remove(id);
        self.show(hub);
    }

    fn show(&self, hub: &Hub) {
        let active = i64::try_from(self.active()).unwrap_or(i64::MAX);
        hub.gateway.metrics.sessions_active(self.kind, active);
    }
}

impl Channel {
    /// Hands a message of the client on; `false` when too many wait, or it is over.
    #[must_use]
    pub fn take(&self, message: Bytes) -> bool {
        self.inbox.try_send(message).is_ok()
    }

    /// Reads what comes after the event `seen`; 0 for everything.
    #[must_use]
    pub fn read(self: &Arc<Self>, seen: u64) -> Reader {
        self.readers.fetch_add(1, Ordering::Relaxed);
        Reader {
            channel: Arc::clone(self),
            grown: self.grown.subscribe(),
            seen,
        }
    }

    /// The kept events after `seen`, `limit` at most.
    #[must_use]
    pub fn after(&self, seen: u64, limit: usize) -> Vec<Event> {
        let history = self.history.lock();
        let after = history.events.iter().filter(|event| event.number > seen);
        after.take(limit).cloned().collect()
    }

    fn add(&self, name: Arc<str>, data: Bytes, at: Timestamp) {
        let mut history = self.history.lock();
        history.last += 1;
        let number = history.last;
        history.bytes += data.len();
        history.events.push_back(Event {
            number,
            name,
            data,
            at,
        });
        while history.events.len() > MAX_EVENTS
            || (history.bytes > MAX_BYTES && history.events.len() > 1)
        {
            let gone = history
                .events
                .pop_front()
                .map_or(0, |event| event.data.len());
            history.bytes -= gone;
        }
        drop(history);
        self.grown.send_replace(number);
    }

    fn shown(&self) -> Value {
        json!({
            "session_id": self.id,
            "principal": &*self.principal.id,
            "since": format!("{:.3}", self.since),
            "events": self.history.lock().last,
        })
    }
}

impl Reader {
    /// The next events; `None` at the end, or when it was too slow. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Vec<Event>> {
        loop {
            let events = self.channel.after(self.seen, MAX_EVENTS);
            if let (Some(first), Some(last)) = (events.first(), events.last()) {
                let missed = self.seen > 0 && first.number > self.seen + 1;
                self.seen = last.number;
                return (!missed).then_some(events);
            }
            tokio::select! {
                () = self.channel.over.cancelled() => return None,
                grown = self.grown.changed() => grown.ok()?,
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.channel.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One connection being served.
struct Served {
    hub: Hub,
    channels: Arc<Channels>,
    channel: Arc<Channel>,
    talk: Talk,
    messages: mpsc::Receiver<Bytes>,
    frames: mpsc::Receiver<Bytes>,
}

impl Served {
    /// Until the connection is over, nobody reads it, or its credential is no longer good.
    async fn run(mut self) {
        let remember = self.remember();
        let history = self.hub.gateway.tasks.spawn("history", remember);
        let began = Instant::now();
        let mut read_at = began;
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.channel.over.cancelled() => break,
                message = self.messages.recv() => match message {
                    Some(message) => self.talk.message(&message).await,
                    None => break,
                },
                () = self.talk.reap() => {}
                _ = look.tick() => {
                    if self.channel.readers.load(Ordering::Relaxed) > 0 {
                        read_at = Instant::now();
                    }
                    let valid = self.hub.gateway.auth.still_valid(&self.channel.principal);
                    if !valid || read_at.elapsed() > IDLE || began.elapsed() > LIFE {
                        break;
                    }
                }
            }
        }
        self.talk.abandon().await;
        self.channel.over.cancel();
        self.channels.close(&self.hub, &self.channel.id);
        drop(history.await);
    }

    /// Puts what the client is told into the history.
    fn remember(&mut self) -> impl Future<Output = ()> + use<> {
        let (_, nothing) = mpsc::channel(1);
        let mut frames = std::mem::replace(&mut self.frames, nothing);
        let (clock, channel) = (
            Arc::clone(&self.hub.gateway.clock),
            Arc::clone(&self.channel),
        );
        async move {
            let name: Arc<str> = MESSAGE.into();
            while let Some(frame) = frames.recv().await {
                channel.add(Arc::clone(&name), frame, clock.now());
            }
        }
    }
}

#[cfg(test)]
mod tests;
