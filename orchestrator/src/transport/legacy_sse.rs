//! HTTP with server-sent events as of revision 2024-11-05: a stream that names where to post, answers
//! on the stream.
//!
//! Every event has an id that names the connection too, so a client that comes back with
//! `Last-Event-ID` goes on with the same one and gets what it missed.

use super::Hub;
use super::body;
use super::channels::{Channel, Event, Reader};
use super::refusal::Refusal;
use super::scope::Scope;
use super::sse;
use crate::caller::Caller;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use shared::error::Code;
use std::sync::Arc;

const LAST_EVENT_ID: &str = "last-event-id";
const SESSION: &str = "x-session-id";

/// `GET /sse`.
pub async fn get(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    let scope = hub.everything(&caller);
    stream(&hub, caller, scope, &headers)
}

/// `GET /servers/{id}/sse`.
pub async fn get_of(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(server): Path<String>,
    headers: HeaderMap,
) -> Response {
    match hub.server(&server) {
        Ok(scope) => stream(&hub, caller, scope, &headers),
        Err(refusal) => refusal.into_response(),
    }
}

/// Which connection a message is for.
#[derive(Deserialize)]
pub struct Session {
    session_id: Option<String>,
}

/// `POST /messages?session_id=…`: one message of a connection's client.
pub async fn post(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Query(session): Query<Session>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let named = headers.get(SESSION).and_then(|id| id.to_str().ok());
    let id = session.session_id.as_deref().or(named);
    let Some(id) = id else {
        let message = "session_id is missing";
        return Refusal::new(Code::MissingParameter, message).into_response();
    };
    let Some(channel) = hub.sse.find(id, &caller.principal, false) else {
        return Refusal::new(Code::NotFound, "there is no such session").into_response();
    };
    match body::read(&headers, body, hub.settings.body_bytes).await {
        Err(refusal) => refusal.into_response(),
        Ok(message) => {
            if channel.take(message) {
                return (StatusCode::ACCEPTED, "Accepted").into_response();
            }
            let message = "too many messages of this session wait";
            Refusal::new(Code::ServiceUnavailable, message).into_response()
        }
    }
}

fn stream(hub: &Hub, caller: Caller, scope: Scope, headers: &HeaderMap) -> Response {
    let last = headers
        .get(LAST_EVENT_ID)
        .and_then(|value| value.to_str().ok()?.rsplit_once(':'));
    let known = last.and_then(|(id, seen)| {
        let channel = hub.sse.find(id, &caller.principal, false)?;
        Some((channel, seen.parse().ok()?))
    });
    let opened = known.or_else(|| hub.sse.open(hub, caller, scope).map(|channel| (channel, 0)));
    let Some((channel, seen)) = opened else {
        let message = "too many streams are open";
        return Refusal::new(Code::ServiceUnavailable, message).into_response();
    };
    let endpoint = format!(
        "event: endpoint\ndata: /messages?session_id={}\n\n",
        channel.id
    );
    let state = Streaming {
        first: Some(endpoint.into()),
        reader: channel.read(seen),
        channel,
    };
    sse::answer(futures::stream::unfold(state, Streaming::step))
}

struct Streaming {
    first: Option<Bytes>,
    reader: Reader,
    channel: Arc<Channel>,
}

impl Streaming {
    async fn step(mut self) -> Option<(Bytes, Self)> {
        if let Some(first) = self.first.take() {
            return Some((first, self));
        }
        match tokio::time::timeout(sse::KEEP_ALIVE, self.reader.next()).await {
            Err(_silence) => Some((sse::COMMENT, self)),
            Ok(None) => None,
            Ok(Some(events)) => {
                let all: Vec<Bytes> = events.iter().map(|it| written(&self.channel, it)).collect();
                Some((all.concat().into(), self))
            }
        }
    }
}

fn written(channel: &Channel, event: &Event) -> Bytes {
    let id = format!("id: {}:{}\n", channel.id, event.number);
    let mut all = id.into_bytes();
    all.extend_from_slice(&sse::named(&event.name, &event.data));
    all.into()
}
