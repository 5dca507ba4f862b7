//! What comes in from a server: answers find their requests, notifications their listeners, requests
//! of the server the client of the call they belong to.
//!
//! How messages travel is the carriers' matter.

use crate::upstream::UpstreamError;
use crate::upstream::offers::{Host, HostRefusal, HostRequest, PeerError};
use parking_lot::Mutex;
use proto::mcp::{Id, Message};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use shared::tool::Progress;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Requests of the server that wait for the client of one connection.
const MAX_ASKED: usize = 32;

/// What a server says by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    Tools,
    Prompts,
    Resources,
    Resource(String),
}

/// Where answers of one connection arrive.
pub(super) struct Inbox {
    server: Arc<str>,
    next: AtomicU64,
    pending: Mutex<HashMap<u64, Pending>>,
    asked: Mutex<usize>,
    heard: Box<dyn Fn(Heard) + Send + Sync>,
    closed: CancellationToken,
}

/// One request that waits.
struct Pending {
    answer: oneshot::Sender<Result<Box<RawValue>, UpstreamError>>,
    progress: Progress,
    host: Arc<dyn Host>,
}

/// The caller's end of one request; dropping it forgets the request.
pub(super) struct Waiting {
    pub(super) id: u64,
    pub(super) answer: oneshot::Receiver<Result<Box<RawValue>, UpstreamError>>,
    inbox: Arc<Inbox>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.inbox.pending.lock().remove(&self.id);
    }
}

/// A request of the server that has to be answered.
pub(super) struct Asked {
    id: Id,
    method: String,
    params: Option<Box<RawValue>>,
    host: Option<Arc<dyn Host>>,
    server: Arc<str>,
    _slot: Slot,
}

struct Slot(Arc<Inbox>);

impl Drop for Slot {
    fn drop(&mut self) {
        *self.0.asked.lock() -= 1;
    }
}

impl Inbox {
    pub(super) fn new(
        server: Arc<str>,
        heard: impl Fn(Heard) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            server,
            next: AtomicU64::new(1),
            pending: Mutex::default(),
            asked: Mutex::default(),
            heard: Box::new(heard),
            closed: CancellationToken::new(),
        })
    }

    /// A place for the answer to a new request.
    pub(super) fn expect(self: &Arc<Self>, progress: Progress, host: Arc<dyn Host>) -> Waiting {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (tell, answer) = oneshot::channel();
        let pending = Pending {
            answer: tell,
            progress,
            host,
        };
        self.pending.lock().insert(id, pending);
        Waiting {
            id,
            answer,
            inbox: Arc::clone(self),
        }
    }

    pub(super) fn server_name(&self) -> Arc<str> {
        Arc::clone(&self.server)
    }

    /// Whether the request is still unanswered.
    pub(super) fn waits(&self, id: u64) -> bool {
        self.pending.lock().contains_key(&id)
    }

    /// Fires when the connection is of no more use.
    pub(super) fn closed(&self) -> CancellationToken {
        self.closed.clone()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// The connection is gone: everything that waits fails with `error`.
    pub(super) fn close(&self, error: &UpstreamError) {
        self.closed.cancel();
        let waiting: Vec<_> = self.pending.lock().drain().collect();
        for (_, pending) in waiting {
            if pending.answer.send(Err(error.clone())).is_err() {
                tracing::trace!(event = "answer_unread", "the caller has gone");
            }
        }
    }

    /// Takes one message. `origin` is the request on whose stream it came, where that is known.
    pub(super) fn take(
        self: &Arc<Self>,
        json: &[u8],
        origin: Option<u64>,
    ) -> Result<Option<Asked>, UpstreamError> {
        let message: Message<'_> = serde_json::from_slice(json)
            .map_err(|error| UpstreamError::BadAnswer(format!("a message: {error}")))?;
        match (message.id, message.method) {
            (None, Some(method)) => {
                self.notified(&method, message.params);
                Ok(None)
            }
            (Some(id), Some(method)) => Ok(self.asked(id, method, message.params, origin)),
            (Some(id), None) => {
                self.answered(&id, message.result, message.error);
                Ok(None)
            }
            (None, None) => Err(UpstreamError::BadAnswer("an empty message".into())),
        }
    }

    fn answered(&self, id: &Id, result: Option<&RawValue>, error: Option<&RawValue>) {
        // Some servers give numbers back as texts.
        let number = id.0.get().trim_matches('"').parse().ok();
        let pending = number.and_then(|id: u64| self.pending.lock().remove(&id));
        let Some(pending) = pending else {
            tracing::debug!(
                event = "answer_unexpected",
                server = &*self.server,
                "no request has this id"
            );
            return;
        };
        let answer = match (result, error) {
            (Some(result), None) => Ok(result.to_owned()),
            (_, Some(error)) => Err(peer_error(error)),
            (None, None) => Err(UpstreamError::BadAnswer(
                "an answer without a result".into(),
            )),
        };
        if pending.answer.send(answer).is_err() {
            tracing::trace!(event = "answer_unread", "the caller has gone");
        }
    }

    fn notified(&self, method: &str, params: Option<&RawValue>) {
        match method {
            "notifications/tools/list_changed" => (self.heard)(Heard::Tools),
            "notifications/prompts/list_changed" => (self.heard)(Heard::Prompts),
            "notifications/resources/list_changed" => (self.heard)(Heard::Resources),
            "notifications/resources/updated" => {
                #[derive(Deserialize)]
                struct Updated {
                    uri: String,
                }
                let updated =
                    params.and_then(|raw| serde_json::from_str::<Updated>(raw.get()).ok());
                if let Some(updated) = updated {
                    (self.heard)(Heard::Resource(updated.uri));
                }
            }
            "notifications/subscriptions/acknowledged" => {}
            "notifications/progress" => self.progressed(params),
            "notifications/message" => {
                let Some(params) = params else { return };
                let hosts: Vec<_> = {
                    let pending = self.pending.lock();
                    pending.values().map(|it| Arc::clone(&it.host)).collect()
                };
                for host in hosts.iter().filter(|host| host.log_level().is_some()) {
                    host.log(&self.server, params);
                }
            }
            other => tracing::debug!(
                event = "notification_unknown",
                server = &*self.server,
                method = other,
                "a notification the hub does not know"
            ),
        }
    }

    fn progressed(&self, params: Option<&RawValue>) {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Update {
            progress_token: Box<RawValue>,
            progress: f64,
            total: Option<f64>,
            message: Option<String>,
        }
        let update = params.and_then(|raw| serde_json::from_str::<Update>(raw.get()).ok());
        let Some(update) = update else { return };
        let id: Option<u64> = update.progress_token.get().trim_matches('"').parse().ok();
        let progress = id.and_then(|id| self.pending.lock().get(&id).map(|it| it.progress.clone()));
        if let Some(progress) = progress {
            progress.report(
                update.progress,
                update.total,
                update.message.unwrap_or_default(),
            );
        }
    }

    /// A request of the server belongs to the call on whose stream it came; on a connection with one
    /// stream to the latest call whose client can be asked: all calls of such a connection have one
    /// principal.
    fn asked(
        self: &Arc<Self>,
        id: Id,
        method: String,
        params: Option<&RawValue>,
        origin: Option<u64>,
    ) -> Option<Asked> {
        {
            let mut asked = self.asked.lock();
            if *asked >= MAX_ASKED {
                tracing::warn!(
                    event = "server_asks_too_much",
                    server = &*self.server,
                    "a request of a server was dropped"
                );
                return None;
            }
            *asked += 1;
        }
        let pending = self.pending.lock();
        let host = match origin {
            Some(origin) => pending.get(&origin).map(|it| Arc::clone(&it.host)),
            None => pending
                .iter()
                .filter(|(_, it)| it.host.abilities().allow(&method))
                .max_by_key(|(id, _)| **id)
                .map(|(_, it)| Arc::clone(&it.host)),
        };
        Some(Asked {
            id,
            method,
            params: params.map(ToOwned::to_owned),
            host,
            server: Arc::clone(&self.server),
            _slot: Slot(Arc::clone(self)),
        })
    }
}

impl Asked {
    /// Asks the client; the response frame for the server.
    pub(super) async fn answer(self) -> Vec<u8> {
        if self.method == "ping" {
            return response(&self.id, "result", &super::object::raw(&json!({})));
        }
        let allowed = self
            .host
            .filter(|host| host.abilities().allow(&self.method));
        let Some(host) = allowed else {
            let message = "the client cannot be asked this";
            return response(
                &self.id,
                "error",
                &super::object::raw(&json!({"code": -32601, "message": message})),
            );
        };
        let request = HostRequest {
            key: "request".into(),
            method: self.method,
            params: self.params,
        };
        match host.ask(&self.server, vec![request]).await {
            Ok(mut answers) if !answers.is_empty() => {
                response(&self.id, "result", &answers.swap_remove(0))
            }
            Ok(_) => failure(&self.id, &HostRefusal::Gone),
            Err(refusal) => failure(&self.id, &refusal),
        }
    }
}

fn failure(id: &Id, refusal: &HostRefusal) -> Vec<u8> {
    let code = match refusal {
        HostRefusal::Unable => -32601,
        HostRefusal::Refused(code, _) => *code,
        HostRefusal::Gone => -32603,
    };
    let error = json!({"code": code, "message": refusal.to_string()});
    response(id, "error", &super::object::raw(&error))
}

fn response(id: &Id, member: &str, value: &RawValue) -> Vec<u8> {
    let (id, value) = (id.0.get(), value.get());
    format!(r#"{{"jsonrpc":"2.0","id":{id},"{member}":{value}}}"#).into_bytes()
}

/// The JSON-RPC error in a body; `None` when there is none, or it belongs to another request.
pub(super) fn error_in(body: &[u8], id: Option<u64>) -> Option<UpstreamError> {
    let message: Message<'_> = serde_json::from_slice(body).ok()?;
    let own = message.id.is_none_or(|own| {
        let text = own.0.get().trim_matches('"');
        text == "null" || text.parse().ok() == id
    });
    own.then(|| message.error.map(peer_error)).flatten()
}

fn peer_error(raw: &RawValue) -> UpstreamError {
    #[derive(Deserialize)]
    struct Wire {
        code: i64,
        #[serde(default)]
        message: String,
        #[serde(default)]
        data: Option<Box<RawValue>>,
    }
    match serde_json::from_str::<Wire>(raw.get()) {
        Ok(wire) => UpstreamError::Peer(PeerError {
            code: wire.code,
            message: wire.message,
            data: wire.data,
        }),
        Err(error) => UpstreamError::BadAnswer(format!("an error: {error}")),
    }
}
