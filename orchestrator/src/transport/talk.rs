//! One client on a connection of its own, whatever carries its messages: both eras, many requests at
//! once, frames out through one bounded queue.
//!
//! The principal is given: who opened the connection. A client that does not read holds up its own
//! requests only.

use super::Hub;
use super::asking::{Asks, StreamHost};
use super::changes::{Ear, Watched, Wishes, acknowledged, ended};
use super::deferred;
use super::envelope::{Answered, Incoming, Notice, Request, decode};
use super::era::{self, Era};
use super::exchange::Spoken;
use super::fault::Fault;
use super::frame;
use super::legacy;
use super::meta::Meta;
use super::methods::{self, Asked, Wires, failed};
use super::modern;
use super::opening;
use super::reports::{Reports, level_of, word};
use super::revision::Revision;
use super::scope::Scope;
use crate::caller::Caller;
use crate::upstream::offers::HostAbilities;
use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use proto::mcp::{Id, code};
use shared::id::CorrelationId;
use shared::tool::LogLevel;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Requests and subscriptions in flight.
const MAX_IN_FLIGHT: usize = 128;
/// How long requests in flight may take after the end of the input.
const DRAIN: Duration = Duration::from_secs(30);

/// One client.
pub(super) struct Talk {
    hub: Hub,
    /// Who opened the connection; each request gets ids of its own.
    caller: Caller,
    scope: Scope,
    out: mpsc::Sender<Bytes>,
    running: JoinSet<()>,
    /// Requests in flight, by id; subscriptions too.
    cancels: Arc<Mutex<HashMap<String, CancellationToken>>>,
    /// Ends what runs until it is told to: subscriptions.
    over: CancellationToken,
    /// What `initialize` agreed on; `None` before.
    revision: Option<Revision>,
    level: Option<LogLevel>,
    abilities: HostAbilities,
    asks: Arc<Asks>,
    watched: Watched,
}

impl Talk {
    /// A client that has said nothing yet; what the hub says goes to `out`.
    pub(super) fn new(hub: &Hub, caller: Caller, scope: Scope, out: mpsc::Sender<Bytes>) -> Self {
        Self {
            hub: hub.clone(),
            caller,
            scope,
            out,
            running: JoinSet::new(),
            cancels: Arc::default(),
            over: hub.gateway.tasks.token().child_token(),
            revision: None,
            level: None,
            abilities: HostAbilities::default(),
            asks: Arc::default(),
            watched: Watched::default(),
        }
    }

    /// Takes one message.
    pub(super) async fn message(&mut self, line: &Bytes) {
        match decode(line) {
            Err(undecodable) => {
                self.say(failed(undecodable.id.as_ref(), &undecodable.fault))
                    .await;
            }
            Ok(Incoming::Request(request)) => self.requested(&request, line).await,
            Ok(Incoming::Notification(notice)) => self.notified(&notice),
            Ok(Incoming::Response(answer)) => self.answered(&answer),
        }
    }

    /// Refuses what could not be read.
    pub(super) async fn refuse(&self, fault: &Fault) {
        self.say(failed(None, fault)).await;
    }

    /// Forgets a request that ended; pends while none runs.
    pub(super) async fn reap(&mut self) {
        if self.running.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for what is in flight.
    pub(super) async fn finish(mut self) {
        self.over.cancel();
        let all = async { while self.running.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::warn!(event = "talk_cut", "requests of a client were cut");
        }
        self.running.shutdown().await;
    }

    /// Ends what is in flight: nobody is there to hear of it. Changes go on, as always.
    pub(super) async fn abandon(mut self) {
        self.over.cancel();
        self.running.shutdown().await;
    }

    async fn requested(&mut self, request: &Request<'_>, line: &Bytes) {
        let era = Meta::parse(request.params.meta)
            .and_then(|meta| era::of_line(&request.method, &meta).map(|era| (era, meta)));
        let (era, meta) = match era {
            Ok(both) => both,
            Err(fault) => return self.say(failed(Some(&request.id), &fault)).await,
        };
        let revision = match era {
            Era::Initialize => return self.initialize(request).await,
            Era::Modern => Revision::July2026,
            Era::Legacy(_) => self.revision.unwrap_or(Revision::NEWEST_LEGACY),
        };
        let (hub, scope) = (self.hub.clone(), self.scope.clone());
        let asked = Asked {
            hub: &hub,
            caller: self.caller(),
            revision,
            id: request.id.clone(),
            params: &request.params,
            meta: &meta,
            body: line,
            scope: &scope,
        };
        if revision.is_modern()
            && let Some(told) = deferred::answer(&asked, &request.method).await
        {
            return self.say(told).await;
        }
        if let Some(listed) = asked.list(&request.method) {
            return self.say(listed).await;
        }
        match (request.method.as_str(), revision.is_modern()) {
            ("server/discover", true) => self.say(asked.done(&opening::discovered())).await,
            ("subscriptions/listen", true) => self.subscribe(&asked).await,
            (method, true) => self.stateless(&asked, method).await,
            ("ping", false) => self.say(asked.done(b"{}")).await,
            ("logging/setLevel", false) => self.set_level(&asked).await,
            ("resources/subscribe", false) => {
                let done = legacy::watch(&asked, &self.watched).await;
                self.say(done.map_or_else(|refused| refused, |()| asked.done(b"{}")))
                    .await;
            }
            ("resources/unsubscribe", false) => {
                if let Some(uri) = methods::text(asked.params.uri) {
                    self.watched.remove(&uri);
                }
                self.say(asked.done(b"{}")).await;
            }
            (method, false) => self.work(&asked, method).await,
        }
    }

    async fn initialize(&mut self, request: &Request<'_>) {
        let spoken = match opening::negotiated(&request.params) {
            Ok(revision) => {
                self.abilities = methods::abilities(request.params.capabilities);
                let first = self.revision.replace(revision).is_none();
                if first {
                    self.announce_changes();
                }
                let result = opening::initialized(revision);
                Spoken::frame(frame::success(&request.id, &result))
            }
            Err(fault) => failed(Some(&request.id), &fault),
        };
        self.say(spoken).await;
    }

    fn notified(&self, notice: &Notice<'_>) {
        if notice.method == "notifications/cancelled"
            && let Some(id) = notice.params.request_id
            && let Some(token) = self.cancels.lock().get(id.get())
        {
            token.cancel();
        }
    }

    fn answered(&self, answer: &Answered<'_>) {
        if let Some(id) = &answer.id {
            self.asks.answered(id.0.get(), answer.told());
        }
    }

    async fn stateless(&mut self, asked: &Asked<'_>, method: &str) {
        match modern::begin(asked, method) {
            Ok(begun) => {
                self.start(asked, begun.reports, begun.cancelled, begun.run)
                    .await;
            }
            Err(fault) => self.say(asked.failed(&fault)).await,
        }
    }

    async fn work(&mut self, asked: &Asked<'_>, method: &str) {
        let reports = Reports::new(asked.wanted(self.level));
        let cancelled = CancellationToken::new();
        let host = StreamHost {
            abilities: self.abilities.clone(),
            asks: Arc::clone(&self.asks),
            reports: reports.clone(),
            level: self.level.map(|level| word(level).into()),
            names_server: self.scope.only.is_none(),
        };
        let wires = Wires {
            reports: reports.clone(),
            host: Arc::new(host),
            session: None,
            cancelled: cancelled.clone(),
            note: None,
        };
        match asked.work(method, wires) {
            Ok(work) => {
                self.start(asked, reports, cancelled, work.spoken()).await;
            }
            Err(fault) => self.say(asked.failed(&fault)).await,
        }
    }

    /// Lets work run beside the client's further messages.
    async fn start(
        &mut self,
        asked: &Asked<'_>,
        reports: Reports,
        cancelled: CancellationToken,
        run: BoxFuture<'static, Spoken>,
    ) {
        let Some(running) = self.register(&asked.id, cancelled) else {
            return self.say(asked.failed(&busy())).await;
        };
        self.running
            .spawn(make(run, reports, self.out.clone(), running));
    }

    async fn subscribe(&mut self, asked: &Asked<'_>) {
        let wishes = match modern::wishes(asked).await {
            Ok(wishes) => wishes,
            Err(fault) => return self.say(asked.failed(&fault)).await,
        };
        let Some(running) = self.register(&asked.id, CancellationToken::new()) else {
            return self.say(asked.failed(&busy())).await;
        };
        let id = asked.id.clone();
        let (out, over) = (self.out.clone(), self.over.clone());
        let first = acknowledged(&id, &wishes);
        let mut ear = Ear::new(&self.hub.registry, wishes);
        self.running.spawn(async move {
            put(&out, first).await;
            loop {
                tokio::select! {
                    () = running.token.cancelled() => return,
                    () = over.cancelled() => break,
                    due = ear.next() => match due {
                        Some(due) => put(&out, due.frame(Some(&id))).await,
                        None => break,
                    },
                }
            }
            put(&out, ended(&id)).await;
        });
    }

    async fn set_level(&mut self, asked: &Asked<'_>) {
        let level = methods::text(asked.params.level).and_then(|word| level_of(&word));
        let spoken = match level {
            Some(level) => {
                self.level = Some(level);
                asked.done(b"{}")
            }
            None => asked.failed(&Fault::invalid_params(
                "level must be the name of a severity",
            )),
        };
        self.say(spoken).await;
    }

    /// Legacy clients are told of changes without asking.
    fn announce_changes(&mut self) {
        let (out, over) = (self.out.clone(), self.over.clone());
        let wishes = Wishes::everything(self.watched.clone(), self.scope.only.clone());
        let mut ear = Ear::new(&self.hub.registry, wishes);
        self.running.spawn(async move {
            loop {
                tokio::select! {
                    () = over.cancelled() => return,
                    due = ear.next() => match due {
                        Some(due) => put(&out, due.frame(None)).await,
                        None => return,
                    },
                }
            }
        });
    }

    /// A place for a request; `None` when there are too many, or its id is in use.
    fn register(&self, id: &Id, token: CancellationToken) -> Option<Running> {
        let key = id.0.get().to_owned();
        let mut all = self.cancels.lock();
        if all.len() >= MAX_IN_FLIGHT || all.contains_key(&key) {
            return None;
        }
        all.insert(key.clone(), token.clone());
        drop(all);
        Some(Running {
            all: Arc::clone(&self.cancels),
            key,
            token,
        })
    }

    fn caller(&self) -> Caller {
        Caller {
            correlation_id: CorrelationId::fresh(),
            request_id: format!("req_{}", uuid::Uuid::now_v7().simple()).into(),
            ..self.caller.clone()
        }
    }

    async fn say(&self, spoken: Spoken) {
        if let Some(frame) = spoken.frame {
            put(&self.out, frame).await;
        }
    }
}

/// A request in flight; its id is free again when this is dropped.
struct Running {
    all: Arc<Mutex<HashMap<String, CancellationToken>>>,
    key: String,
    token: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.all.lock().remove(&self.key);
    }
}

/// One call: its reports as they come, then what it came to, unless it was cancelled.
async fn make(
    mut run: BoxFuture<'static, Spoken>,
    reports: Reports,
    out: mpsc::Sender<Bytes>,
    running: Running,
) {
    let spoken = loop {
        tokio::select! {
            biased;
            frame = reports.next() => put(&out, frame).await,
            spoken = &mut run => break spoken,
        }
    };
    if let Some(frame) = spoken.frame
        && !running.token.is_cancelled()
    {
        put(&out, frame).await;
    }
}

/// A client that is gone takes nothing; that is no failure of ours.
async fn put(out: &mpsc::Sender<Bytes>, frame: Bytes) {
    if out.send(frame).await.is_err() {
        tracing::debug!(event = "client_gone", "a client takes no more answers");
    }
}

fn busy() -> Fault {
    Fault::new(
        code::SERVER,
        "too many requests are in flight, or this id is in use",
    )
}
