//! Hearing of changes: one subscription at the server for all who watch, kept up across connections.
//!
//! A server with sessions says by itself that its lists changed and is asked per resource; a stateless
//! one is asked for everything in one request that stays open.

use super::connection::{Connection, Request};
use super::object::{Object, raw};
use super::pool::Pool;
use crate::upstream::UpstreamError;
use crate::upstream::offers::{Change, Changes, Watch};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Resources of one server that are watched.
const MAX_WATCHED: usize = 1000;
const LOOK: Duration = Duration::from_secs(1);
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Which resources are watched, and how often.
#[derive(Default)]
pub(super) struct Watched {
    counts: Mutex<BTreeMap<Arc<str>, usize>>,
    changed: Notify,
    closed: CancellationToken,
}

impl Watched {
    pub(super) fn add(self: &Arc<Self>, uri: &str) -> Watch {
        let uri: Arc<str> = uri.into();
        {
            let mut counts = self.counts.lock();
            if counts.len() < MAX_WATCHED || counts.contains_key(&uri) {
                *counts.entry(Arc::clone(&uri)).or_default() += 1;
            } else {
                tracing::warn!(event = "too_many_watches", "a resource is not watched");
            }
        }
        self.changed.notify_one();
        let own = Arc::clone(self);
        Watch::ending(move || own.remove(&uri))
    }

    fn remove(&self, uri: &Arc<str>) {
        {
            let mut counts = self.counts.lock();
            let Some(count) = counts.get_mut(uri) else {
                return;
            };
            *count -= 1;
            if *count > 0 {
                return;
            }
            counts.remove(uri);
        }
        self.changed.notify_one();
    }

    pub(super) fn updated(&self, server: &Arc<str>, uri: &str, changes: &Changes) {
        // A server may name a part of what is watched.
        let counts = self.counts.lock();
        let watched = counts.keys().find(|own| uri.starts_with(&***own));
        if let Some(watched) = watched {
            changes.tell(Change::Resource {
                server: Arc::clone(server),
                uri: Arc::clone(watched),
            });
        }
    }

    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    fn all(&self) -> BTreeSet<Arc<str>> {
        self.counts.lock().keys().cloned().collect()
    }
}

/// Follows a server until it is closed.
pub(super) async fn follow(pool: Arc<Pool>, watched: Arc<Watched>) {
    let closed = watched.closed.clone();
    let following = async {
        loop {
            let Some(connection) = pool.open() else {
                let connected = pool.connected.notified();
                // It may be open, and only in use at this moment.
                let _looks_again = tokio::time::timeout(LOOK, connected).await;
                continue;
            };
            let over = connection.inbox.closed();
            tokio::select! {
                () = over.cancelled() => {}
                () = keep_up(&connection, &watched) => {}
            }
        }
    };
    tokio::select! {
        () = following => {}
        () = closed.cancelled() => {}
    }
}

async fn keep_up(connection: &Connection, watched: &Watched) {
    if connection.is_modern() {
        listen(connection, watched).await;
    } else {
        subscribe(connection, watched).await;
    }
}

/// `subscriptions/listen`, again whenever what is watched changes or the server ends it.
async fn listen(connection: &Connection, watched: &Watched) {
    let mut wait = FIRST_WAIT;
    loop {
        let began = tokio::time::Instant::now();
        let filter = filter(connection, watched);
        if filter.is_empty() {
            watched.changed.notified().await;
            continue;
        }
        let mut params = Object::default();
        params.set("notifications", filter.to_raw());
        let request = Request::new("subscriptions/listen", params);
        let ended = tokio::select! {
            ended = connection.request(request) => ended,
            () = watched.changed.notified() => continue,
        };
        match ended {
            Err(UpstreamError::Peer(error)) => {
                tracing::debug!(event = "listen_refused", %error, "a server cannot be listened to");
                watched.changed.notified().await;
            }
            _ => {
                if began.elapsed() > LONGEST_WAIT {
                    wait = FIRST_WAIT;
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }
}

fn filter(connection: &Connection, watched: &Watched) -> Object {
    let mut filter = Object::default();
    for (capability, member) in [
        ("tools", "toolsListChanged"),
        ("prompts", "promptsListChanged"),
        ("resources", "resourcesListChanged"),
    ] {
        if connection.offers_member(capability, "listChanged") {
            filter.set(member, raw(&true));
        }
    }
    let uris = watched.all();
    if !uris.is_empty() {
        let uris: Vec<&str> = uris.iter().map(|uri| &**uri).collect();
        filter.put("resourceSubscriptions", &uris);
    }
    filter
}

/// `resources/subscribe` and `unsubscribe`, as watches come and go.
async fn subscribe(connection: &Connection, watched: &Watched) {
    let mut subscribed = BTreeSet::new();
    loop {
        let wanted = watched.all();
        let steps = [
            ("resources/subscribe", &wanted - &subscribed),
            ("resources/unsubscribe", &subscribed - &wanted),
        ];
        for (method, uris) in steps {
            for uri in uris {
                change(connection, method, &uri).await;
            }
        }
        subscribed = wanted;
        watched.changed.notified().await;
    }
}

async fn change(connection: &Connection, method: &'static str, uri: &str) {
    let mut params = Object::default();
    params.put("uri", uri);
    if let Err(error) = connection.request(Request::new(method, params)).await {
        tracing::warn!(event = "subscription_failed", method, %error,
            "a subscription at a server could not be changed");
    }
}
