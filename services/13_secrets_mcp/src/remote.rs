//! Stores that are asked over HTTP: what their three clients have in common.
//!
//! Requests pass the outbound guard; answers are bounded, wiped when read, and their errors told in
//! our own words: what a store says of itself is not repeated.

pub(crate) use shared::remote::{Token, Tokens};

use crate::config::Config;
use parking_lot::Mutex;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use shared::error::Code;
use shared::outbound::{self, Outbound};
use shared::secret::Secret;
use shared::tool::ToolError;
use std::time::Duration;
use url::Url;
use zeroize::Zeroizing;

/// Longest answer that is read, in bytes: a secret of 64 KiB in base64 and what stands around it.
const MAX_BYTES: usize = 256 * 1024;
/// Longest wait that is passed on.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// A store over HTTP.
#[derive(Debug)]
pub(crate) struct Remote {
    /// What people call it.
    system: &'static str,
    /// The settings to look at when it refuses us.
    settings: &'static str,
    client: Client,
    guard: Outbound,
    /// What the last request came to, when it failed.
    trouble: Mutex<Option<String>>,
}

/// A request that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    /// The credential was not taken: a new token may be.
    pub(crate) unauthorised: bool,
    pub(crate) error: ToolError,
}

impl From<ToolError> for Failed {
    fn from(error: ToolError) -> Self {
        Self {
            unauthorised: false,
            error,
        }
    }
}

impl Remote {
    /// Prepares; asks nobody yet.
    pub(crate) fn prepare(
        config: &Config,
        system: &'static str,
        settings: &'static str,
    ) -> reqwest::Result<Self> {
        let guard = config.outbound.allow.0.clone();
        Ok(Self {
            system,
            settings,
            client: guard.client(config.remote.timeout_seconds.0)?,
            guard,
            trouble: Mutex::default(),
        })
    }

    /// A request to read, to be completed and given to [`Remote::ask`].
    pub(crate) fn get(&self, url: Url) -> RequestBuilder {
        self.client.get(url)
    }

    /// A request to send a form, to be given to [`Remote::ask`].
    pub(crate) fn post(&self, url: Url) -> RequestBuilder {
        self.client.post(url)
    }

    /// Sends a request and reads the answer.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, Failed> {
        let answer = self.ask_once(request).await;
        *self.trouble.lock() = match &answer {
            Err(failed) if failed.error.code != Code::NotFound => {
                Some(failed.error.message.clone())
            }
            _ => None,
        };
        answer
    }

    /// What the last request came to, when it failed.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    async fn ask_once<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failed> {
        let failure = |error: &reqwest::Error| Failed::from(outbound::failure(self.system, error));
        let request = request.build().map_err(|error| failure(&error))?;
        self.guard
            .check(request.url())
            .map_err(|refused| outbound::refusal(&refused))?;
        let response = self.client.execute(request).await;
        let response = response.map_err(|error| failure(&error))?;
        if !response.status().is_success() {
            return Err(self.refused(&response));
        }
        let body = self.body(response).await?;
        serde_json::from_slice(&body).map_err(|error| {
            // The error itself may hold a piece of the answer.
            tracing::warn!(
                event = "secrets.answer",
                system = self.system,
                line = error.line(),
                column = error.column(),
                "an odd answer"
            );
            self.nonsense().into()
        })
    }

    /// An answer that is no answer.
    pub(crate) fn nonsense(&self) -> ToolError {
        let message = format!("{} gave an answer we do not understand", self.system);
        ToolError::new(Code::BadGateway, message)
    }

    async fn body(&self, mut response: Response) -> Result<Zeroizing<Vec<u8>>, ToolError> {
        let mut body = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
        loop {
            let chunk = response.chunk().await;
            match chunk.map_err(|error| outbound::failure(self.system, &error))? {
                None => return Ok(body),
                Some(chunk) if body.len() + chunk.len() > MAX_BYTES => {
                    let message = format!("the answer of {} is larger than 256 KiB", self.system);
                    return Err(ToolError::new(Code::BadGateway, message));
                }
                Some(chunk) => body.extend_from_slice(&chunk),
            }
        }
    }

    fn refused(&self, response: &Response) -> Failed {
        let status = response.status().as_u16();
        let system = self.system;
        tracing::warn!(
            event = "secrets.refused",
            system,
            status,
            "a store refused a request"
        );
        let (code, message) = match status {
            401 | 403 => (
                Code::BadGateway,
                format!(
                    "{system} refused us: check {} and what they may read",
                    self.settings
                ),
            ),
            404 => (
                Code::NotFound,
                format!("{system} has no such secret or version"),
            ),
            429 => (
                Code::RateLimited,
                format!("{system} takes no more requests for now"),
            ),
            300..=399 => (Code::BadGateway, format!("{system} sent us elsewhere")),
            500..=599 => (Code::ServiceUnavailable, format!("{system} is not well")),
            _ => (
                Code::BadGateway,
                format!("{system} did not take the request"),
            ),
        };
        let mut error = ToolError::refused(code, message);
        if matches!(code, Code::RateLimited | Code::ServiceUnavailable) {
            error = error.retryable();
            error.retry_after = retry_after(response);
        }
        Failed {
            unauthorised: status == 401,
            error,
        }
    }
}

/// Seconds only; a date is not worth a clock here.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let seconds = text.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
}

/// Takes a text of an answer into custody.
pub(crate) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::from)
}

/// `base` with further parts of a path, each encoded.
pub(crate) fn join<'a>(base: &Url, parts: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    // Only addresses with a host get here, and these have a path.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}
