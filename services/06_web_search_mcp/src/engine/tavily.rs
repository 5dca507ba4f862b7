//! Tavily: one request, no pages. Its region and its filter are left alone: they take other words.

use super::{Engine, Page, Parameters, Wanted, hits};
use async_trait::async_trait;
use serde_json::{Value, json};
use shared::remote::Remote;
use shared::secret::Secret;
use shared::tool::ToolError;
use url::Url;

/// Most results it gives.
const MOST: usize = 20;

/// The engine.
pub(crate) struct Tavily {
    pub(crate) remote: Remote,
    pub(crate) url: Url,
    pub(crate) key: Secret,
}

#[async_trait]
impl Engine for Tavily {
    async fn page(&self, wanted: &Wanted, _: Option<&Parameters>) -> Result<Page, ToolError> {
        let body = json!({
            "query": wanted.query,
            "max_results": wanted.results.min(MOST),
            "search_depth": "basic",
        });
        let request = self
            .remote
            .post(self.url.clone())
            .bearer_auth(self.key.expose())
            .json(&body);
        let answer: Value = self.remote.json(request).await?;
        Ok(Page {
            hits: hits(&answer, "/results", ["title", "url", "content"]),
            next: None,
        })
    }

    fn remote(&self) -> &Remote {
        &self.remote
    }
}
