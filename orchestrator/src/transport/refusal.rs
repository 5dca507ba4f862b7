//! A refused HTTP request, before it becomes bytes.
//!
//! Handlers return a [`Refusal`]; the edge, which knows the request id and whether the route speaks
//! JSON-RPC, writes it down.

use super::fault::Fault;
use super::frame;
use super::seen::Seen;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{HeaderName, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use shared::error::Code;
use std::borrow::Cow;
use std::time::Duration;

/// Why a request was refused.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The code; its status is the answer's.
    pub code: Code,
    /// One sentence for the caller, without internals.
    pub message: Cow<'static, str>,
    /// Facts for programs.
    pub details: Box<Map<String, Value>>,
    /// When to come back; `None` when waiting does not help.
    pub retry_after: Option<Duration>,
    /// Headers of the answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A refusal without details.
    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Box::default(),
            retry_after: None,
            headers: Vec::new(),
        }
    }

    /// A fault of the hub. The cause belongs in the log, not here.
    #[must_use]
    pub fn internal() -> Self {
        Self::new(Code::InternalError, "an internal error occurred")
    }

    /// Adds one fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// Adds one header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Says when to come back.
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The document of plain routes, or a JSON-RPC error where the route speaks that.
    #[must_use]
    pub fn into_answer(self, seen: &Seen, now: Timestamp) -> Response {
        let status = StatusCode::from_u16(self.code.http_status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = if seen.speaks_json_rpc() {
            self.json_rpc(seen).into_response()
        } else {
            Json(self.document(seen, now)).into_response()
        };
        *answer.status_mut() = status;
        let headers = answer.headers_mut();
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, whole_seconds(wait).into());
        }
        headers.extend(self.headers);
        answer
    }

    fn document(&self, seen: &Seen, now: Timestamp) -> Value {
        let mut details = self.details.clone();
        if let Some(wait) = self.retry_after {
            details.insert("retry_after_ms".into(), milliseconds(wait).into());
        }
        json!({
            "success": false,
            "error": {
                "code": self.code.as_str(),
                "message": self.message,
                "details": details,
                "timestamp": format!("{now:.3}"),
                "request_id": &*seen.request_id,
            },
        })
    }

    fn json_rpc(&self, seen: &Seen) -> impl IntoResponse + use<> {
        let mut data = self.details.clone();
        data.insert("code".into(), self.code.as_str().into());
        data.insert("request_id".into(), seen.request_id.as_ref().into());
        if let Some(wait) = self.retry_after {
            data.insert("retry_after_ms".into(), milliseconds(wait).into());
        }
        let code = match self.code {
            Code::PayloadTooLarge | Code::InvalidRequest | Code::UnsupportedMediaType => {
                proto::mcp::code::INVALID_REQUEST
            }
            Code::InternalError => proto::mcp::code::INTERNAL,
            _ => proto::mcp::code::SERVER,
        };
        let fault = Fault::new(code, self.message.clone()).with_data(Value::Object(*data));
        let kind = (
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        ([kind], frame::failure(None, &fault))
    }
}

impl IntoResponse for Refusal {
    /// A marker: the edge replaces it by [`Refusal::into_answer`].
    fn into_response(self) -> Response {
        let mut marker = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        marker.extensions_mut().insert(self);
        marker
    }
}

/// Whole seconds, rounded up, at least one: the unit of `Retry-After`.
#[must_use]
pub fn whole_seconds(wait: Duration) -> u64 {
    let up = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(up).max(1)
}

/// Whole milliseconds.
#[must_use]
pub fn milliseconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

/// What an answer that some library made means in our words.
#[must_use]
pub fn of_status(status: StatusCode) -> Refusal {
    let (code, message) = match status {
        StatusCode::NOT_FOUND => (Code::NotFound, "there is no such resource"),
        StatusCode::METHOD_NOT_ALLOWED => {
            (Code::MethodNotAllowed, "this method is not allowed here")
        }
        StatusCode::NOT_ACCEPTABLE => (Code::NotAcceptable, "no acceptable representation"),
        StatusCode::REQUEST_TIMEOUT => (Code::RequestTimeout, "the request was sent too slowly"),
        StatusCode::PAYLOAD_TOO_LARGE => (Code::PayloadTooLarge, "the request body is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (
            Code::UnsupportedMediaType,
            "the body must be application/json",
        ),
        _ if status.is_client_error() => (Code::InvalidRequest, "the request cannot be read"),
        _ => (Code::InternalError, "an internal error occurred"),
    };
    Refusal::new(code, message)
}
