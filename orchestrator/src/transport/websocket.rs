//! MCP over `WebSocket`s: one JSON-RPC message a text frame, subprotocol `mcp`.
//!
//! No revision defines this; the frames are those of every other door, both eras. `Origin` is checked
//! with every request, before the upgrade.

use super::Hub;
use super::channels::{Channel, Reader};
use super::refusal::Refusal;
use super::scope::Scope;
use crate::caller::Caller;
use axum::Extension;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use shared::error::Code;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// How often a client is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(54);
/// Longest silence of a client.
const SILENCE: Duration = Duration::from_secs(60);
/// Longest time what is said at once may take to be taken.
const TAKE: Duration = Duration::from_secs(30);

/// `GET /ws`.
pub async fn get(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let scope = hub.everything(&caller);
    opened(&hub, caller, scope, upgrade)
}

/// `GET /servers/{id}/ws`.
pub async fn get_of(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(server): Path<String>,
    upgrade: WebSocketUpgrade,
) -> Response {
    match hub.server(&server) {
        Ok(scope) => opened(&hub, caller, scope, upgrade),
        Err(refusal) => refusal.into_response(),
    }
}

fn opened(hub: &Hub, caller: Caller, scope: Scope, upgrade: WebSocketUpgrade) -> Response {
    let Some(channel) = hub.ws.open(hub, caller, scope) else {
        let message = "too many connections are open";
        return Refusal::new(Code::ServiceUnavailable, message).into_response();
    };
    let limit = hub.settings.body_bytes;
    let unopened = Arc::clone(&channel);
    upgrade
        .protocols(["mcp"])
        .max_message_size(limit)
        .max_frame_size(limit)
        .on_failed_upgrade(move |error| {
            tracing::debug!(event = "ws_failed", %error, "a connection was not upgraded");
            unopened.over.cancel();
        })
        .on_upgrade(move |socket| carry(socket, channel))
}

/// Carries frames both ways until one side ends it.
async fn carry(socket: WebSocket, channel: Arc<Channel>) {
    let reader = channel.read(0);
    let (mut sink, mut stream) = socket.split();
    let mut outgoing = Outgoing {
        reader,
        channel: Arc::clone(&channel),
        ping: tokio::time::interval(PING_EVERY),
    };
    outgoing
        .ping
        .set_missed_tick_behavior(MissedTickBehavior::Delay);
    outgoing.ping.reset();
    let outgoing = async {
        while let Some(frames) = outgoing.next().await {
            let mut frames = futures::stream::iter(frames.into_iter().map(Ok));
            let sent = tokio::time::timeout(TAKE, sink.send_all(&mut frames)).await;
            if !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
        drop(tokio::time::timeout(TAKE, sink.send(Message::Close(None))).await);
    };
    let incoming = async {
        let mut heard = Instant::now();
        while let Ok(Some(Ok(message))) =
            tokio::time::timeout_at(heard + SILENCE, stream.next()).await
        {
            heard = Instant::now();
            let taken = match message {
                Message::Text(text) => channel.take(Bytes::from(text)),
                Message::Binary(bytes) => channel.take(bytes),
                Message::Ping(_) | Message::Pong(_) => true,
                Message::Close(_) => false,
            };
            if !taken {
                return;
            }
        }
    };
    tokio::select! {
        () = outgoing => {}
        () = incoming => {}
    }
    channel.over.cancel();
}

struct Outgoing {
    reader: Reader,
    channel: Arc<Channel>,
    ping: tokio::time::Interval,
}

impl Outgoing {
    /// What to send next; `None` at the end.
    async fn next(&mut self) -> Option<Vec<Message>> {
        tokio::select! {
            () = self.channel.over.cancelled() => None,
            _ = self.ping.tick() => Some(vec![Message::Ping(Bytes::new())]),
            events = self.reader.next() => {
                let frames = events?.into_iter().filter_map(|event| {
                    Utf8Bytes::try_from(event.data).ok().map(Message::Text)
                });
                Some(frames.collect())
            }
        }
    }
}
