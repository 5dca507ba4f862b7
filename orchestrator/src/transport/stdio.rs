//! MCP on a byte stream: one message a line, both eras, many requests at once.
//!
//! The principal is given; there are no credentials and no headers here. At the end of the input the
//! requests in flight are still answered.

mod lines;

use super::Hub;
use super::envelope::{Incoming, Notice, Request, decode};
use super::era::{self, Era};
use super::exchange::Spoken;
use super::fault::Fault;
use super::listen::{acknowledged, ended};
use super::meta::Meta;
use super::methods::{self, Asked, Prepared, failed};
use super::reports::{level_of, tools_changed};
use super::revision::Revision;
use crate::auth::Principal;
use crate::caller::Caller;
use bytes::Bytes;
use lines::{Line, Lines};
use parking_lot::Mutex;
use proto::mcp::{Id, code};
use shared::id::CorrelationId;
use shared::tool::LogLevel;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Requests and subscriptions in flight.
const MAX_IN_FLIGHT: usize = 128;
/// Frames that wait for a slow reader.
const QUEUE: usize = 256;
/// How long requests in flight may take after the end of the input.
const DRAIN: Duration = Duration::from_secs(30);

/// Serves one client until its input ends, or the hub stops.
pub async fn serve<R, W>(hub: Hub, principal: Arc<Principal>, input: R, output: W)
where
    R: AsyncRead + Send + Unpin,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let (out, frames) = mpsc::channel(QUEUE);
    let writer = hub
        .gateway
        .tasks
        .spawn("stdio writer", lines::write_all(frames, output));
    let mut client = Client::new(&hub, principal, out);
    let mut lines = Lines::new(input, hub.settings.body_bytes);
    let stop = hub.gateway.tasks.token();
    loop {
        let line = tokio::select! {
            () = stop.cancelled() => break,
            line = lines.next() => line,
            Some(_ended) = client.running.join_next() => continue,
        };
        match line {
            Line::Text(line) => client.message(&line).await,
            Line::TooLong => {
                let fault = Fault::parse("the message is too large");
                client.say(failed(None, &fault)).await;
            }
            Line::End => break,
        }
    }
    client.finish().await;
    if writer.await.is_err() {
        tracing::warn!(event = "stdio_writer", "the writer of a client ended badly");
    }
}

struct Client {
    hub: Hub,
    principal: Arc<Principal>,
    out: mpsc::Sender<Bytes>,
    running: JoinSet<()>,
    /// Requests in flight, by id; subscriptions too.
    cancels: Arc<Mutex<HashMap<String, CancellationToken>>>,
    /// Ends what runs until it is told to: subscriptions.
    over: CancellationToken,
    /// What `initialize` agreed on; `None` before.
    revision: Option<Revision>,
    level: Option<LogLevel>,
}

impl Client {
    fn new(hub: &Hub, principal: Arc<Principal>, out: mpsc::Sender<Bytes>) -> Self {
        Self {
            hub: hub.clone(),
            principal,
            out,
            running: JoinSet::new(),
            cancels: Arc::default(),
            over: hub.gateway.tasks.token().child_token(),
            revision: None,
            level: None,
        }
    }

    async fn message(&mut self, line: &Bytes) {
        match decode(line) {
            Err(undecodable) => {
                self.say(failed(undecodable.id.as_ref(), &undecodable.fault))
                    .await;
            }
            Ok(Incoming::Request(request)) => self.requested(&request, line).await,
            Ok(Incoming::Notification(notice)) => self.notified(&notice),
            Ok(Incoming::Response) => {}
        }
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
        let hub = self.hub.clone();
        let asked = Asked {
            hub: &hub,
            caller: self.caller(),
            revision,
            id: request.id.clone(),
            params: &request.params,
            meta: &meta,
            body: line,
        };
        match (request.method.as_str(), revision.is_modern()) {
            ("tools/list", _) => self.say(asked.list_tools()).await,
            ("tools/call", _) => self.call(&asked).await,
            ("server/discover", true) => self.say(asked.done(&methods::discovered())).await,
            ("subscriptions/listen", true) => self.subscribe(&asked).await,
            ("ping", false) => self.say(asked.done(b"{}")).await,
            ("logging/setLevel", false) => self.set_level(&asked).await,
            _ => self.say(asked.failed(&Fault::method_not_found())).await,
        }
    }

    async fn initialize(&mut self, request: &Request<'_>) {
        let spoken = match methods::negotiated(&request.params) {
            Ok(revision) => {
                let first = self.revision.replace(revision).is_none();
                if first {
                    self.announce_changes();
                }
                Spoken::frame(super::frame::success(
                    &request.id,
                    &methods::initialized(revision),
                ))
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

    async fn call(&mut self, asked: &Asked<'_>) {
        let Some(running) = self.register(&asked.id) else {
            return self.say(asked.failed(&busy())).await;
        };
        let level = match asked.meta.log_level.as_deref() {
            Some(word) => level_of(word),
            None if asked.revision.is_modern() => None,
            None => self.level,
        };
        match asked.prepare(level, running.token.clone()) {
            Ok(prepared) => {
                let call = make(prepared, self.hub.clone(), self.out.clone(), running);
                self.running.spawn(call);
            }
            Err(fault) => self.say(asked.failed(&fault)).await,
        }
    }

    async fn subscribe(&mut self, asked: &Asked<'_>) {
        let tools = match methods::wants_tools(asked.params) {
            Ok(tools) => tools,
            Err(fault) => return self.say(asked.failed(&fault)).await,
        };
        let Some(running) = self.register(&asked.id) else {
            return self.say(asked.failed(&busy())).await;
        };
        let id = asked.id.clone();
        let (out, over) = (self.out.clone(), self.over.clone());
        let mut changes = self.hub.registry.version();
        changes.mark_unchanged();
        self.running.spawn(async move {
            put(&out, acknowledged(&id, tools)).await;
            loop {
                tokio::select! {
                    () = running.token.cancelled() => return,
                    () = over.cancelled() => break,
                    changed = changes.changed() => match changed {
                        Ok(()) if tools => put(&out, tools_changed(Some(&id))).await,
                        Ok(()) => {}
                        Err(_closed) => break,
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
        let mut changes = self.hub.registry.version();
        changes.mark_unchanged();
        self.running.spawn(async move {
            loop {
                tokio::select! {
                    () = over.cancelled() => return,
                    changed = changes.changed() => match changed {
                        Ok(()) => put(&out, tools_changed(None)).await,
                        Err(_closed) => return,
                    },
                }
            }
        });
    }

    /// A place for a request; `None` when there are too many, or its id is in use.
    fn register(&self, id: &Id) -> Option<Running> {
        let key = id.0.get().to_owned();
        let mut all = self.cancels.lock();
        if all.len() >= MAX_IN_FLIGHT || all.contains_key(&key) {
            return None;
        }
        let token = CancellationToken::new();
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
            principal: Arc::clone(&self.principal),
            correlation_id: CorrelationId::fresh(),
            request_id: format!("req_{}", uuid::Uuid::now_v7().simple()).into(),
            traceparent: None,
            address: None,
            door: "stdio",
            depth: 0,
            http: None,
        }
    }

    async fn say(&self, spoken: Spoken) {
        if let Some(frame) = spoken.frame {
            put(&self.out, frame).await;
        }
    }

    /// Waits for what is in flight, then lets the writer end.
    async fn finish(mut self) {
        self.over.cancel();
        let all = async { while self.running.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            tracing::warn!(event = "stdio_cut", "requests of a client were cut");
        }
        self.running.shutdown().await;
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
async fn make(prepared: Prepared, hub: Hub, out: mpsc::Sender<Bytes>, running: Running) {
    let reports = prepared.reports.clone();
    let mut call = prepared.run(&hub);
    let spoken = loop {
        tokio::select! {
            biased;
            frame = reports.next() => put(&out, frame).await,
            spoken = &mut call => break spoken,
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
        tracing::debug!(event = "stdio_gone", "the client takes no more answers");
    }
}

fn busy() -> Fault {
    Fault::new(
        code::SERVER,
        "too many requests are in flight, or this id is in use",
    )
}
