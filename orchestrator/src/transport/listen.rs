//! Streams that tell of changes: `GET` of a session, `subscriptions/listen` of the modern era.
//!
//! A reader that is slow loses nothing: only the latest version matters. The stream ends when its
//! principal's credential does, and when the hub stops.

use super::Hub;
use super::frame;
use super::refusal::Refusal;
use super::render::server_info;
use super::reports::tools_changed;
use super::sessions::Session;
use super::sse;
use crate::caller::Caller;
use crate::gateway::Gateway;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderMap;
use proto::mcp::Id;
use serde_json::json;
use shared::error::Code;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

const LAST_EVENT_ID: &str = "last-event-id";
const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

/// The stream of a session. Ids of events are versions of the tools, so a client that names the last
/// one it saw learns at once whether there is a newer.
pub(super) fn session(
    hub: &Hub,
    caller: &Caller,
    session: &Session,
    headers: &HeaderMap,
) -> Response {
    let own = Arc::clone(&session.streams).try_acquire_owned();
    let Ok(own) = own else {
        return too_many().into_response();
    };
    let seen = headers
        .get(LAST_EVENT_ID)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let Some(mut stream) = Stream::open(hub, caller, Kind::Session) else {
        return too_many().into_response();
    };
    stream.permits.push(own);
    let version = *stream.changes.borrow_and_update();
    let missed = seen.is_some_and(|seen: u64| seen < version);
    stream.first = Some(if missed {
        sse::event(Some(version), &tools_changed(None))
    } else {
        sse::COMMENT
    });
    sse::answer(futures::stream::unfold(stream, Stream::step))
}

/// The stream of a subscription: first what was agreed to, then changes, at last a result.
pub(super) fn subscription(hub: &Hub, caller: &Caller, id: &Id, tools: bool) -> Response {
    let kind = Kind::Subscription {
        id: id.clone(),
        tools,
    };
    let Some(mut stream) = Stream::open(hub, caller, kind) else {
        return too_many().into_response();
    };
    stream.changes.mark_unchanged();
    stream.first = Some(sse::event(None, &acknowledged(id, tools)));
    sse::answer(futures::stream::unfold(stream, Stream::step))
}

/// The first notification of a subscription: what it will hear of.
#[must_use]
pub(super) fn acknowledged(id: &Id, tools: bool) -> Bytes {
    let accepted = if tools {
        json!({"toolsListChanged": true})
    } else {
        json!({})
    };
    let params = json!({"notifications": accepted, "_meta": { SUBSCRIPTION_ID: id }});
    frame::notification("notifications/subscriptions/acknowledged", params)
}

/// The result that ends a subscription.
#[must_use]
pub(super) fn ended(id: &Id) -> Bytes {
    let meta = json!({ SUBSCRIPTION_ID: id, proto::mcp::META_SERVER_INFO: server_info() });
    let result = frame::encode(&json!({"resultType": "complete", "_meta": meta}));
    frame::success(id, &result)
}

enum Kind {
    Session,
    Subscription { id: Id, tools: bool },
}

struct Stream {
    kind: Kind,
    first: Option<Bytes>,
    gateway: Arc<Gateway>,
    caller: Caller,
    changes: watch::Receiver<u64>,
    stop: CancellationToken,
    over: bool,
    permits: Vec<OwnedSemaphorePermit>,
}

impl Stream {
    /// `None` when too many streams are open.
    fn open(hub: &Hub, caller: &Caller, kind: Kind) -> Option<Self> {
        let streams: Arc<Semaphore> = Arc::clone(&hub.streams);
        let permit = streams.try_acquire_owned().ok()?;
        Some(Self {
            kind,
            first: None,
            gateway: Arc::clone(&hub.gateway),
            caller: caller.clone(),
            changes: hub.registry.version(),
            stop: hub.gateway.tasks.token(),
            over: false,
            permits: vec![permit],
        })
    }

    /// The next event; `None` at the end.
    async fn step(mut self) -> Option<(Bytes, Self)> {
        if let Some(first) = self.first.take() {
            return Some((first, self));
        }
        if self.over {
            return None;
        }
        tokio::select! {
            biased;
            () = self.stop.cancelled() => self.end(),
            changed = self.changes.changed() => match changed {
                Ok(()) => Some((self.change(), self)),
                Err(_closed) => self.end(),
            },
            () = tokio::time::sleep(sse::KEEP_ALIVE) => {
                if self.gateway.auth.still_valid(&self.caller.principal) {
                    Some((sse::COMMENT, self))
                } else {
                    None
                }
            }
        }
    }

    fn change(&mut self) -> Bytes {
        let version = *self.changes.borrow_and_update();
        match &self.kind {
            Kind::Session => sse::event(Some(version), &tools_changed(None)),
            Kind::Subscription { id, tools: true } => sse::event(None, &tools_changed(Some(id))),
            Kind::Subscription { tools: false, .. } => sse::COMMENT,
        }
    }

    fn end(mut self) -> Option<(Bytes, Self)> {
        self.over = true;
        match &self.kind {
            Kind::Session => None,
            Kind::Subscription { id, .. } => Some((sse::event(None, &ended(id)), self)),
        }
    }
}

fn too_many() -> Refusal {
    Refusal::new(Code::ServiceUnavailable, "too many streams are open")
}
