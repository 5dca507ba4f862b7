//! What both HTTP carriers share: requests with the server's credentials, faults, header values.

use crate::upstream::UpstreamError;
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::{RequestBuilder, Response};
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a body that is one message.
const MAX_BODY: usize = 32 * 1024 * 1024;
/// Bytes of a refusal that are read.
const MAX_REFUSAL: usize = 64 * 1024;

/// How the hub proves itself to a server.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Headers of every request.
    ///
    /// # Errors
    /// [`UpstreamError::Refused`] when a credential is missing; nothing was sent.
    async fn headers(&self) -> Result<HeaderMap, UpstreamError>;

    /// The server refused with this status and challenge; `true` when a repetition may succeed.
    async fn challenged(&self, status: StatusCode, challenge: Option<&str>) -> bool;
}

/// Sends requests to one server.
pub(super) struct Web {
    pub(super) client: reqwest::Client,
    pub(super) credentials: Arc<dyn Credentials>,
}

impl Web {
    /// Sends what `build` makes; once more when the credentials say that may help. An answer that is
    /// no success is an error, except when the body may hold a JSON-RPC error.
    pub(super) async fn send(
        &self,
        build: impl Fn(&reqwest::Client) -> RequestBuilder + Send + Sync,
    ) -> Result<Response, UpstreamError> {
        for last in [false, true] {
            let headers = self.credentials.headers().await?;
            let sent = build(&self.client).headers(headers).send().await;
            let answer = sent.map_err(|error| broken(&error))?;
            let status = answer.status();
            if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                return Ok(answer);
            }
            let challenge = answer.headers().get(WWW_AUTHENTICATE);
            let challenge = challenge
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned);
            let again = self
                .credentials
                .challenged(status, challenge.as_deref())
                .await;
            if last || !again {
                return Err(UpstreamError::Refused(format!(
                    "the server answered {status}"
                )));
            }
        }
        Err(UpstreamError::Refused(
            "the server wants another credential".into(),
        ))
    }
}

/// A body, as long as it is not too long.
pub(super) async fn body(mut answer: Response) -> Result<Vec<u8>, UpstreamError> {
    read(&mut answer, MAX_BODY).await
}

async fn read(answer: &mut Response, most: usize) -> Result<Vec<u8>, UpstreamError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| lost(&error))? {
        if body.len() + chunk.len() > most {
            return Err(UpstreamError::BadAnswer("the answer is too large".into()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The error behind a status that is no success, with the start of the body.
pub(super) async fn refusal(mut answer: Response) -> (UpstreamError, Vec<u8>) {
    let status = answer.status();
    let wait = answer.headers().get(RETRY_AFTER);
    let wait = wait.and_then(|value| value.to_str().ok()?.parse().ok());
    let text = read(&mut answer, MAX_REFUSAL).await.unwrap_or_default();
    let said = format!("the server answered {status}");
    let error = match status {
        StatusCode::TOO_MANY_REQUESTS => UpstreamError::Overloaded {
            retry_after: Duration::from_secs(wait.unwrap_or(1)),
        },
        StatusCode::SERVICE_UNAVAILABLE => UpstreamError::Unreachable(said),
        status if status.is_client_error() => UpstreamError::BadAnswer(said),
        _ => UpstreamError::Lost(said),
    };
    (error, text)
}

/// A request that could not be sent, or whose answer did not begin.
fn broken(error: &reqwest::Error) -> UpstreamError {
    if error.is_connect() || error.is_builder() {
        UpstreamError::Unreachable(causes(error))
    } else if error.is_timeout() {
        UpstreamError::Timeout
    } else {
        UpstreamError::Lost(causes(error))
    }
}

/// An answer that broke off.
pub(super) fn lost(error: &reqwest::Error) -> UpstreamError {
    UpstreamError::Lost(causes(error))
}

/// The causes without the URL, which may hold a credential.
fn causes(error: &reqwest::Error) -> String {
    let mut cause = std::error::Error::source(error);
    let mut text = String::new();
    while let Some(inner) = cause {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    if text.is_empty() {
        "the request failed".clone_into(&mut text);
    }
    text
}

/// A text as the value of a header: as it is where that is unambiguous, else in Base64.
pub(super) fn header_value(text: &str) -> Option<HeaderValue> {
    let plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        && text.trim() == text
        && !text.is_empty()
        && !(text.starts_with("=?base64?") && text.ends_with("?="));
    let encoded = || format!("=?base64?{}?=", BASE64_STANDARD.encode(text));
    let value = if plain { text.to_owned() } else { encoded() };
    HeaderValue::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_encoded_where_they_have_to_be() {
        let value = |text| header_value(text).unwrap().to_str().unwrap().to_owned();
        assert_eq!(value("echo"), "echo");
        assert_eq!(value(" a"), "=?base64?IGE=?=");
        assert_eq!(value("ä"), "=?base64?w6Q=?=");
        assert_eq!(value("=?base64?eA==?="), "=?base64?PT9iYXNlNjQ/ZUE9PT89?=");
    }
}
