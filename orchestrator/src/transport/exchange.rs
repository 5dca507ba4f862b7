//! One answer over HTTP: plain JSON, unless something precedes the result; then a stream of events.
//!
//! Once the answer is a stream the call runs in a task of its own: a host that does not read must not
//! be able to hold up a deadline.

use super::refusal::whole_seconds;
use super::reports::Reports;
use super::sse;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use shared::tasks::Tasks;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// What a request comes to.
#[derive(Debug)]
pub struct Spoken {
    /// The response frame; `None` when there is nothing to say, because the request was cancelled.
    pub frame: Option<Bytes>,
    /// Status of a plain answer.
    pub status: StatusCode,
    /// When to come back; `None` when waiting does not help.
    pub retry_after: Option<Duration>,
    /// Further headers of a plain answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Spoken {
    /// A frame answered with 200.
    #[must_use]
    pub const fn frame(frame: Bytes) -> Self {
        Self {
            frame: Some(frame),
            status: StatusCode::OK,
            retry_after: None,
            headers: Vec::new(),
        }
    }

    /// Nothing: the request was cancelled.
    #[must_use]
    pub const fn nothing() -> Self {
        Self {
            frame: None,
            status: StatusCode::ACCEPTED,
            retry_after: None,
            headers: Vec::new(),
        }
    }
}

impl IntoResponse for Spoken {
    fn into_response(self) -> Response {
        let Some(frame) = self.frame else {
            return self.status.into_response();
        };
        let kind = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let mut answer = (self.status, [kind], frame).into_response();
        let headers = answer.headers_mut();
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, whole_seconds(wait).into());
        }
        headers.extend(self.headers);
        answer
    }
}

/// How one request may be answered.
pub struct Exchange {
    /// What precedes the result.
    pub reports: Reports,
    /// The client takes event streams.
    pub streams: bool,
    /// Fired when the client hangs up; `None` where that means nothing.
    pub on_hang_up: Option<CancellationToken>,
    /// Where a call that outlives its request runs.
    pub tasks: Tasks,
}

/// Answers with what `call` comes to.
pub async fn answer(mut call: BoxFuture<'static, Spoken>, exchange: Exchange) -> Response {
    let hang_up = HangUp(exchange.on_hang_up);
    if !exchange.streams {
        let spoken = call.await;
        hang_up.disarm();
        return spoken.into_response();
    }
    let first = tokio::select! {
        biased;
        spoken = &mut call => {
            hang_up.disarm();
            return spoken.into_response();
        }
        frame = exchange.reports.next() => sse::event(None, &frame),
        () = tokio::time::sleep(sse::KEEP_ALIVE) => life(&exchange.reports),
    };
    let (send, result) = oneshot::channel();
    exchange.tasks.spawn("streamed call", async move {
        if send.send(call.await).is_err() {
            tracing::debug!(
                event = "result_unread",
                "the host hung up before the result"
            );
        }
    });
    let stream = Stream {
        first: Some(first),
        reports: exchange.reports,
        result: Some(result),
        alive: every(sse::KEEP_ALIVE),
        hang_up: Some(hang_up),
    };
    sse::answer(futures::stream::unfold(stream, Stream::step))
}

struct Stream {
    first: Option<Bytes>,
    reports: Reports,
    result: Option<oneshot::Receiver<Spoken>>,
    alive: Interval,
    hang_up: Option<HangUp>,
}

impl Stream {
    /// The next event; `None` after the result.
    async fn step(mut self) -> Option<(Bytes, Self)> {
        if let Some(first) = self.first.take() {
            return Some((first, self));
        }
        let mut result = self.result.take()?;
        let event = tokio::select! {
            biased;
            frame = self.reports.next() => sse::event(None, &frame),
            spoken = Pin::new(&mut result) => return self.last(spoken.ok()),
            _ = self.alive.tick() => life(&self.reports),
        };
        self.result = Some(result);
        self.alive.reset();
        Some((event, self))
    }

    /// The result, without which the stream just ends: it was cancelled, or the hub stops.
    fn last(mut self, spoken: Option<Spoken>) -> Option<(Bytes, Self)> {
        if let Some(hang_up) = self.hang_up.take() {
            hang_up.disarm();
        }
        let frame = spoken.and_then(|spoken| spoken.frame)?;
        Some((sse::event(None, &frame), self))
    }
}

fn life(reports: &Reports) -> Bytes {
    reports
        .heartbeat()
        .map_or(sse::COMMENT, |frame| sse::event(None, &frame))
}

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Cancels the call when it is dropped before the result.
struct HangUp(Option<CancellationToken>);

impl HangUp {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for HangUp {
    fn drop(&mut self) {
        if let Some(token) = self.0.take() {
            token.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reports::Wanted;
    use super::*;
    use http_body_util::BodyExt;
    use serde_json::value::RawValue;

    fn exchange(token: Option<&str>, streams: bool) -> (Exchange, CancellationToken) {
        let token = token.map(|token| RawValue::from_string(token.into()).unwrap());
        let cancelled = CancellationToken::new();
        let exchange = Exchange {
            reports: Reports::new(Wanted { token, level: None }),
            streams,
            on_hang_up: Some(cancelled.clone()),
            tasks: Tasks::new(),
        };
        (exchange, cancelled)
    }

    fn done() -> Spoken {
        Spoken::frame(Bytes::from_static(b"{\"result\":1}"))
    }

    async fn after(wait: Duration) -> Spoken {
        tokio::time::sleep(wait).await;
        done()
    }

    async fn text(answer: Response) -> String {
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn kind(answer: &Response) -> &str {
        answer.headers()[CONTENT_TYPE].to_str().unwrap()
    }

    #[tokio::test]
    async fn a_result_alone_is_plain_json() {
        let (exchange, cancelled) = exchange(Some("1"), true);
        let response = answer(Box::pin(std::future::ready(done())), exchange).await;
        assert_eq!(kind(&response), "application/json");
        assert_eq!(text(response).await, "{\"result\":1}");
        assert!(!cancelled.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn progress_before_the_result_makes_a_stream() {
        let (exchange, cancelled) = exchange(Some("1"), true);
        let sink = exchange.reports.sink();
        let call = async move {
            sink.report(1.0, None, "half");
            tokio::time::sleep(Duration::from_secs(1)).await;
            done()
        };
        let response = answer(Box::pin(call), exchange).await;
        assert_eq!(kind(&response), "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let text = text(response).await;
        let (progress, result) = (text.find("notifications/progress"), text.find("\"result\""));
        assert!(progress.unwrap() < result.unwrap(), "{text}");
        assert!(!cancelled.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_broken_every_quarter_minute() {
        for (token, sign) in [(Some("1"), "still working"), (None, ": keep-alive")] {
            let (exchange, _) = exchange(token, true);
            let call = after(Duration::from_secs(50));
            let text = text(answer(Box::pin(call), exchange).await).await;
            assert_eq!(text.matches(sign).count(), 3, "{text}");
            assert!(text.contains("\"result\""));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_no_streams_gets_plain_json() {
        let (exchange, _) = exchange(Some("1"), false);
        let sink = exchange.reports.sink();
        let call = async move {
            sink.report(1.0, None, "half");
            tokio::time::sleep(Duration::from_secs(60)).await;
            done()
        };
        assert_eq!(
            kind(&answer(Box::pin(call), exchange).await),
            "application/json"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn hanging_up_is_told_to_the_call() {
        let (plain, cancelled) = exchange(None, true);
        let early = tokio::time::timeout(
            Duration::from_secs(1),
            answer(Box::pin(std::future::pending()), plain),
        );
        assert!(early.await.is_err());
        assert!(cancelled.is_cancelled());
        let (streamed, cancelled) = exchange(None, true);
        let response = answer(Box::pin(std::future::pending()), streamed).await;
        assert!(!cancelled.is_cancelled());
        drop(response);
        assert!(cancelled.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_does_not_read_does_not_stop_the_call() {
        let (exchange, _) = exchange(None, true);
        let (tell, told) = oneshot::channel();
        let call = async move {
            tokio::time::sleep(Duration::from_secs(20)).await;
            tell.send(()).unwrap();
            done()
        };
        let unread = answer(Box::pin(call), exchange).await;
        told.await.unwrap();
        assert!(text(unread).await.contains("\"result\""));
    }

    #[tokio::test]
    async fn a_cancelled_request_gets_no_response() {
        let (exchange, _) = exchange(None, true);
        let response = answer(Box::pin(async { Spoken::nothing() }), exchange).await;
        assert_eq!(response.status(), 202);
        assert!(text(response).await.is_empty());
    }
}
