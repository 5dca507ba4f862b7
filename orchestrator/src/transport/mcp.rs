//! `/mcp`: one message in, decoded once, to the era it belongs to.

use super::Hub;
use super::body;
use super::envelope::{Answered, Incoming, Notice, Request, decode};
use super::era::{self, Era};
use super::fault::Fault;
use super::headers::{PROTOCOL_VERSION, check_standard, single};
use super::legacy;
use super::meta::Meta;
use super::methods::{Asked, failed};
use super::modern;
use super::refusal::Refusal;
use super::revision::Revision;
use super::scope::Scope;
use crate::caller::Caller;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use proto::mcp::MODERN;

/// Header that carries the token of an approved request, for clients that cannot set `_meta`.
const APPROVAL_TOKEN: &str = "x-approval-token";

/// `POST /mcp`.
pub async fn post(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let scope = hub.everything(&caller);
    message(hub, caller, headers, body, scope).await
}

/// `POST /search/mcp`.
pub async fn post_search(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let scope = hub.everything(&caller).searched();
    message(hub, caller, headers, body, scope).await
}

/// `POST /views/{name}/mcp`.
pub async fn post_view(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match hub.view(&name) {
        Ok(scope) => message(hub, caller, headers, body, scope).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// `POST /servers/{id}/mcp`.
pub async fn post_to(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(server): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match hub.server(&server) {
        Ok(scope) => message(hub, caller, headers, body, scope).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn message(
    hub: Hub,
    caller: Caller,
    headers: HeaderMap,
    body: Body,
    scope: Scope,
) -> Response {
    let body = match body::read(&headers, body, hub.settings.body_bytes).await {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response(),
    };
    let door = Door {
        hub,
        caller,
        headers,
        body: &body,
        scope,
    };
    match decode(&body) {
        Err(undecodable) => failed(undecodable.id.as_ref(), &undecodable.fault).into_response(),
        Ok(Incoming::Request(request)) => door.requested(&request).await,
        Ok(Incoming::Notification(notice)) => door.notified(&notice).await,
        Ok(Incoming::Response(answer)) => door.answered(&answer).await,
    }
}

/// `GET /mcp`.
pub async fn get(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    if speaks_modern(&headers) {
        return legacy::not_here().into_response();
    }
    legacy::stream(&hub, &caller, &headers).await
}

/// `DELETE /mcp`.
pub async fn delete(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    if speaks_modern(&headers) {
        return legacy::not_here().into_response();
    }
    legacy::end(&hub, &caller, &headers).await
}

struct Door<'a> {
    hub: Hub,
    caller: Caller,
    headers: HeaderMap,
    body: &'a Bytes,
    scope: Scope,
}

impl Door<'_> {
    async fn requested(&self, request: &Request<'_>) -> Response {
        let fault = |fault: &Fault| failed(Some(&request.id), fault).into_response();
        let mut meta = match Meta::parse(request.params.meta) {
            Ok(meta) => meta,
            Err(malformed) => return fault(&malformed),
        };
        let header = self
            .headers
            .get(APPROVAL_TOKEN)
            .and_then(|value| value.to_str().ok());
        if let (None, Some(token)) = (&meta.approval_token, header) {
            meta.approval_token = Some(token.into());
        }
        match era::of_request(&self.headers, &request.method, &request.params, &meta) {
            Err(refused) => fault(&refused),
            Ok(Era::Modern) => {
                let asked = self.asked(request, &meta, Revision::July2026);
                modern::answer(asked, &request.method, &self.headers).await
            }
            Ok(Era::Initialize) => legacy::initialize(&self.hub, &self.caller, request).await,
            Ok(Era::Legacy(declared)) => self.legacy(request, &meta, declared).await,
        }
    }

    async fn legacy(
        &self,
        request: &Request<'_>,
        meta: &Meta<'_>,
        declared: Option<Revision>,
    ) -> Response {
        let principal = &self.caller.principal;
        let session = match legacy::session(&self.hub, principal, &self.headers).await {
            Ok(session) => session,
            Err(refusal) => return refusal.into_response(),
        };
        let agreed = session.as_ref().map(|session| session.revision);
        let revision = declared.or(agreed).unwrap_or(Revision::March2025);
        let asked = self.asked(request, meta, revision);
        legacy::answer(asked, &request.method, session, &self.headers).await
    }

    fn asked<'b>(
        &'b self,
        request: &'b Request<'_>,
        meta: &'b Meta<'_>,
        revision: Revision,
    ) -> Asked<'b> {
        Asked {
            hub: &self.hub,
            caller: self.caller.clone(),
            revision,
            id: request.id.clone(),
            params: &request.params,
            meta,
            body: self.body,
            scope: &self.scope,
        }
    }

    /// Notifications are accepted; in the modern era their headers must fit.
    async fn notified(&self, notice: &Notice<'_>) -> Response {
        if speaks_modern(&self.headers) {
            return match check_standard(&self.headers, &notice.method, &notice.params) {
                Ok(()) => StatusCode::ACCEPTED.into_response(),
                Err(fault) => failed(None, &fault).into_response(),
            };
        }
        let declared = single(&self.headers, PROTOCOL_VERSION).and_then(era::legacy);
        if let Err(fault) = declared {
            return failed(None, &fault).into_response();
        }
        match legacy::session(&self.hub, &self.caller.principal, &self.headers).await {
            Ok(session) => {
                legacy::notified(session.as_deref(), notice);
                StatusCode::ACCEPTED.into_response()
            }
            Err(refusal) => Refusal::into_response(refusal),
        }
    }

    /// An answer to what the hub asked in this session.
    async fn answered(&self, answer: &Answered<'_>) -> Response {
        if speaks_modern(&self.headers) {
            let fault = Fault::invalid_request("this revision has no client responses");
            return failed(None, &fault).into_response();
        }
        match legacy::session(&self.hub, &self.caller.principal, &self.headers).await {
            Ok(session) => {
                if let (Some(session), Some(id)) = (session, &answer.id) {
                    session.asks.answered(id.0.get(), answer.told());
                }
                StatusCode::ACCEPTED.into_response()
            }
            Err(refusal) => Refusal::into_response(refusal),
        }
    }
}

fn speaks_modern(headers: &HeaderMap) -> bool {
    headers
        .get(PROTOCOL_VERSION)
        .is_some_and(|version| version == MODERN)
}
