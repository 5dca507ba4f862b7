//! Somebody who is asked for JSON over HTTP, with answers that are used again for a while.
//!
//! Equal requests at one time are one request. What an answer means is not known here.

use bytes::Bytes;
use moka::future::Cache;
use reqwest::RequestBuilder;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::outbound::Outbound;
use shared::remote::{Remote, Reply, join};
use shared::tool::ToolError;
use std::time::Duration;
use url::Url;

/// Bytes of answers that are kept, of one source.
const KEPT: u64 = 16 * 1024 * 1024;
/// Longest answer, in bytes; the list of all pools has more than ten megabytes.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// How sources are made.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// Which addresses may be asked.
    pub(crate) guard: Outbound,
    /// Longest wait for one answer.
    pub(crate) timeout: Duration,
    /// How long answers are used again; zero: never.
    pub(crate) kept: Duration,
}

/// One address that is asked.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) remote: Remote,
    base: Url,
    cache: Option<Cache<String, Bytes>>,
}

impl Source {
    /// Prepares; asks nobody yet. `setting` is the variable to look at when it refuses us.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(
        system: &'static str,
        setting: &'static str,
        base: Url,
        terms: &Terms,
    ) -> reqwest::Result<Self> {
        let remote = Remote::new(system, setting, terms.guard.clone(), terms.timeout)?;
        let weight =
            |key: &String, body: &Bytes| u32::try_from(key.len() + body.len()).unwrap_or(u32::MAX);
        let cache = (!terms.kept.is_zero()).then(|| {
            Cache::builder()
                .max_capacity(KEPT)
                .weigher(weight)
                .time_to_live(terms.kept)
                .build()
        });
        Ok(Self {
            remote: remote.max_bytes(MAX_BYTES),
            base,
            cache,
        })
    }

    /// The address of a path with a query.
    pub(crate) fn url(&self, path: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = join(&self.base, path.iter().copied());
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Where it is.
    pub(crate) fn base(&self) -> Url {
        self.base.clone()
    }

    /// Reads JSON of this shape; a recent answer is used again.
    ///
    /// # Errors
    /// Those of the remote, with its message.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&str, String)],
    ) -> Result<T, ToolError> {
        self.send(self.remote.get(self.url(path, query))).await
    }

    /// Sends a request without a body and reads JSON of this shape.
    ///
    /// # Errors
    /// Those of the remote, with its message.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, ToolError> {
        let key = request.try_clone().and_then(|it| it.build().ok());
        // A source gets one kind of POST only, so the address tells requests apart.
        let body = match (&self.cache, key) {
            (Some(cache), Some(key)) => {
                let key = key.url().to_string();
                let asked = cache.try_get_with(key, self.body(request)).await;
                asked.map_err(|error| error.as_ref().clone())?
            }
            _ => self.body(request).await?,
        };
        serde_json::from_slice(&body).map_err(|error| {
            // The error itself may hold a piece of the answer.
            let (line, column) = (error.line(), error.column());
            tracing::warn!(event = "crypto.answer", line, column, "an odd answer");
            self.remote.nonsense()
        })
    }

    async fn body(&self, request: RequestBuilder) -> Result<Bytes, ToolError> {
        let reply = self.remote.ask(request).await?;
        match reply.status.is_success() {
            true => Ok(reply.body),
            false => Err(self.refused(&reply)),
        }
    }

    /// Binance says `msg`, Coinbase `message`, `CoinGecko` `error`: sentences about the request.
    fn refused(&self, reply: &Reply) -> ToolError {
        let said: Option<Value> = serde_json::from_slice(&reply.body).ok();
        let said = said.as_ref().and_then(|it| {
            let mut names = ["msg", "message", "error"].into_iter();
            names.find_map(|name| it.get(name)?.as_str())
        });
        // Only what is the caller's own fault is worth the remote's words.
        let said = said.filter(|_| matches!(reply.status.as_u16(), 400 | 404 | 422));
        self.remote.refused(reply, said)
    }
}
