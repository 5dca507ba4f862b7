//! The Blob service: requests as our identity, and the XML it answers.
//!
//! Source: Blob service REST API, version 2023-11-03.

mod xml;

pub(crate) use xml::{Blob, Listed};

use crate::config::BlobUrl;
use crate::credential::{Audience, Identity};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::{Method, StatusCode};
use shared::error::Code;
use shared::remote::{Remote, Reply, join};
use shared::tool::ToolError;
use std::sync::Arc;
use url::Url;

const VERSION: &str = "2023-11-03";

/// Asks the Blob service.
#[derive(Debug)]
pub(crate) struct BlobService {
    url: BlobUrl,
    remote: Remote,
    identity: Arc<Identity>,
}

/// One request.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: Vec<u8>,
}

impl BlobService {
    /// For all accounts; asks nobody yet.
    pub(crate) const fn new(url: BlobUrl, remote: Remote, identity: Arc<Identity>) -> Self {
        Self {
            url,
            remote,
            identity,
        }
    }

    /// Something of an account, by checked names.
    ///
    /// # Errors
    /// `NOT_CONFIGURED` when the setting gives no address.
    pub(crate) fn at(&self, account: &str, path: &[&str]) -> Result<Url, ToolError> {
        let base = self.url.of(account);
        let base = base.ok_or_else(|| ToolError::not_configured("AZURE_BLOB_URL"))?;
        Ok(join(&base, path.iter().copied()))
    }

    /// A blob, by checked names.
    ///
    /// # Errors
    /// Those of [`BlobService::at`].
    pub(crate) fn blob(&self, account: &str, place: (&str, &str)) -> Result<Url, ToolError> {
        let path: Vec<&str> = std::iter::once(place.0).chain(place.1.split('/')).collect();
        self.at(account, &path)
    }

    /// Sends a request and gives its reply if it is a success.
    ///
    /// # Errors
    /// What the service says is wrong.
    pub(crate) async fn ask(&self, ask: Ask<'_>) -> Result<Reply, ToolError> {
        let mut reply = self.once(&ask).await?;
        if reply.status == StatusCode::UNAUTHORIZED && self.identity.forget(Audience::Storage).await
        {
            reply = self.once(&ask).await?;
        }
        match reply.status.is_success() {
            true => Ok(reply),
            false => Err(self.refused(&reply)),
        }
    }

    /// A request without headers and body of its own.
    ///
    /// # Errors
    /// Those of [`BlobService::ask`].
    pub(crate) async fn plain(&self, method: Method, url: Url) -> Result<Reply, ToolError> {
        self.ask(Ask {
            method,
            url,
            headers: &[],
            body: Vec::new(),
        })
        .await
    }

    /// One page of blobs.
    ///
    /// # Errors
    /// Those of [`BlobService::ask`]; `BAD_GATEWAY` for an odd answer.
    pub(crate) async fn page(&self, url: Url) -> Result<Listed, ToolError> {
        let reply = self.plain(Method::GET, url).await?;
        Listed::read(&reply.body).ok_or_else(|| self.remote.nonsense())
    }

    /// How long deleted blobs of an account can be had back; `None` when we may not know.
    pub(crate) async fn soft_delete(&self, account: &str) -> Option<bool> {
        let mut url = self.at(account, &[]).ok()?;
        url.query_pairs_mut()
            .append_pair("restype", "service")
            .append_pair("comp", "properties");
        let reply = self.plain(Method::GET, url).await.ok()?;
        xml::keeps_deleted(&reply.body)
    }

    /// What was wrong with the last answer.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.remote.trouble()
    }

    async fn once(&self, ask: &Ask<'_>) -> Result<Reply, ToolError> {
        let token = self.identity.token(Audience::Storage).await?;
        let request = self.remote.request(ask.method.clone(), ask.url.clone());
        let request = request
            .bearer_auth(token.expose())
            .header("x-ms-version", VERSION);
        let headers = ask.headers.iter();
        let request = headers.fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        let request = match ask.method == Method::PUT {
            true => request
                .header("content-length", ask.body.len())
                .body(ask.body.clone()),
            false => request,
        };
        self.remote.ask(request).await
    }

    fn refused(&self, reply: &Reply) -> ToolError {
        let told = reply.header("x-ms-error-code");
        let mut error = self.remote.refused(reply, told);
        if told == Some("BlobAlreadyExists") {
            error.code = Code::AlreadyExists;
        }
        error
    }
}

/// Dates in headers and in lists.
pub(crate) fn date(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text).ok()
}
