//! Another system asked over HTTP: what the clients of all spokes have in common.
//!
//! Requests pass the outbound guard, carry whatever credentials the caller put on them, and have a
//! time limit; answers are bounded; refusals are told in our own words, with the remote's message only
//! where the caller has picked it out. What is asked, and what an answer means, is the spoke's business.

mod account;
mod connection;
mod operation;
mod setting;
mod tokens;

pub use account::{AccountError, ServiceAccount};
pub use connection::{Connection, ConnectionError};
pub use operation::{Operation, Pauses, State};
pub use setting::{Allow, BaseUrl, MetadataUrl, Reach, Seconds};
pub use tokens::{Token, Tokens};

use crate::error::Code;
use crate::outbound::{self, Outbound};
use crate::tool::ToolError;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use parking_lot::Mutex;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use std::time::Duration;
use url::Url;

/// Longest answer that is read unless said otherwise, in bytes.
const MAX_BYTES: usize = 10 * 1024 * 1024;
/// Longest wait that is passed on.
const MAX_WAIT: Duration = Duration::from_secs(3600);
/// Longest message of a remote system that is repeated, in characters.
const MAX_MESSAGE: usize = 300;

/// A system that is asked over HTTP.
#[derive(Debug)]
pub struct Remote {
    system: &'static str,
    settings: &'static str,
    client: Client,
    guard: Outbound,
    max_bytes: usize,
    trouble: Mutex<Option<String>>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status; not necessarily a success.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Reply {
    /// How long the remote asks us to wait; `None` when it does not say in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers)
    }

    /// A header that is text; `None` when there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Remote {
    /// Prepares; asks nobody yet. `system` is what people call it; `settings` are the variables to
    /// look at when it refuses our credentials.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        system: &'static str,
        settings: &'static str,
        guard: Outbound,
        timeout: Duration,
    ) -> reqwest::Result<Self> {
        let client = guard.client(timeout)?;
        Ok(Self::over(client, system, settings, guard))
    }

    /// The same over a client made by [`Outbound::builder`] of this guard.
    #[must_use]
    pub fn over(
        client: Client,
        system: &'static str,
        settings: &'static str,
        guard: Outbound,
    ) -> Self {
        Self {
            system,
            settings,
            client,
            guard,
            max_bytes: MAX_BYTES,
            trouble: Mutex::default(),
        }
    }

    /// The same with another bound on answers, in bytes.
    #[must_use]
    pub const fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// What people call it.
    #[must_use]
    pub const fn system(&self) -> &'static str {
        self.system
    }

    /// A request to be completed and given to [`Remote::ask`].
    pub fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// A request to read.
    pub fn get(&self, url: Url) -> RequestBuilder {
        self.client.get(url)
    }

    /// A request to do something.
    pub fn post(&self, url: Url) -> RequestBuilder {
        self.client.post(url)
    }

    /// Sends a request and reads the answer, whatever its status.
    ///
    /// # Errors
    /// `ADDRESS_REFUSED` by the guard; `TIMEOUT` or `PROXY_ERROR` when there is no answer;
    /// `BAD_GATEWAY` when it is too large.
    pub async fn ask(&self, request: RequestBuilder) -> Result<Reply, ToolError> {
        let reply = self.exchange(request).await;
        *self.trouble.lock() = match &reply {
            Err(error) => Some(error.message.clone()),
            Ok(reply) => self.complaint(reply.status),
        };
        reply
    }

    /// Sends a request whose successful answer is read bit by bit by the caller, who bounds it; another
    /// answer is read to its end.
    ///
    /// # Errors
    /// Those of [`Remote::ask`].
    pub async fn open(
        &self,
        request: RequestBuilder,
    ) -> Result<Result<Response, Reply>, ToolError> {
        let opened = match self.send(request).await {
            Ok(response) if response.status().is_success() => Ok(Ok(response)),
            Ok(response) => self.whole(response).await.map(Err),
            Err(error) => Err(error),
        };
        *self.trouble.lock() = match &opened {
            Err(error) => Some(error.message.clone()),
            Ok(Err(reply)) => self.complaint(reply.status),
            Ok(Ok(_)) => None,
        };
        opened
    }

    /// Sends a request and reads the JSON of a successful answer.
    ///
    /// # Errors
    /// Those of [`Remote::ask`] and [`Remote::refused`]; `BAD_GATEWAY` for something else than JSON of
    /// this shape.
    pub async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ToolError> {
        let reply = self.ask(request).await?;
        match reply.status.is_success() {
            true => self.read(&reply),
            false => Err(self.refused(&reply, None)),
        }
    }

    /// The JSON of an answer.
    ///
    /// # Errors
    /// `BAD_GATEWAY` for something else than JSON of this shape.
    pub fn read<T: DeserializeOwned>(&self, reply: &Reply) -> Result<T, ToolError> {
        serde_json::from_slice(&reply.body).map_err(|error| {
            // The error itself may hold a piece of the answer.
            tracing::warn!(
                event = "remote.answer",
                system = self.system,
                line = error.line(),
                column = error.column(),
                "an odd answer"
            );
            self.nonsense()
        })
    }

    /// What the caller is told of an answer that is no success. `message` is what the remote said, if
    /// it is fit to be repeated; it is cut and freed from control characters here.
    #[must_use]
    pub fn refused(&self, reply: &Reply, message: Option<&str>) -> ToolError {
        let status = reply.status;
        let system = self.system;
        tracing::warn!(
            event = "remote.refused",
            system,
            status = status.as_u16(),
            "a request was refused"
        );
        let (code, ours) = self.words(status);
        let text = match message.map(presentable).filter(|it| !it.is_empty()) {
            Some(theirs) => format!("{ours}: {theirs}"),
            None => ours,
        };
        let mut error = match status.as_u16() {
            // It may have begun.
            500..=599 => ToolError::new(code, text),
            _ => ToolError::refused(code, text),
        };
        if matches!(code, Code::RateLimited | Code::ServiceUnavailable) {
            error = error.retryable();
            error.retry_after = retry_after(&reply.headers);
        }
        error
    }

    /// What the caller is told of an answer that is no answer.
    #[must_use]
    pub fn nonsense(&self) -> ToolError {
        let message = format!("{} gave an answer we do not understand", self.system);
        ToolError::new(Code::BadGateway, message)
    }

    /// What the last request came to, when it failed through no fault of the caller; for health checks.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    async fn exchange(&self, request: RequestBuilder) -> Result<Reply, ToolError> {
        let response = self.send(request).await?;
        self.whole(response).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ToolError> {
        let failure = |error: &reqwest::Error| outbound::failure(self.system, error);
        let request = request.build().map_err(|error| failure(&error))?;
        self.guard
            .check(request.url())
            .map_err(|refused| outbound::refusal(&refused))?;
        let response = self.client.execute(request).await;
        response.map_err(|error| failure(&error))
    }

    async fn whole(&self, mut response: Response) -> Result<Reply, ToolError> {
        Ok(Reply {
            status: response.status(),
            headers: std::mem::take(response.headers_mut()),
            body: self.body(response).await?,
        })
    }

    async fn body(&self, mut response: Response) -> Result<Bytes, ToolError> {
        let mut body = BytesMut::new();
        loop {
            let chunk = response.chunk().await;
            match chunk.map_err(|error| outbound::failure(self.system, &error))? {
                None => return Ok(body.freeze()),
                Some(chunk) if body.len() + chunk.len() > self.max_bytes => {
                    let (system, most) = (self.system, self.max_bytes);
                    let message = format!("the answer of {system} is larger than {most} bytes");
                    return Err(ToolError::new(Code::BadGateway, message));
                }
                Some(chunk) => body.extend_from_slice(&chunk),
            }
        }
    }

    fn complaint(&self, status: StatusCode) -> Option<String> {
        let ours = status.is_server_error() || matches!(status.as_u16(), 401 | 403 | 429);
        ours.then(|| self.words(status).1)
    }

    fn words(&self, status: StatusCode) -> (Code, String) {
        let (system, settings) = (self.system, self.settings);
        match status.as_u16() {
            400 | 422 => (
                Code::InvalidInput,
                format!("{system} does not take the request"),
            ),
            401 => (
                Code::BadGateway,
                format!("{system} refused our credentials: check {settings}"),
            ),
            403 => (
                Code::BadGateway,
                format!("{system} does not let us do that: check what {settings} may do"),
            ),
            404 | 410 => (Code::NotFound, format!("{system} does not know it")),
            409 | 412 => (
                Code::Conflict,
                format!("{system} says that the state does not allow it"),
            ),
            429 => (
                Code::RateLimited,
                format!("{system} takes no more requests for now"),
            ),
            300..=399 => (
                Code::BadGateway,
                format!("{system} sent us elsewhere: check {settings}"),
            ),
            500..=599 => (Code::ServiceUnavailable, format!("{system} is not well")),
            _ => (
                Code::BadGateway,
                format!("{system} did not take the request"),
            ),
        }
    }
}

/// `base` with further parts of a path, each encoded.
#[must_use]
pub fn join<'a>(base: &Url, parts: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    // Only addresses with a host get here, and these have a path.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}

/// Seconds only; a date is not worth a clock here.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    let seconds = text.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
}

fn presentable(message: &str) -> String {
    let plain = message
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c });
    plain
        .take(MAX_MESSAGE)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests;
