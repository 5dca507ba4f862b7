//! Azure Resource Manager: requests as our identity, lists to their end, long operations until they
//! are over.
//!
//! A link in an answer is followed only where it leads to Resource Manager itself, so that no token
//! goes elsewhere.

mod operation;

pub(crate) use operation::Work;

use crate::credential::{Audience, Identity};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::clock::SharedClock;
use shared::error::Code;
use shared::remote::{Remote, Reply, join};
use shared::tool::ToolError;
use std::sync::Arc;
use url::Url;

/// Pages of one list at most.
const MAX_PAGES: usize = 100;

/// Versions of the providers' APIs.
pub(crate) mod version {
    /// Microsoft.Compute.
    pub(crate) const COMPUTE: &str = "2024-07-01";
    /// Microsoft.Network.
    pub(crate) const NETWORK: &str = "2024-05-01";
    /// Microsoft.Storage.
    pub(crate) const STORAGE: &str = "2023-05-01";
    /// Microsoft.Sql.
    pub(crate) const SQL: &str = "2021-11-01";
    /// Microsoft.DBforPostgreSQL.
    pub(crate) const POSTGRES: &str = "2022-12-01";
    /// Microsoft.DBforMySQL.
    pub(crate) const MYSQL: &str = "2021-05-01";
    /// Microsoft.Authorization, locks.
    pub(crate) const LOCKS: &str = "2016-09-01";
    /// Microsoft.Insights, activity log.
    pub(crate) const EVENTS: &str = "2015-04-01";
}

/// Asks Resource Manager.
#[derive(Debug)]
pub(crate) struct Arm {
    base: Url,
    subscription: String,
    remote: Remote,
    identity: Arc<Identity>,
    /// For the dates of operations.
    pub(crate) clock: SharedClock,
}

/// One page of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    value: Vec<T>,
    #[serde(default)]
    next_link: Option<String>,
}

impl Arm {
    /// For one subscription; asks nobody yet.
    pub(crate) const fn new(
        base: Url,
        subscription: String,
        remote: Remote,
        identity: Arc<Identity>,
        clock: SharedClock,
    ) -> Self {
        Self {
            base,
            subscription,
            remote,
            identity,
            clock,
        }
    }

    /// Something of a provider, in the group or in the whole subscription.
    pub(crate) fn url(&self, group: Option<&str>, parts: &[&str], version: &str) -> Url {
        let mut path = vec!["subscriptions", self.subscription.as_str()];
        if let Some(group) = group {
            path.extend(["resourceGroups", group]);
        }
        path.push("providers");
        path.extend(parts);
        let mut url = join(&self.base, path);
        url.query_pairs_mut().append_pair("api-version", version);
        url
    }

    /// A resource by its id.
    ///
    /// # Errors
    /// `BAD_GATEWAY` when it is no id of a resource: they come from answers and from callers.
    pub(crate) fn by_id(&self, id: &str, version: &str) -> Result<Url, ToolError> {
        if !is_id(id) {
            return Err(self.remote.nonsense());
        }
        let mut url = join(&self.base, id.split('/').skip(1));
        url.query_pairs_mut().append_pair("api-version", version);
        Ok(url)
    }

    /// Reads one resource.
    pub(crate) async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, ToolError> {
        let reply = self.send(Method::GET, url, None).await?;
        self.remote.read(&self.success(reply)?)
    }

    /// Reads a list to its end.
    pub(crate) async fn list<T: DeserializeOwned>(&self, url: Url) -> Result<Vec<T>, ToolError> {
        let mut all = Vec::new();
        let mut next = Some(url);
        for _ in 0..MAX_PAGES {
            let Some(url) = next.take() else {
                return Ok(all);
            };
            let page: Page<T> = self.get(url).await?;
            all.extend(page.value);
            let link = page.next_link.filter(|link| !link.is_empty());
            next = link.map(|link| self.own(&link)).transpose()?;
        }
        match next {
            None => Ok(all),
            Some(_) => Err(ToolError::refused(
                Code::PayloadTooLarge,
                "the list of Azure is too long; name a resource group",
            )),
        }
    }

    /// A list that is read if we may: without the right to it, or where it does not exist, it is empty.
    pub(crate) async fn list_if_allowed<T: DeserializeOwned>(
        &self,
        url: Url,
    ) -> Result<Vec<T>, ToolError> {
        let path = url.path().to_owned();
        match self.list(url).await {
            Err(error) if matches!(error.code, Code::BadGateway | Code::NotFound) => {
                tracing::warn!(event = "azure.list", path, %error, "left out of an answer");
                Ok(Vec::new())
            }
            other => other,
        }
    }

    /// Sends a request; a token that is not taken any more is replaced once.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<Reply, ToolError> {
        let reply = self.send_once(method.clone(), url.clone(), body).await?;
        if reply.status == StatusCode::UNAUTHORIZED
            && self.identity.forget(Audience::Management).await
        {
            return self.send_once(method, url, body).await;
        }
        Ok(reply)
    }

    /// The reply, if it is a success.
    ///
    /// # Errors
    /// What Azure says is wrong.
    pub(crate) fn success(&self, reply: Reply) -> Result<Reply, ToolError> {
        match reply.status.is_success() {
            true => Ok(reply),
            false => Err(self.remote.refused(&reply, message(&reply).as_deref())),
        }
    }

    /// What was wrong with the last answer.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.remote.trouble()
    }

    async fn send_once(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> Result<Reply, ToolError> {
        let token = self.identity.token(Audience::Management).await?;
        let changes = method == Method::POST || method == Method::PUT;
        let request = self.remote.request(method.clone(), url);
        let request = request.bearer_auth(token.expose());
        let request = match body {
            Some(body) => request.json(body),
            // Azure wants a length.
            None if changes => request.header("content-length", "0"),
            None => request,
        };
        let request = match method == Method::PUT {
            // What is there already is not written over.
            true => request.header("if-none-match", "*"),
            false => request,
        };
        self.remote.ask(request).await
    }

    /// A link of an answer.
    fn own(&self, link: &str) -> Result<Url, ToolError> {
        let url = Url::parse(link).ok();
        url.filter(|url| url.origin() == self.base.origin())
            .ok_or_else(|| self.remote.nonsense())
    }
}

/// Whether a text is the id of a resource.
pub(crate) fn is_id(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.()".contains(c);
    let part = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(plain);
    id.len() <= 2048
        && id
            .strip_prefix("/subscriptions/")
            .is_some_and(|rest| rest.split('/').all(part))
}

/// What Azure says of a refusal that concerns the request.
fn message(reply: &Reply) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        error: Failure,
    }
    if !matches!(reply.status.as_u16(), 400 | 404 | 409 | 412 | 422) {
        return None;
    }
    let refusal: Refusal = serde_json::from_slice(&reply.body).ok()?;
    Some(refusal.error.text())
}

/// An error as Resource Manager writes it.
#[derive(Debug, Deserialize)]
struct Failure {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Failure {
    fn text(&self) -> String {
        let text = format!("{}: {}", self.code, self.message);
        text.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(500)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_resources_lead_nowhere_else() {
        let good = "/subscriptions/s/resourceGroups/r-1_(x)/providers/Microsoft.X/y/z";
        assert!(is_id(good), "{good}");
        for bad in [
            "",
            "/subscriptions",
            "/subscriptions/",
            "/other/x",
            "/subscriptions/s/../t",
            "/subscriptions/s//t",
            "/subscriptions/s?x=y",
            "https://evil.example/subscriptions/s",
        ] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
