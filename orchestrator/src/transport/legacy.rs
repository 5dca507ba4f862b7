//! The revisions with sessions over HTTP: `initialize`, cancellation by notification, `GET` streams.
//!
//! Requests without a session are served too: nothing a tool call needs is in one.

use super::Hub;
use super::envelope::{Notice, Request};
use super::exchange::{self, Exchange, Spoken};
use super::fault::Fault;
use super::frame;
use super::headers::SESSION_ID;
use super::listen;
use super::methods::{self, Asked};
use super::refusal::Refusal;
use super::reports::level_of;
use super::sessions::{Session, SessionError};
use super::sse;
use crate::auth::Principal;
use crate::caller::Caller;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use proto::mcp::code;
use shared::error::Code;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Longest self-description of a client that is kept, in bytes of JSON text.
const MAX_CLIENT: usize = 2048;

/// Answers `initialize`. A session that was named is left alone: this makes a fresh one. Without a
/// store there is none, which such a client can do without.
pub(super) async fn initialize(hub: &Hub, caller: &Caller, request: &Request<'_>) -> Response {
    let revision = match methods::negotiated(&request.params) {
        Ok(revision) => revision,
        Err(fault) => return methods::failed(Some(&request.id), &fault).into_response(),
    };
    let client = request.params.client_info.map_or("{}", |raw| raw.get());
    let client = if client.len() > MAX_CLIENT {
        "{}"
    } else {
        client
    };
    let opened = hub.sessions.open(&caller.principal, revision, client).await;
    let result = frame::success(&request.id, &methods::initialized(revision));
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
    match method {
        "ping" => asked.done(b"{}").into_response(),
        "tools/list" => asked.list_tools().into_response(),
        "tools/call" => call(asked, session, headers).await,
        "logging/setLevel" => set_level(asked, session).await.into_response(),
        _ => asked.failed(&Fault::method_not_found()).into_response(),
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
        Ok(Some(session)) => listen::session(hub, caller, &session, headers),
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

async fn call(asked: Asked<'_>, session: Option<Arc<Session>>, headers: &HeaderMap) -> Response {
    let cancelled = CancellationToken::new();
    let level = session.as_deref().and_then(Session::log_level);
    let prepared = match asked.prepare(level, cancelled.clone()) {
        Ok(prepared) => prepared,
        Err(fault) => return asked.failed(&fault).into_response(),
    };
    let cancellable = session.map(|session| session.cancellable(asked.id.0.get(), cancelled));
    let exchange = Exchange {
        reports: prepared.reports.clone(),
        streams: sse::accepted(headers),
        on_hang_up: None,
        tasks: asked.hub.gateway.tasks.clone(),
    };
    let run = prepared.run(asked.hub);
    let call = async move {
        let spoken = run.await;
        drop(cancellable);
        spoken
    };
    exchange::answer(Box::pin(call), exchange).await
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
