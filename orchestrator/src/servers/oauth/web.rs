//! Requests to addresses a server supplied: each is checked first, none is followed elsewhere.

use super::OAuthError;
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION};
use reqwest::{RequestBuilder, Response};
use serde::de::DeserializeOwned;
use shared::outbound::Outbound;
use url::Url;

/// Bytes of one document.
const MAX_BYTES: usize = 256 * 1024;

/// Asks what may be asked.
pub(super) struct Web {
    pub(super) client: reqwest::Client,
    pub(super) outbound: Outbound,
}

impl Web {
    /// The document at `url`; `None` when there is none.
    pub(super) async fn document<T: DeserializeOwned>(
        &self,
        url: &Url,
    ) -> Result<Option<T>, OAuthError> {
        let answer = self.send(url, self.client.get(url.clone())).await?;
        match answer.status() {
            status if status.is_success() => read(answer).await.map(Some),
            status if status.is_client_error() => Ok(None),
            status => Err(OAuthError::Status(status)),
        }
    }

    /// Sends a JSON document and reads the one that comes back.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        url: &Url,
        body: &serde_json::Value,
    ) -> Result<T, OAuthError> {
        let request = self.client.post(url.clone()).json(body);
        let answer = self.send(url, request).await?;
        match answer.status().is_success() {
            true => read(answer).await,
            false => Err(OAuthError::Status(answer.status())),
        }
    }

    /// Sends a form, with a header that proves who asks where there is one.
    pub(super) async fn form<T: DeserializeOwned>(
        &self,
        url: &Url,
        form: &[(&str, &str)],
        proof: Option<String>,
    ) -> Result<T, OAuthError> {
        let mut request = self.client.post(url.clone()).form(form);
        if let Some(proof) = proof {
            request = request.header(AUTHORIZATION, proof);
        }
        let answer = self.send(url, request).await?;
        let status = answer.status();
        if status.is_success() {
            return read(answer).await;
        }
        let said: Refusal = read(answer).await.unwrap_or_default();
        match (status, said.error) {
            (StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED, Some(error)) => {
                Err(OAuthError::Denied(word(&error)))
            }
            _ => Err(OAuthError::Status(status)),
        }
    }

    async fn send(&self, url: &Url, request: RequestBuilder) -> Result<Response, OAuthError> {
        self.outbound.check(url)?;
        let sent = request.header(ACCEPT, "application/json").send().await;
        sent.map_err(|error| OAuthError::Unreachable(error.without_url()))
    }
}

#[derive(Default, serde::Deserialize)]
struct Refusal {
    error: Option<String>,
}

/// A word of another system, as it may be shown.
pub(super) fn word(text: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.chars().filter(plain).take(64).collect()
}

async fn read<T: DeserializeOwned>(mut answer: Response) -> Result<T, OAuthError> {
    let mut body = Vec::new();
    loop {
        let chunk = answer.chunk().await;
        let chunk = chunk.map_err(|error| OAuthError::Unreachable(error.without_url()))?;
        let Some(chunk) = chunk else { break };
        if body.len() + chunk.len() > MAX_BYTES {
            return Err(OAuthError::Metadata("a document is too large"));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(OAuthError::Document)
}
