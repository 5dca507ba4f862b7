//! Google's Custom Search JSON API.

use super::{Engine, Page, Parameters, SafeSearch, Wanted, hits, parameter};
use async_trait::async_trait;
use serde_json::Value;
use shared::remote::Remote;
use shared::secret::Secret;
use shared::tool::ToolError;
use url::Url;

/// Results of one page.
const PAGE: usize = 10;

/// The engine.
pub(crate) struct Google {
    pub(crate) remote: Remote,
    pub(crate) url: Url,
    pub(crate) key: Secret,
    /// The search engine made there.
    pub(crate) cx: String,
}

#[async_trait]
impl Engine for Google {
    async fn page(&self, wanted: &Wanted, next: Option<&Parameters>) -> Result<Page, ToolError> {
        let safe = match wanted.safe_search {
            SafeSearch::Off => "off",
            SafeSearch::Moderate | SafeSearch::Strict => "active",
        };
        let mut parameters = vec![
            parameter("cx", &self.cx),
            parameter("q", &wanted.query),
            parameter("num", wanted.results.min(PAGE)),
            parameter("safe", safe),
        ];
        if let Some(region) = &wanted.region {
            parameters.push(parameter("gl", &region.country));
            parameters.push(parameter("hl", &region.language));
        }
        parameters.extend(next.cloned().unwrap_or_default());
        let request = self
            .remote
            .get(self.url.clone())
            .query(&[("key", self.key.expose())])
            .query(&parameters);
        let answer: Value = self.remote.json(request).await?;
        let start = answer.pointer("/queries/nextPage/0/startIndex");
        let next = start.and_then(Value::as_u64).filter(|start| *start <= 91);
        Ok(Page {
            hits: hits(&answer, "/items", ["title", "link", "snippet"]),
            next: next.map(|start| vec![parameter("start", start)]),
        })
    }

    fn remote(&self) -> &Remote {
        &self.remote
    }
}
