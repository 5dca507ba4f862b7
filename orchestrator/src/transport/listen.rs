//! Streams that tell of changes: `GET` of a session, `subscriptions/listen` of the modern era.
//!
//! A reader that is slow loses nothing: only the latest version matters. The stream ends when its
//! principal's credential does, and when the hub stops.

use super::Hub;
use super::changes::{Due, Ear, Wishes, acknowledged, ended};
use super::refusal::Refusal;
use super::sessions::Session;
use super::sse;
use crate::caller::Caller;
use crate::gateway::Gateway;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::HeaderMap;
use proto::mcp::Id;
use shared::error::Code;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

const LAST_EVENT_ID: &str = "last-event-id";

/// The stream of a session. Ids of events are versions of the tools, so a client that names the last
/// one it saw learns at once whether there is a newer.
pub(super) async fn session(
    hub: &Hub,
    caller: &Caller,
    session: &Session,
    headers: &HeaderMap,
) -> Response {
    let own = Arc::clone(&session.streams).try_acquire_owned();
    let Ok(own) = own else {
        return too_many().into_response();
    };
    watch_again(hub, caller, session).await;
    let wishes = Wishes::everything(session.watched.clone(), None);
    let Some(mut stream) = Stream::open(hub, caller, wishes, None) else {
        return too_many().into_response();
    };
    stream.permits.push(own);
    let seen: Option<u64> = headers
        .get(LAST_EVENT_ID)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let version = stream.ear.version();
    stream.first = Some(if seen.is_some_and(|seen| seen < version) {
        stream.event(&Due::Tools(version))
    } else {
        sse::COMMENT
    });
    sse::answer(futures::stream::unfold(stream, Stream::step))
}

/// Takes up what a session watched before the hub was started.
async fn watch_again(hub: &Hub, caller: &Caller, session: &Session) {
    for uri in session.take_remembered() {
        match hub.gateway.watch(caller, &uri, None).await {
            Ok((service, own, watch)) => {
                if !session.watched.add(&uri, service, own, watch) {
                    return;
                }
            }
            Err(error) => {
                tracing::debug!(event = "not_watched", %error, "a resource cannot be watched again");
            }
        }
    }
}

/// The stream of a subscription: first what was agreed to, then changes, at last a result.
pub(super) fn subscription(hub: &Hub, caller: &Caller, id: &Id, wishes: Wishes) -> Response {
    let first = sse::event(None, &acknowledged(id, &wishes));
    let Some(mut stream) = Stream::open(hub, caller, wishes, Some(id.clone())) else {
        return too_many().into_response();
    };
    stream.first = Some(first);
    sse::answer(futures::stream::unfold(stream, Stream::step))
}

struct Stream {
    /// The request of the subscription; `None` for the stream of a session.
    id: Option<Id>,
    first: Option<Bytes>,
    gateway: Arc<Gateway>,
    caller: Caller,
    ear: Ear,
    stop: CancellationToken,
    over: bool,
    permits: Vec<OwnedSemaphorePermit>,
}

impl Stream {
    /// `None` when too many streams are open.
    fn open(hub: &Hub, caller: &Caller, wishes: Wishes, id: Option<Id>) -> Option<Self> {
        let streams: Arc<Semaphore> = Arc::clone(&hub.streams);
        let permit = streams.try_acquire_owned().ok()?;
        Some(Self {
            id,
            first: None,
            gateway: Arc::clone(&hub.gateway),
            caller: caller.clone(),
            ear: Ear::new(&hub.registry, wishes),
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
            due = self.ear.next() => match due {
                Some(due) => Some((self.event(&due), self)),
                None => self.end(),
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

    fn event(&self, due: &Due) -> Bytes {
        let number = match due {
            Due::Tools(version) if self.id.is_none() => Some(*version),
            _ => None,
        };
        sse::event(number, &due.frame(self.id.as_ref()))
    }

    fn end(mut self) -> Option<(Bytes, Self)> {
        self.over = true;
        let last = sse::event(None, &ended(self.id.as_ref()?));
        Some((last, self))
    }
}

fn too_many() -> Refusal {
    Refusal::new(Code::ServiceUnavailable, "too many streams are open")
}
