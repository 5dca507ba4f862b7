//! Cross-origin use from listed origins. Unlisted ones get no header at all.

use super::origin;
use super::settings::HttpSettings;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, DELETE, OPTIONS");
const ALLOWED_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, accept, x-api-key, x-correlation-id, x-namespace, x-approval-token, \
     idempotency-key, last-event-id, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, traceparent",
);
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "mcp-session-id, x-request-id, x-correlation-id, retry-after, location, link, x-total-count, \
     x-page-count, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset",
);

/// The answer to a preflight of a listed origin; `None` when the request is none.
#[must_use]
pub fn preflight(
    method: &Method,
    headers: &HeaderMap,
    settings: &HttpSettings,
) -> Option<Response> {
    let asks = method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let listed = headers
        .get(ORIGIN)
        .is_some_and(|value| origin::listed(value, settings));
    if !(asks && listed) {
        return None;
    }
    let mut answer = StatusCode::NO_CONTENT.into_response();
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, ALLOWED_METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    Some(answer)
}

/// Lets a listed origin read the answer.
pub fn mark(answer: &mut HeaderMap, origin: Option<&HeaderValue>, settings: &HttpSettings) {
    if settings.cors_origins.is_empty() {
        return;
    }
    answer.append(VARY, HeaderValue::from_static("origin"));
    if let Some(value) = origin.filter(|value| origin::listed(value, settings)) {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value.clone());
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
    }
}
