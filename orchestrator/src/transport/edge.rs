//! What every HTTP request passes before its handler, and every answer after it, in order.
//!
//! One function instead of a stack of layers, so that the order is the text. Authentication and
//! limits follow in `access`, on the routes that want them.

use super::body;
use super::cors;
use super::origin;
use super::refusal::{Refusal, of_status};
use super::seen::{CORRELATION_ID, REQUEST_ID, Seen};
use super::settings::HttpSettings;
use crate::metrics::{Active, Metrics};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::FutureExt;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, ORIGIN, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::{Frame, SizeHint};
use shared::clock::SharedClock;
use shared::error::Code;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tracing::Instrument;

/// What the edge needs of the hub. Cheap to clone.
#[derive(Clone)]
pub struct Edge {
    /// Lists, sizes, times.
    pub settings: Arc<HttpSettings>,
    /// Requests are counted here.
    pub metrics: Arc<Metrics>,
    /// Dates errors.
    pub clock: SharedClock,
}

/// Headers the edge adds to an answer, about; room for them is made once.
const OWN_HEADERS: usize = 16;
/// Routes whose handler bounds its own time: tool calls and streams.
const OWN_TIME: [&str; 9] = [
    "/mcp",
    "/mcp/execute",
    "/mcp/tools/execute",
    "/sse",
    "/ws",
    "/rpc",
    "/rpc/batch",
    "/messages",
    "/search/mcp",
];
/// The routes of one server, all of which bound their own time.
const SERVERS: &str = "/servers/";
/// Probes are asked by address and by service name, so their `Host` is not looked at.
const PROBES: [&str; 3] = ["/health", READY, "/metrics"];
const READY: &str = "/ready";

/// The way of a request to its handler and of the answer back.
pub async fn edge(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let seen = Seen::of(&request, &edge.settings);
    let active = edge.metrics.active();
    let method = request.method().clone();
    let origin = request.headers().get(ORIGIN).cloned();
    let span = tracing::info_span!(
        "request",
        correlation_id = %seen.correlation_id,
        request_id = %seen.request_id,
    );
    request.extensions_mut().insert(seen.clone());
    let answer = async {
        let answer = match edge.admit(&request, &seen) {
            Ok(None) => edge.guarded(next.run(request), &seen).await,
            Ok(Some(preflight)) => preflight,
            Err(refusal) => refusal.into_response(),
        };
        let answer = edge.settled(answer, &seen);
        log(&seen, method.as_str(), answer.status());
        answer
    };
    let mut answer = answer.instrument(span).await;
    let headers = answer.headers_mut();
    headers.reserve(OWN_HEADERS);
    identify(headers, &seen);
    secure(headers, &edge.settings);
    cors::mark(headers, origin.as_ref(), &edge.settings);
    let status = answer.status().as_u16();
    let took = seen.started.elapsed();
    edge.metrics
        .request_ended(method.as_str(), &seen.endpoint, status, took);
    hold(answer, active)
}

impl Edge {
    /// Host, origin, preflight, declared size.
    fn admit(&self, request: &Request, seen: &Seen) -> Result<Option<Response>, Refusal> {
        let headers = request.headers();
        if !PROBES.contains(&&*seen.endpoint) {
            origin::check(request.uri(), headers, &self.settings)?;
        }
        let preflight = cors::preflight(request.method(), headers, &self.settings);
        body::check_declared(headers, self.settings.body_bytes)?;
        Ok(preflight)
    }

    /// A panic and a handler that takes too long end here.
    async fn guarded(&self, handler: impl Future<Output = Response>, seen: &Seen) -> Response {
        let handler = AssertUnwindSafe(handler).catch_unwind();
        let endpoint = &*seen.endpoint;
        let done = if OWN_TIME.contains(&endpoint) || endpoint.starts_with(SERVERS) {
            Ok(handler.await)
        } else {
            tokio::time::timeout(self.settings.request_timeout, handler).await
        };
        match done {
            Ok(Ok(answer)) => answer,
            Ok(Err(_panic)) => {
                tracing::error!(event = "handler_panicked", endpoint = %seen.endpoint, "a handler panicked");
                Refusal::internal().into_response()
            }
            Err(_elapsed) => {
                Refusal::new(Code::Timeout, "the request took too long").into_response()
            }
        }
    }

    /// Turns refusals, and errors that no handler of ours wrote, into the error document.
    fn settled(&self, mut answer: Response, seen: &Seen) -> Response {
        let refusal = answer.extensions_mut().remove::<Refusal>();
        let refusal = refusal.or_else(|| foreign(&answer).then(|| of_status(answer.status())));
        match refusal {
            None => answer,
            Some(mut refusal) => {
                if let Some(allow) = answer.headers().get(http::header::ALLOW) {
                    refusal.headers.push((http::header::ALLOW, allow.clone()));
                }
                refusal.into_answer(seen, self.clock.now())
            }
        }
    }
}

/// An error of a library: no document of ours.
fn foreign(answer: &Response) -> bool {
    let failed = answer.status().is_client_error() || answer.status().is_server_error();
    let kind = answer.headers().get(CONTENT_TYPE);
    failed && kind.is_none_or(|kind| !kind.as_bytes().starts_with(b"application/json"))
}

fn log(seen: &Seen, method: &str, status: StatusCode) {
    let duration_ms = seen.started.elapsed().as_millis();
    let duration_ms = u64::try_from(duration_ms).unwrap_or(u64::MAX);
    let (endpoint, status) = (&*seen.endpoint, status.as_u16());
    // Not ready is an answer to that question, not a failure.
    let answered = status < 400 || endpoint == READY;
    if !answered && status >= 500 {
        tracing::warn!(
            event = "http_request",
            method,
            endpoint,
            status,
            duration_ms,
            "request failed"
        );
    } else if !answered {
        tracing::info!(
            event = "http_request",
            method,
            endpoint,
            status,
            duration_ms,
            "request refused"
        );
    } else {
        tracing::debug!(
            event = "http_request",
            method,
            endpoint,
            status,
            duration_ms,
            "request answered"
        );
    }
}

fn identify(headers: &mut HeaderMap, seen: &Seen) {
    let put = |text: &str| HeaderValue::from_str(text).ok();
    if let Some(value) = put(&seen.request_id) {
        headers.insert(REQUEST_ID, value);
    }
    if let Some(value) = put(seen.correlation_id.as_str()) {
        headers.insert(CORRELATION_ID, value);
    }
}

fn secure(headers: &mut HeaderMap, settings: &HttpSettings) {
    const SECURITY: [(HeaderName, &str); 8] = [
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=()",
        ),
        (
            HeaderName::from_static("cross-origin-embedder-policy"),
            "require-corp",
        ),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if settings.https {
        let year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
        headers.insert(STRICT_TRANSPORT_SECURITY, year);
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

/// A stream counts as active until its end.
fn hold(answer: Response, active: Active) -> Response {
    let kind = answer.headers().get(CONTENT_TYPE);
    if kind.is_none_or(|kind| !kind.as_bytes().starts_with(b"text/event-stream")) {
        return answer;
    }
    answer.map(|inner| {
        Body::new(Held {
            inner,
            _active: active,
        })
    })
}

struct Held {
    inner: Body,
    _active: Active,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests;
