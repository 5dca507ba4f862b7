//! A JSON-RPC error with the HTTP status that goes with it, before it becomes bytes.
//!
//! Which error of a call becomes which fault is `errors`' matter.

use http::StatusCode;
use proto::mcp::{LEGACY, MODERN, code};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::time::Duration;

/// A protocol error.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// See [`proto::mcp::code`].
    pub code: i32,
    /// One sentence for the caller, without internals.
    pub message: Cow<'static, str>,
    /// Facts for programs; `None` when there are none.
    pub data: Option<Value>,
    /// Status over HTTP where the era does not say otherwise.
    pub status: StatusCode,
    /// When to come back; `None` when waiting does not help.
    pub retry_after: Option<Duration>,
}

impl Fault {
    /// A fault of this code that is answered with 200, as the legacy revisions do.
    #[must_use]
    pub fn new(code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            data: None,
            status: StatusCode::OK,
            retry_after: None,
        }
    }

    /// The body is not JSON.
    #[must_use]
    pub fn parse(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code::PARSE, message).with_status(StatusCode::BAD_REQUEST)
    }

    /// The body is no message.
    #[must_use]
    pub fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code::INVALID_REQUEST, message).with_status(StatusCode::BAD_REQUEST)
    }

    /// Nobody serves this method; 404 in the modern era only.
    #[must_use]
    pub fn method_not_found() -> Self {
        Self::new(code::METHOD_NOT_FOUND, "method not found")
    }

    /// The parameters break the method's rules.
    #[must_use]
    pub fn invalid_params(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code::INVALID_PARAMS, message)
    }

    /// A header differs from the body.
    #[must_use]
    pub fn header_mismatch(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code::HEADER_MISMATCH, message).with_status(StatusCode::BAD_REQUEST)
    }

    /// The revision is not served.
    #[must_use]
    pub fn unsupported_version(requested: &str) -> Self {
        let supported: Vec<&str> = [MODERN].into_iter().chain(LEGACY).collect();
        Self::new(code::UNSUPPORTED_VERSION, "unsupported protocol version")
            .with_status(StatusCode::BAD_REQUEST)
            .with_data(json!({ "supported": supported, "requested": requested }))
    }

    /// Sets the HTTP status.
    #[must_use]
    pub const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Adds facts for programs.
    #[must_use]
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }
}
