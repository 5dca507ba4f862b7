//! Brave's web search API.

use super::{Engine, Page, Parameters, Wanted, hits, parameter};
use async_trait::async_trait;
use serde_json::Value;
use shared::remote::Remote;
use shared::secret::Secret;
use shared::tool::ToolError;
use url::Url;

/// Results of one page.
const PAGE: usize = 20;
/// Last page that may be asked for, from 0.
const LAST: usize = 9;

/// The engine.
pub(crate) struct Brave {
    pub(crate) remote: Remote,
    pub(crate) url: Url,
    pub(crate) key: Secret,
}

#[async_trait]
impl Engine for Brave {
    async fn page(&self, wanted: &Wanted, next: Option<&Parameters>) -> Result<Page, ToolError> {
        let mut parameters = vec![
            parameter("q", &wanted.query),
            parameter("count", wanted.results.min(PAGE)),
            parameter("safesearch", wanted.safe_search.as_str()),
            parameter("result_filter", "web"),
            parameter("text_decorations", false),
        ];
        if let Some(region) = &wanted.region {
            parameters.push(parameter("country", region.country.to_uppercase()));
            parameters.push(parameter("search_lang", &region.language));
        }
        parameters.extend(next.cloned().unwrap_or_default());
        let request = self
            .remote
            .get(self.url.clone())
            .header("X-Subscription-Token", self.key.expose())
            .query(&parameters);
        let answer: Value = self.remote.json(request).await?;
        let is_more = answer.pointer("/query/more_results_available") == Some(&Value::Bool(true));
        let this = next.and_then(|next| next.first()?.1.parse::<usize>().ok());
        let following = this.unwrap_or(0) + 1;
        Ok(Page {
            hits: hits(&answer, "/web/results", ["title", "url", "description"]),
            next: (is_more && following <= LAST).then(|| vec![parameter("offset", following)]),
        })
    }

    fn remote(&self) -> &Remote {
        &self.remote
    }
}
