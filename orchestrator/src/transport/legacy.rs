//! The revisions with sessions over HTTP: `initialize`, cancellation by notification, `GET` streams.
//!
//! Requests without a session are served too: nothing a tool call needs is in one.

use super::Hub;
use super::asking::StreamHost;
use super::changes::Watched;
use super::envelope::{Notice, Request};
use super::exchange::{self, Exchange, Spoken};
use super::fault::Fault;
use super::frame;
use super::headers::SESSION_ID;
use super::listen;
use super::methods::{self, Asked, Wires};
use super::opening;
use super::refusal::Refusal;
use super::reports::{Reports, level_of, word};
use super::sessions::{Client, Session, SessionError};
use super::sse;
use crate::auth::Principal;
use crate::caller::Caller;
use crate::upstream::offers::HostAbilities;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use proto::mcp::code;
use serde_json::value::RawValue;
use shared::error::Code;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Longest self-description of a client that is kept, in bytes of JSON text.
const MAX_CLIENT: usize = 2048;

/// Answers `initialize`. A session that was named is left alone: this makes a fresh one. Without a
/// store there is none, which such a client can do without.
pub(super) async fn initialize(hub: &Hub, caller: &Caller, request: &Request<'_>) -> Response {
    let revision = match opening::negotiated(&request.params) {
        Ok(revision) => revision,
        Err(fault) => return methods::failed(Some(&request.id), &fault).into_response(),
    };
    let bounded = |raw: Option<&RawValue>| {
        let text = raw
            .map(RawValue::get)
            .filter(|text| text.len() <= MAX_CLIENT);
        text.unwrap_or("{}").to_owned()
    };
    let client = Client {
        about: bounded(request.params.client_info),
        capabilities: bounded(request.params.capabilities),
    };
    let principal = &caller.principal;
    let opened = hub.sessions.open(principal, revision, &client).await;
    let result = frame::success(&request.id, &opening::initialized(revision));
    let mut answer = Spoken::frame(result).into_response();
    match opened.map(|session| HeaderValue::from_str(&session.id)) {
        Ok(Ok(id)) => {
            answer.headers_mut().insert(SESSION_ID, id);
        }
        Ok(Err(_)) => return Refusal::internal().into_response(),
        Err(error) => {
            tracing::warn!(event = "session_refused", %error, "a client goes on without a session");
        }
    }
    answer
}

/// The session a request names; `None` when it names none.
///
/// # Errors
/// 404 when it is unknown, over or somebody else's; 503 when that cannot be found out.
pub(super) async fn session(
    hub: &Hub,
    principal: &Principal,
    headers: &HeaderMap,
) -> Result<Option<Arc<Session>>, Refusal> {
    let Some(id) = headers.get(SESSION_ID) else {
        return Ok(None);
    };
    let id = id.to_str().unwrap_or_default();
    hub.sessions
        .find(id, principal)
        .await
        .map(Some)
        .map_err(refused)
}

/// Answers any other request.
pub(super) async fn answer(
    asked: Asked<'_>,
    method: &str,
    session: Option<Arc<Session>>,
    headers: &HeaderMap,
) -> Response {
    if let Some(listed) = asked.list(method) {
        return listed.into_response();
    }
    match method {
        "ping" => asked.done(b"{}").into_response(),
        "logging/setLevel" => set_level(asked, session).await.into_response(),
        "resources/subscribe" => subscribe(&asked, session).await.into_response(),
        "resources/unsubscribe" => unsubscribe(&asked, session).await.into_response(),
        _ => work(asked, method, session, headers).await,
    }
}

/// Takes a notification; unknown ones are ignored.
pub(super) fn notified(session: Option<&Session>, notice: &Notice<'_>) {
    if notice.method == "notifications/cancelled"
        && let (Some(session), Some(id)) = (session, notice.params.request_id)
    {
        session.cancel(id.get());
    }
}

/// `GET`: the stream of what happens without being asked for.
pub(super) async fn stream(hub: &Hub, caller: &Caller, headers: &HeaderMap) -> Response {
    match session(hub, &caller.principal, headers).await {
        Err(refusal) => refusal.into_response(),
        Ok(None) => not_here().into_response(),
        Ok(Some(_)) if !sse::accepted(headers) => {
            let message = "this stream needs Accept: text/event-stream";
            Refusal::new(Code::NotAcceptable, message).into_response()
        }
        Ok(Some(session)) => listen::session(hub, caller, &session, headers).await,
    }
}

/// `DELETE`: ends a session.
pub(super) async fn end(hub: &Hub, caller: &Caller, headers: &HeaderMap) -> Response {
    let Some(id) = headers.get(SESSION_ID).and_then(|id| id.to_str().ok()) else {
        let message = "header Mcp-Session-Id is missing";
        return Refusal::new(Code::MissingParameter, message).into_response();
    };
    match hub.sessions.close(id, &caller.principal).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(error).into_response(),
    }
}

/// The answer to a method this door does not have.
#[must_use]
pub(super) fn not_here() -> Refusal {
    let allow = HeaderValue::from_static("POST, GET, DELETE");
    Refusal::new(Code::MethodNotAllowed, "use POST; GET needs a session")
        .header(http::header::ALLOW, allow)
}

async fn work(
    asked: Asked<'_>,
    method: &str,
    session: Option<Arc<Session>>,
    headers: &HeaderMap,
) -> Response {
    let level = session.as_deref().and_then(Session::log_level);
    let reports = Reports::new(asked.wanted(level));
    let cancelled = CancellationToken::new();
    let streams = sse::accepted(headers);
    let host = StreamHost {
        abilities: match &session {
            Some(session) if streams => session.abilities.clone(),
            _ => HostAbilities::default(),
        },
        asks: session
            .as_ref()
            .map(|session| Arc::clone(&session.asks))
            .unwrap_or_default(),
        reports: reports.clone(),
        level: level.map(|level| word(level).into()),
        names_server: asked.scope.only.is_none(),
    };
    let wires = Wires {
        reports,
        host: Arc::new(host),
        session: session.as_ref().map(|session| session.id.as_str().into()),
        cancelled: cancelled.clone(),
        note: None,
    };
    let work = match asked.work(method, wires) {
        Ok(work) => work,
        Err(fault) => return asked.failed(&fault).into_response(),
    };
    let cancellable = session.map(|session| session.cancellable(asked.id.0.get(), cancelled));
    let exchange = Exchange {
        reports: work.reports.clone(),
        streams,
        on_hang_up: None,
        tasks: asked.hub.gateway.tasks.clone(),
    };
    let run = work.spoken();
    let call = async move {
        let spoken = run.await;
        drop(cancellable);
        spoken
    };
    exchange::answer(Box::pin(call), exchange).await
}

async fn subscribe(asked: &Asked<'_>, session: Option<Arc<Session>>) -> Spoken {
    let Some(session) = session else {
        return asked.failed(&Fault::invalid_params("subscriptions need a session"));
    };
    match watch(asked, &session.watched).await {
        Err(refused) => refused,
        Ok(()) => keep_watched(asked, &session).await,
    }
}

async fn unsubscribe(asked: &Asked<'_>, session: Option<Arc<Session>>) -> Spoken {
    if let (Some(session), Some(uri)) = (&session, methods::text(asked.params.uri)) {
        session.watched.remove(&uri);
        return keep_watched(asked, session).await;
    }
    asked.done(b"{}")
}

async fn keep_watched(asked: &Asked<'_>, session: &Session) -> Spoken {
    match asked.hub.sessions.keep_watched(session).await {
        Ok(()) => asked.done(b"{}"),
        Err(error) => {
            tracing::warn!(event = "subscription", %error, "a subscription could not be kept");
            asked.failed(&Fault::new(
                code::SERVER,
                "the subscription could not be kept",
            ))
        }
    }
}

/// Watches the resource a request names.
///
/// # Errors
/// What to answer instead.
pub(super) async fn watch(asked: &Asked<'_>, watched: &Watched) -> Result<(), Spoken> {
    let Some(uri) = methods::text(asked.params.uri) else {
        return Err(asked.failed(&Fault::invalid_params("uri must be the URI of a resource")));
    };
    let only = asked.scope.only.as_deref();
    let found = asked.hub.gateway.watch(&asked.caller, &uri, only).await;
    let (service, own, watch) =
        found.map_err(|error| asked.voice("resources/subscribe").spoken(Err(error)))?;
    if watched.add(&uri, service, own, watch) {
        return Ok(());
    }
    Err(asked.failed(&Fault::new(code::SERVER, "too many resources are watched")))
}

async fn set_level(asked: Asked<'_>, session: Option<Arc<Session>>) -> Spoken {
    let level = methods::text(asked.params.level).and_then(|word| level_of(&word));
    let Some(level) = level else {
        return asked.failed(&Fault::invalid_params(
            "level must be the name of a severity",
        ));
    };
    let Some(session) = session else {
        return asked.done(b"{}");
    };
    match asked.hub.sessions.set_log_level(&session, level).await {
        Ok(()) => asked.done(b"{}"),
        Err(error) => {
            tracing::warn!(event = "log_level", %error, "a log level could not be kept");
            asked.failed(&Fault::new(code::SERVER, "the level could not be kept"))
        }
    }
}

fn refused(error: SessionError) -> Refusal {
    match error {
        SessionError::Unknown => {
            Refusal::new(Code::NotFound, "there is no such session; initialize again")
        }
        SessionError::Store(cause) => {
            tracing::error!(event = "session_store", %cause, "a session could not be looked up");
            Refusal::new(
                Code::ServiceUnavailable,
                "the session could not be looked up",
            )
        }
    }
}
