//! Plain JSON-RPC: one request or a batch in, the answers out, nothing in between.
//!
//! The methods are those of MCP that need neither a session nor a stream, in the form of revision
//! 2025-11-25. No progress, no questions to the client.

use super::Hub;
use super::body;
use super::envelope::{Incoming, Request, decode};
use super::exchange::Spoken;
use super::fault::Fault;
use super::meta::Meta;
use super::methods::{Asked, Wires, failed};
use super::reports::{Reports, Wanted};
use super::revision::Revision;
use super::scope::Scope;
use crate::caller::Caller;
use crate::upstream::offers::Bridge;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Requests in one batch.
const MAX_BATCH: usize = 100;
/// Requests of one batch that run at once.
const AT_ONCE: usize = 8;

/// Every method with what it does.
pub const METHODS: [(&str, &str); 7] = [
    ("ping", "Answers with an empty object"),
    ("tools/list", "The tools the caller may see"),
    ("tools/call", "Calls a tool"),
    ("resources/list", "The resources the caller may see"),
    ("resources/read", "Reads a resource"),
    ("prompts/list", "The prompts the caller may see"),
    ("prompts/get", "Gets a prompt"),
];

/// `POST /rpc`.
pub async fn post(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let scope = hub.everything(&caller);
    answer(&hub, &caller, &scope, &headers, body).await
}

/// `POST /servers/{id}/rpc`.
pub async fn post_to(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(server): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match hub.server(&server) {
        Ok(scope) => answer(&hub, &caller, &scope, &headers, body).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// `POST /rpc/batch`.
pub async fn batch(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let body = match body::read(&headers, body, hub.settings.body_bytes).await {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response(),
    };
    let requests: Vec<&RawValue> = match serde_json::from_slice(&body) {
        Ok(requests) => requests,
        Err(error) if error.is_data() => {
            return refused(&Fault::invalid_request("a batch is an array"));
        }
        Err(_not_json) => return refused(&Fault::parse("the body is not JSON")),
    };
    if requests.is_empty() || requests.len() > MAX_BATCH {
        let message = format!("a batch has 1 to {MAX_BATCH} requests");
        return refused(&Fault::invalid_request(message));
    }
    let scope = hub.everything(&caller);
    let parts = requests.iter().map(|part| part.get().as_bytes());
    let parts: Vec<Bytes> = parts.map(|part| body.slice_ref(part)).collect();
    let each = parts.into_iter().map(|part| {
        let (hub, caller, scope) = (&hub, &caller, &scope);
        async move { one(hub, caller, scope, &part).await }
    });
    let answers: Vec<Option<Spoken>> = futures::stream::iter(each)
        .buffered(AT_ONCE)
        .collect()
        .await;
    let frames: Vec<Bytes> = answers
        .into_iter()
        .flatten()
        .filter_map(|spoken| spoken.frame)
        .collect();
    if frames.is_empty() {
        return StatusCode::NO_CONTENT.into_response();
    }
    let all = [b"[".as_slice(), &frames.join(b",".as_slice()), b"]"].concat();
    let kind = HeaderValue::from_static("application/json");
    ([(http::header::CONTENT_TYPE, kind)], all).into_response()
}

/// `GET /rpc/introspection`: what works when it is called.
pub async fn introspection() -> Json<Value> {
    let methods =
        METHODS.map(|(name, description)| json!({"name": name, "description": description}));
    Json(json!({"jsonrpc": "2.0", "methods": methods, "max_batch": MAX_BATCH}))
}

async fn answer(
    hub: &Hub,
    caller: &Caller,
    scope: &Scope,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let body = match body::read(headers, body, hub.settings.body_bytes).await {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response(),
    };
    match one(hub, caller, scope, &body).await {
        Some(spoken) => spoken.into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// Answers one message; `None` for one that wants no answer.
async fn one(hub: &Hub, caller: &Caller, scope: &Scope, body: &Bytes) -> Option<Spoken> {
    match decode(body) {
        Err(undecodable) => Some(failed(undecodable.id.as_ref(), &undecodable.fault)),
        Ok(Incoming::Notification(_) | Incoming::Response(_)) => None,
        Ok(Incoming::Request(request)) => Some(requested(hub, caller, scope, &request, body).await),
    }
}

async fn requested(
    hub: &Hub,
    caller: &Caller,
    scope: &Scope,
    request: &Request<'_>,
    body: &Bytes,
) -> Spoken {
    let meta = match Meta::parse(request.params.meta) {
        Ok(meta) => meta,
        Err(malformed) => return failed(Some(&request.id), &malformed),
    };
    let asked = Asked {
        hub,
        caller: caller.clone(),
        revision: Revision::NEWEST_LEGACY,
        id: request.id.clone(),
        params: &request.params,
        meta: &meta,
        body,
        scope,
    };
    let method = request.method.as_str();
    if !METHODS.iter().any(|(name, _)| *name == method) {
        return asked.failed(&Fault::method_not_found());
    }
    if method == "ping" {
        return asked.done(b"{}");
    }
    if let Some(listed) = asked.list(method) {
        return listed;
    }
    let wires = Wires {
        reports: Reports::new(Wanted::default()),
        host: Bridge::none().host,
        session: None,
        cancelled: CancellationToken::new(),
        note: None,
    };
    match asked.work(method, wires) {
        Ok(work) => work.spoken().await,
        Err(fault) => asked.failed(&fault),
    }
}

fn refused(fault: &Fault) -> Response {
    failed(None, fault).into_response()
}
