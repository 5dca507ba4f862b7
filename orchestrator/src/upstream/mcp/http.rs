//! Streamable HTTP, both eras: a POST for every message, whose answer is JSON or a stream of events.
//!
//! With sessions (legacy) the session's id goes with every message, a stream that ends early is taken
//! up again where the server gave its events ids, and a GET stream brings what the server says by
//! itself. Without sessions (2026-07-28) the headers repeat what the body says.

use super::carrier::{Carrier, Frame};
use super::events::Events;
use super::inbox::{Asked, Inbox};
use super::web::{self, Web};
use crate::upstream::UpstreamError;
use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use parking_lot::Mutex;
use reqwest::{RequestBuilder, Response};
use shared::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use url::Url;

/// How long a stream may stay open; calls have deadlines of their own.
const STREAM: Duration = Duration::from_secs(24 * 3600);
/// How long the end of a session may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// How often an interrupted stream is taken up again.
const RESUMES: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// One endpoint.
pub(super) struct Http {
    url: Url,
    inner: Arc<Inner>,
    tasks: Tasks,
}

struct Inner {
    web: Web,
    inbox: Arc<Inbox>,
    said: Mutex<Said>,
    /// The stream of the session was opened, or refused.
    listening: CancellationToken,
}

/// What was agreed on.
#[derive(Clone, Default)]
struct Said {
    version: Option<HeaderValue>,
    session: Option<HeaderValue>,
    modern: bool,
}

/// What an interrupted stream left.
#[derive(Default)]
struct Broken {
    last: Option<String>,
    retry: Option<u64>,
}

impl Http {
    pub(super) fn new(url: Url, web: Web, inbox: Arc<Inbox>, tasks: Tasks) -> Self {
        Self {
            url,
            inner: Arc::new(Inner {
                web,
                inbox,
                said: Mutex::default(),
                listening: CancellationToken::new(),
            }),
            tasks,
        }
    }

    fn request(&self, client: &reqwest::Client, frame: &Frame, said: &Said) -> RequestBuilder {
        let mut request = client
            .post(self.url.clone())
            .timeout(STREAM)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .body(frame.json.clone());
        for (name, value) in said.headers() {
            request = request.header(name, value);
        }
        if !said.modern {
            return request;
        }
        if let Some(method) = frame.method {
            request = request.header(METHOD, method);
        }
        if let Some(name) = frame.name.as_deref().and_then(web::header_value) {
            request = request.header(NAME, name);
        }
        for (name, value) in &frame.params {
            if let Some(value) = web::header_value(value) {
                request = request.header(format!("mcp-param-{name}"), value);
            }
        }
        request
    }

    /// Reads the answer to a message, up to the response of request `id`.
    async fn take(&self, answer: Response, id: Option<u64>) -> Result<(), UpstreamError> {
        let kind = answer.headers().get(CONTENT_TYPE);
        let kind = kind
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if kind.starts_with("text/event-stream") {
            return self.events(answer, id).await;
        }
        let body = web::body(answer).await?;
        if body.trim_ascii().is_empty() {
            return match id {
                None => Ok(()),
                Some(_) => Err(UpstreamError::BadAnswer("an empty answer".into())),
            };
        }
        // Some servers of 2025-03-26 answer with an array.
        if body.trim_ascii_start().starts_with(b"[") {
            let parts: Vec<Box<serde_json::value::RawValue>> = serde_json::from_slice(&body)
                .map_err(|error| UpstreamError::BadAnswer(format!("a batch: {error}")))?;
            for part in parts {
                self.message(part.get().as_bytes(), id)?;
            }
            return Ok(());
        }
        self.message(&body, id)
    }

    fn message(&self, json: &[u8], origin: Option<u64>) -> Result<(), UpstreamError> {
        if json.is_empty() {
            return Ok(());
        }
        if let Some(asked) = self.inner.inbox.take(json, origin)? {
            self.reply(asked);
        }
        Ok(())
    }

    fn reply(&self, asked: Asked) {
        let (url, inner) = (self.url.clone(), Arc::clone(&self.inner));
        let closed = inner.inbox.closed();
        self.tasks.spawn("answer a server", async move {
            let answered = async {
                let frame = Bytes::from(asked.answer().await);
                inner.post_plain(&url, frame).await;
            };
            tokio::select! {
                () = answered => {}
                () = closed.cancelled() => {}
            }
        });
    }

    async fn events(&self, answer: Response, id: Option<u64>) -> Result<(), UpstreamError> {
        let mut broken = self.read(answer, id).await?;
        let waits = |id: Option<u64>| id.is_some_and(|id| self.inner.inbox.waits(id));
        let mut resumes = 0;
        while waits(id) {
            let said = self.inner.said.lock().clone();
            let (Some(last), true) = (
                broken.last.take(),
                said.session.is_some() && resumes < RESUMES,
            ) else {
                return Err(UpstreamError::Lost(
                    "the stream ended without a result".into(),
                ));
            };
            resumes += 1;
            let wait = broken.retry.map_or(FIRST_WAIT, Duration::from_millis);
            tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
            let answer = self.get(&said, Some(&last)).await?;
            broken = self.read(answer, id).await?;
            broken.last = broken.last.or(Some(last));
        }
        Ok(())
    }

    /// Reads a stream to its end, or to the response of `id`.
    async fn read(&self, mut answer: Response, id: Option<u64>) -> Result<Broken, UpstreamError> {
        let mut events = Events::default();
        let mut broken = Broken::default();
        loop {
            let chunk = match answer.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Ok(broken),
                Err(_) if broken.last.is_some() => return Ok(broken),
                Err(error) => return Err(web::lost(&error)),
            };
            let fed = events.feed(&chunk);
            for event in fed.map_err(|error| UpstreamError::BadAnswer(error.to_string()))? {
                broken.last = event.id.or(broken.last);
                broken.retry = event.retry.or(broken.retry);
                self.message(event.data.trim().as_bytes(), id)?;
            }
            if id.is_some_and(|id| !self.inner.inbox.waits(id)) {
                return Ok(broken);
            }
        }
    }

    async fn get(&self, said: &Said, last: Option<&str>) -> Result<Response, UpstreamError> {
        let url = self.url.clone();
        let answer = self
            .inner
            .web
            .send(|client| {
                let mut request = client
                    .get(url.clone())
                    .timeout(STREAM)
                    .header(ACCEPT, "text/event-stream");
                for (name, value) in said.headers() {
                    request = request.header(name, value);
                }
                match last {
                    Some(last) => request.header(LAST_EVENT, last),
                    None => request,
                }
            })
            .await?;
        match answer.status().is_success() {
            true => Ok(answer),
            false => Err(web::refusal(answer).await.0),
        }
    }

    /// A refusal may be a JSON-RPC error, which says more.
    async fn refused(&self, answer: Response, id: Option<u64>, said: &Said) -> UpstreamError {
        let gone = answer.status() == StatusCode::NOT_FOUND && said.session.is_some();
        let (error, body) = web::refusal(answer).await;
        if gone {
            let ended = UpstreamError::Unreachable("the session has ended".into());
            self.inner.inbox.close(&ended);
            return ended;
        }
        super::inbox::error_in(&body, id).unwrap_or(error)
    }
}

#[async_trait]
impl Carrier for Http {
    async fn send(&self, frame: Frame) -> Result<(), UpstreamError> {
        let said = self.inner.said.lock().clone();
        let sent = self
            .inner
            .web
            .send(|client| self.request(client, &frame, &said));
        let answer = sent.await?;
        if let Some(session) = answer.headers().get(&SESSION) {
            self.inner.said.lock().session = Some(session.clone());
        }
        match answer.status() {
            StatusCode::ACCEPTED | StatusCode::NO_CONTENT => Ok(()),
            status if status.is_success() => self.take(answer, frame.id).await,
            _ => Err(self.refused(answer, frame.id, &said).await),
        }
    }

    fn agreed(&self, version: &str) {
        let mut said = self.inner.said.lock();
        said.version = HeaderValue::try_from(version).ok();
        said.modern = version == proto::mcp::MODERN;
    }

    fn answers_at_once(&self) -> bool {
        true
    }

    fn drop_cancels(&self) -> bool {
        self.inner.said.lock().modern
    }

    fn listening(&self) -> Option<CancellationToken> {
        Some(self.inner.listening.clone())
    }

    async fn listen(&self) {
        let _answered = self.inner.listening.clone().drop_guard();
        if self.inner.said.lock().session.is_none() {
            return;
        }
        let mut wait = FIRST_WAIT;
        let mut last: Option<String> = None;
        while !self.inner.inbox.is_closed() {
            let said = self.inner.said.lock().clone();
            let answer = self.get(&said, last.as_deref()).await;
            self.inner.listening.cancel();
            let read = match answer {
                Ok(answer) => {
                    wait = FIRST_WAIT;
                    self.read(answer, None).await
                }
                Err(error) => Err(error),
            };
            match read {
                Ok(broken) => last = broken.last.or(last),
                // 405: there is nothing to listen to.
                Err(
                    UpstreamError::Refused(_)
                    | UpstreamError::BadAnswer(_)
                    | UpstreamError::Peer(_),
                ) => return,
                Err(error) => {
                    tracing::debug!(event = "stream_lost", %error, "a server's stream broke off");
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn close(&self) {
        let said = self.inner.said.lock().clone();
        if said.session.is_none() {
            return;
        }
        let url = self.url.clone();
        let goodbye = self.inner.web.send(|client| {
            let mut request = client.delete(url.clone()).timeout(GOODBYE);
            for (name, value) in said.headers() {
                request = request.header(name, value);
            }
            request
        });
        if let Err(error) = goodbye.await {
            tracing::debug!(event = "session_not_ended", %error, "a session could not be ended");
        }
    }
}

impl Inner {
    async fn post_plain(&self, url: &Url, frame: Bytes) {
        let said = self.said.lock().clone();
        let sent = self.web.send(|client| {
            let mut request = client
                .post(url.clone())
                .header(CONTENT_TYPE, "application/json")
                .header(ACCEPT, "application/json, text/event-stream")
                .body(frame.clone());
            for (name, value) in said.headers() {
                request = request.header(name, value);
            }
            request
        });
        if let Err(error) = sent.await {
            tracing::warn!(event = "answer_not_sent", %error, "an answer did not reach a server");
        }
    }
}

impl Said {
    fn headers(&self) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
        let version = self.version.clone().map(|value| (VERSION, value));
        let session = self.session.clone().map(|value| (SESSION, value));
        version.into_iter().chain(session)
    }
}
