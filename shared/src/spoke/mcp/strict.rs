//! Reads a request's body strictly before the MCP library does: size, depth, duplicate keys, NUL.

use crate::arguments::{Limits, Refusal, parse_value};
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};
use proto::mcp::code;
use serde_json::{Value, json};

/// Levels the envelope (message, `params`, `_meta`) adds around the arguments.
const ENVELOPE_DEPTH: usize = 4;
const ENVELOPE_NODES: usize = 1000;

/// Middleware of `/mcp`; `limits` are those of one set of arguments.
pub(in crate::spoke) async fn strict(
    State(limits): State<Limits>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, limits.bytes).await else {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return failure(
            status,
            code::INVALID_REQUEST,
            "the body is too large or came too slowly",
        );
    };
    let whole = Limits {
        depth: limits.depth + ENVELOPE_DEPTH,
        nodes: limits.nodes + ENVELOPE_NODES,
        ..limits
    };
    match parse_value(&bytes, whole) {
        Ok(Value::Object(_)) => {
            let request = Request::from_parts(parts, Body::from(bytes));
            next.run(request).await
        }
        Ok(_) => failure(
            StatusCode::BAD_REQUEST,
            code::INVALID_REQUEST,
            "the body must be one JSON-RPC object",
        ),
        Err(Refusal::TooLarge(_)) => failure(
            StatusCode::PAYLOAD_TOO_LARGE,
            code::INVALID_REQUEST,
            "the body is too large",
        ),
        Err(refusal) => failure(StatusCode::BAD_REQUEST, code::PARSE, &refusal.to_string()),
    }
}

fn failure(status: StatusCode, code: i32, message: &str) -> Response {
    let document = json!({
        "jsonrpc": "2.0",
        "id": null,
        "error": {"code": code, "message": message},
    });
    (status, Json(document)).into_response()
}
