//! HTTP with SSE, the transport of 2024-11-05: one stream for everything the server says, whose first
//! event names the address messages are posted to.

use super::carrier::{Carrier, Frame};
use super::events::{Event, Events};
use super::inbox::{Asked, Inbox};
use super::web::{self, Web};
use crate::upstream::UpstreamError;
use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use reqwest::Response;
use shared::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use url::Url;

const STREAM: Duration = Duration::from_secs(24 * 3600);
/// How long the server may take to name the address.
const GREETING: Duration = Duration::from_secs(10);

/// An open stream and the address for messages.
pub(super) struct Sse {
    outbox: Arc<Outbox>,
}

struct Outbox {
    web: Web,
    address: Url,
}

impl Sse {
    /// Opens the stream and waits for the address.
    pub(super) async fn open(
        url: &Url,
        web: Web,
        inbox: &Arc<Inbox>,
        tasks: &Tasks,
    ) -> Result<Self, UpstreamError> {
        let opened = web.send(|client| {
            client
                .get(url.clone())
                .timeout(STREAM)
                .header(ACCEPT, "text/event-stream")
        });
        let answer = opened.await?;
        let kind = answer.headers().get(CONTENT_TYPE);
        let is_stream = kind
            .and_then(|value| value.to_str().ok())
            .is_some_and(|kind| kind.starts_with("text/event-stream"));
        if !answer.status().is_success() || !is_stream {
            return Err(web::refusal(answer).await.0);
        }
        let mut stream = Stream {
            answer,
            events: Events::default(),
        };
        let (address, early) = timeout(GREETING, stream.greeting(url))
            .await
            .unwrap_or(Err(UpstreamError::Timeout))?;
        let outbox = Arc::new(Outbox { web, address });
        let reading = Reading {
            stream,
            inbox: Arc::clone(inbox),
            outbox: Arc::clone(&outbox),
            tasks: tasks.clone(),
        };
        tasks.spawn("read from a server", reading.run(early));
        Ok(Self { outbox })
    }
}

#[async_trait]
impl Carrier for Sse {
    async fn send(&self, frame: Frame) -> Result<(), UpstreamError> {
        self.outbox.post(frame.json).await
    }

    fn agreed(&self, _version: &str) {}

    fn drop_cancels(&self) -> bool {
        false
    }

    async fn listen(&self) {}

    // The reader ends with the inbox, and with it the stream.
    async fn close(&self) {}
}

impl Outbox {
    async fn post(&self, json: Bytes) -> Result<(), UpstreamError> {
        let sent = self.web.send(|client| {
            client
                .post(self.address.clone())
                .header(CONTENT_TYPE, "application/json")
                .body(json.clone())
        });
        let answer = sent.await?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(web::refusal(answer).await.0),
        }
    }
}

struct Stream {
    answer: Response,
    events: Events,
}

impl Stream {
    /// The next events; none at the end.
    async fn next(&mut self) -> Result<Option<Vec<Event>>, UpstreamError> {
        let chunk = self.answer.chunk().await;
        let Some(chunk) = chunk.map_err(|error| web::lost(&error))? else {
            return Ok(None);
        };
        let fed = self.events.feed(&chunk);
        fed.map(Some)
            .map_err(|error| UpstreamError::BadAnswer(error.to_string()))
    }

    /// The address for messages, on the same server, and what came right behind it.
    async fn greeting(&mut self, url: &Url) -> Result<(Url, Vec<Event>), UpstreamError> {
        let bad = |what: &str| UpstreamError::BadAnswer(what.to_owned());
        while let Some(events) = self.next().await? {
            let mut events = events.into_iter();
            let found = events.find(|event| event.kind == "endpoint");
            let Some(found) = found else { continue };
            let address = url
                .join(found.data.trim())
                .map_err(|error| UpstreamError::BadAnswer(format!("the endpoint: {error}")))?;
            if address.origin() != url.origin() {
                return Err(bad("the endpoint is on another server"));
            }
            return Ok((address, events.collect()));
        }
        Err(bad("the stream ended without an endpoint"))
    }
}

struct Reading {
    stream: Stream,
    inbox: Arc<Inbox>,
    outbox: Arc<Outbox>,
    tasks: Tasks,
}

impl Reading {
    async fn run(mut self, early: Vec<Event>) {
        let closed = self.inbox.closed();
        self.take(early);
        loop {
            let next = tokio::select! {
                next = self.stream.next() => next,
                () = closed.cancelled() => return,
            };
            match next {
                Ok(Some(events)) => self.take(events),
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(event = "stream_lost", %error, "a server's stream broke off");
                    break;
                }
            }
        }
        self.inbox
            .close(&UpstreamError::Lost("the server's stream has ended".into()));
    }

    fn take(&self, events: Vec<Event>) {
        let messages = events
            .into_iter()
            .filter(|event| !event.data.trim().is_empty());
        for event in messages {
            match self.inbox.take(event.data.as_bytes(), None) {
                Ok(None) => {}
                Ok(Some(asked)) => self.reply(asked),
                Err(error) => {
                    tracing::debug!(event = "server_noise", %error, "an event that is no message");
                }
            }
        }
    }

    fn reply(&self, asked: Asked) {
        let (outbox, closed) = (Arc::clone(&self.outbox), self.inbox.closed());
        self.tasks.spawn("answer a server", async move {
            let answered = async { outbox.post(asked.answer().await.into()).await };
            let sent = tokio::select! {
                sent = answered => sent,
                () = closed.cancelled() => return,
            };
            if let Err(error) = sent {
                tracing::warn!(event = "answer_not_sent", %error, "an answer did not reach a server");
            }
        });
    }
}
