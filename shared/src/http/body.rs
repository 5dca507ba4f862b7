//! Bounds of a request's target and body, for every route.

use super::{EdgeLimits, refusal};
use crate::error::Code;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt, Limited};
use hyper::body::{Body as _, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

pub(super) async fn bound(
    State(limits): State<EdgeLimits>,
    request: Request,
    next: Next,
) -> Response {
    let target = request
        .uri()
        .path_and_query()
        .map_or(0, |t| t.as_str().len());
    if target > limits.target_bytes {
        return refusal(Code::InvalidRequest, "the request target is too long");
    }
    let declared = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|bytes| bytes > limits.body_bytes) {
        return refusal(Code::PayloadTooLarge, "the request body is too large");
    }
    next.run(request.map(|body| bounded(body, limits))).await
}

fn bounded(body: Body, limits: EdgeLimits) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(Timed {
        inner: Limited::new(body, limits.body_bytes).boxed_unsync(),
        silence: limits.body_silence,
        end: Instant::now() + limits.body_total,
        until: Box::pin(tokio::time::sleep(limits.body_silence)),
    })
}

/// A body that fails when it is silent, or arrives, for too long.
struct Timed {
    inner: http_body_util::combinators::UnsyncBoxBody<Bytes, axum::BoxError>,
    silence: Duration,
    end: Instant,
    until: Pin<Box<Sleep>>,
}

/// The client sent its body too slowly.
#[derive(Debug, thiserror::Error)]
#[error("the request body took too long")]
struct TooSlow;

impl hyper::body::Body for Timed {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            let next = (Instant::now() + this.silence).min(this.end);
            this.until.as_mut().reset(next);
            return Poll::Ready(frame);
        }
        this.until
            .as_mut()
            .poll(cx)
            .map(|()| Some(Err(TooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
