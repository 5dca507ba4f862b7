//! The errors of a call on the wire: one match for MCP, one for plain HTTP.
//!
//! What a model can act on is a result with `isError`; what is wrong with the request itself, or with
//! the hub, is a protocol error.

use super::access::limit_headers;
use super::exchange::Spoken;
use super::fault::Fault;
use super::frame;
use super::methods::failed;
use super::refusal::{Refusal, milliseconds};
use super::render::{self, About};
use super::revision::Revision;
use super::splice::Members;
use crate::approvals::Approval;
use crate::error::CallError;
use crate::limits::Limited;
use crate::upstream::UpstreamError;
use crate::upstream::offers::PeerError;
use http::StatusCode;
use proto::mcp::{Id, code};
use serde_json::{Map, Value, json};
use shared::error::Code;

/// How a failed call is put.
enum Put<'a> {
    /// The error of an MCP server, as it wrote it.
    Peer(&'a PeerError),
    /// A result the model reads.
    Result,
    /// A protocol error.
    Fault(i32, StatusCode),
    /// Not at all.
    Nothing,
}

/// What an answer says of its request.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Revision and correlation id.
    pub about: About<'a>,
    /// `req_…`.
    pub request_id: &'a str,
    /// Address of the hub without a slash at the end.
    pub base: &'a str,
}

/// The MCP answer to a call that failed.
#[must_use]
pub fn spoken(error: &CallError, id: &Id, told: Told<'_>) -> Spoken {
    match put(error) {
        Put::Nothing => Spoken::nothing(),
        Put::Result => {
            let result = render::failure(&document(error, told), told.about);
            Spoken::frame(frame::success(id, &result))
        }
        Put::Peer(peer) => {
            let (code, status) = peer_code(peer, told.about.revision);
            let fault = Fault {
                data: peer
                    .data
                    .as_deref()
                    .and_then(|data| serde_json::from_str(data.get()).ok()),
                ..Fault::new(code, peer.message.clone())
            };
            failed(Some(id), &fault.with_status(status))
        }
        Put::Fault(code, status) => {
            let code = coded(error, code, told.about.revision);
            let fault = Fault::new(code, error.to_string()).with_data(data(error, told.request_id));
            Spoken {
                status,
                retry_after: error.retry_after(),
                headers: limit(error).map(rate_headers).unwrap_or_default(),
                ..Spoken::frame(frame::failure(Some(id), &fault))
            }
        }
    }
}

/// The plain HTTP answer to a call that failed; `base` as in [`Told`].
#[must_use]
pub fn refusal(error: &CallError, base: &str) -> Refusal {
    let mut refusal = Refusal::new(error.code(), error.to_string());
    *refusal.details = details(error);
    if let CallError::ApprovalRequired(approval) = error {
        refusal = refusal.with("approval", shown(approval, base));
    }
    refusal.retry_after = error.retry_after();
    refusal.headers = limit(error).map(rate_headers).unwrap_or_default();
    refusal
}

fn put(error: &CallError) -> Put<'_> {
    match error {
        CallError::UnknownTool(_)
        | CallError::UnknownOffer { .. }
        | CallError::Malformed(_)
        | CallError::Invalid(_) => Put::Fault(code::INVALID_PARAMS, StatusCode::OK),
        CallError::Unauthorized => Put::Fault(code::SERVER, StatusCode::UNAUTHORIZED),
        CallError::Limited(_) => Put::Fault(code::SERVER, StatusCode::TOO_MANY_REQUESTS),
        CallError::Stopping => Put::Fault(code::SERVER, StatusCode::SERVICE_UNAVAILABLE),
        CallError::Internal => Put::Fault(code::INTERNAL, StatusCode::OK),
        CallError::Upstream(UpstreamError::Cancelled) => Put::Nothing,
        CallError::Upstream(UpstreamError::Peer(peer)) => Put::Peer(peer),
        CallError::Quarantined(_)
        | CallError::Denied(_)
        | CallError::ApprovalRequired(_)
        | CallError::ApprovalInvalid(_)
        | CallError::ApprovalFlood
        | CallError::Conflict(_)
        | CallError::OutcomeUnknown
        | CallError::Unrecorded
        | CallError::TooDeep
        | CallError::Upstream(_) => Put::Result,
    }
}

/// The code of a resource that is not there differs between the eras.
fn coded(error: &CallError, code: i32, revision: Revision) -> i32 {
    match error {
        CallError::UnknownOffer { what, .. } if what.starts_with("resource") => {
            if revision.is_modern() {
                code
            } else {
                code::RESOURCE_NOT_FOUND
            }
        }
        _ => code,
    }
}

/// A server's code in the host's era. One that is none of JSON-RPC's integers cannot be said.
fn peer_code(peer: &PeerError, revision: Revision) -> (i32, StatusCode) {
    let code = i32::try_from(peer.code).unwrap_or(code::SERVER);
    let about_uri = peer
        .data
        .as_deref()
        .is_some_and(|data| Members::of(data).is_some_and(|members| members.get("uri").is_some()));
    match (code, revision.is_modern()) {
        (code::RESOURCE_NOT_FOUND, true) => (code::INVALID_PARAMS, StatusCode::OK),
        (code::INVALID_PARAMS, false) if about_uri => (code::RESOURCE_NOT_FOUND, StatusCode::OK),
        (code::MISSING_CAPABILITY, true) => (code, StatusCode::BAD_REQUEST),
        (code, _) => (code, StatusCode::OK),
    }
}

/// `{"error":{…}}`, with the `approval` that is asked for.
fn document(error: &CallError, told: Told<'_>) -> Value {
    let mut inner = json!({
        "code": error.code().as_str(),
        "message": error.to_string(),
        "details": details(error),
        "retryable": retryable(error),
        "request_id": told.request_id,
    });
    if let (Value::Object(inner), Some(wait)) = (&mut inner, error.retry_after()) {
        inner.insert("retry_after_ms".into(), milliseconds(wait).into());
    }
    match error {
        CallError::ApprovalRequired(approval) => {
            json!({"error": inner, "approval": shown(approval, told.base)})
        }
        _ => json!({ "error": inner }),
    }
}

fn data(error: &CallError, request_id: &str) -> Value {
    let mut data = details(error);
    data.insert("code".into(), error.code().as_str().into());
    data.insert("request_id".into(), request_id.into());
    if let Some(wait) = error.retry_after() {
        data.insert("retry_after_ms".into(), milliseconds(wait).into());
    }
    Value::Object(data)
}

/// The approval that is asked for. The requester has no token yet.
fn shown(approval: &Approval, base: &str) -> Value {
    approval.to_json(&format!("{base}/api/approvals/{}", approval.id))
}

/// Facts for programs.
fn details(error: &CallError) -> Map<String, Value> {
    let one = |name: &str, value: Value| Map::from_iter([(name.to_owned(), value)]);
    match error {
        CallError::Invalid(violation) => one("field", violation.field.as_str().into()),
        CallError::UnknownOffer { what, name } if what.starts_with("resource") => {
            one("uri", name.as_str().into())
        }
        CallError::Denied(denial) => one("rule", denial.rule.as_ref().into()),
        CallError::Limited(limited) => one("scope", limited.scope.into()),
        CallError::Upstream(UpstreamError::Tool(error)) => match &error.details {
            Some(Value::Object(details)) => details.clone(),
            Some(other) => one("value", other.clone()),
            None => Map::new(),
        },
        _ => Map::new(),
    }
}

/// Whether the very same call may work later.
fn retryable(error: &CallError) -> bool {
    match error {
        CallError::Upstream(UpstreamError::Tool(error)) => error.retryable,
        _ => matches!(
            error.code(),
            Code::RateLimited | Code::ServiceUnavailable | Code::CircuitBreakerOpen
        ),
    }
}

fn limit(error: &CallError) -> Option<&Limited> {
    match error {
        CallError::Limited(limited) => Some(limited),
        _ => None,
    }
}

fn rate_headers(limited: &Limited) -> Vec<(http::HeaderName, http::HeaderValue)> {
    limit_headers(limited.limit, limited.remaining, limited.reset).into()
}
