//! The error document of plain HTTP routes. Source: `interfaces.md` 1.1.

use crate::clock::{Clock, SystemClock};
use crate::error::Code;
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;
use std::any::Any;

/// `{"success":false,"error":{…}}` with the status of `code` and a fresh request id, which is also
/// in the header `X-Request-ID`. `message` reaches the client: one sentence without internals.
#[must_use]
pub fn refusal(code: Code, message: &str) -> Response {
    let request_id = format!("req_{}", uuid::Uuid::now_v7().simple());
    let status =
        StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let document = json!({
        "success": false,
        "error": {
            "code": code.as_str(),
            "message": message,
            "details": {},
            "timestamp": SystemClock.now().to_string(),
            "request_id": request_id,
        },
    });
    (status, [("x-request-id", request_id)], Json(document)).into_response()
}

/// The answer to a request whose handler panicked. The panic's text stays here.
pub(super) fn of_panic(_panic: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!(event = "edge.panic", "a request handler panicked");
    refusal(Code::InternalError, "an internal error occurred")
}
