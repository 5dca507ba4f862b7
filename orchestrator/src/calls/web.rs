//! The seam to the web: one request, one answer.
//!
//! Retries, redirects and credentials are not handled here.

use async_trait::async_trait;
use shared::outbound::Outbound;
use std::error::Error;
use std::time::Duration;
use url::Url;

/// Longest answer in bytes.
const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// Time limit of a request whose caller sets none that is shorter.
const LONGEST: Duration = Duration::from_mins(30);

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebRequest {
    /// In upper case.
    pub method: String,
    /// Where to.
    pub url: Url,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// `None` is empty.
    pub body: Option<Vec<u8>>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebResponse {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Whole body.
    pub body: Vec<u8>,
}

impl WebResponse {
    /// The first value of a header, named in lower case; `None` when it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(it, _)| it == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Nothing was sent.
    #[error("{detail}")]
    Unsent {
        /// For a person.
        detail: String,
        /// Whether trying again may help.
        transient: bool,
    },
    /// It was sent, or may have been.
    #[error("{0}")]
    Unanswered(String),
}

/// Sends requests.
#[async_trait]
pub trait Web: Send + Sync {
    /// Sends one request and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// [`Lost`] tells whether it may have been sent.
    async fn send(&self, request: WebRequest) -> Result<WebResponse, Lost>;
}

/// Sends requests to where the guard allows.
pub struct Guarded {
    outbound: Outbound,
    client: reqwest::Client,
}

impl Guarded {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(outbound: Outbound) -> reqwest::Result<Self> {
        let client = outbound.client(LONGEST)?;
        Ok(Self { outbound, client })
    }
}

#[async_trait]
impl Web for Guarded {
    async fn send(&self, request: WebRequest) -> Result<WebResponse, Lost> {
        let unsent = |detail: String| Lost::Unsent {
            detail,
            transient: false,
        };
        let checked = self.outbound.check(&request.url);
        checked.map_err(|refused| unsent(refused.to_string()))?;
        let method = reqwest::Method::from_bytes(request.method.as_bytes());
        let method = method.map_err(|error| unsent(error.to_string()))?;
        let mut builder = self.client.request(method, request.url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let response = builder.send().await.map_err(|error| lost(&error))?;
        read(response).await
    }
}

async fn read(mut response: reqwest::Response) -> Result<WebResponse, Lost> {
    let status = response.status().as_u16();
    let header = |(name, value): (&::http::HeaderName, &::http::HeaderValue)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    };
    let headers = response.headers().iter().map(header).collect();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| lost(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            let message = format!("the answer is longer than {MAX_ANSWER} bytes");
            return Err(Lost::Unanswered(message));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(WebResponse {
        status,
        headers,
        body,
    })
}

/// What an error of the client means. The address is left out: it may hold credentials.
fn lost(error: &reqwest::Error) -> Lost {
    let cause = std::iter::successors(error.source(), |it| (*it).source()).last();
    let cause = cause.map_or_else(|| "no cause given".to_owned(), ToString::to_string);
    if error.is_builder() || error.is_connect() {
        return Lost::Unsent {
            detail: cause,
            transient: error.is_connect(),
        };
    }
    Lost::Unanswered(cause)
}
