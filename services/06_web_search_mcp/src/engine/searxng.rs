//! A `SearXNG` that gives its results as JSON.

use super::{Engine, Page, Parameters, SafeSearch, Wanted, hits, parameter};
use async_trait::async_trait;
use serde_json::Value;
use shared::remote::{Remote, join};
use shared::tool::ToolError;
use url::Url;

/// The engine.
pub(crate) struct SearXng {
    pub(crate) remote: Remote,
    pub(crate) base: Url,
}

#[async_trait]
impl Engine for SearXng {
    async fn page(&self, wanted: &Wanted, next: Option<&Parameters>) -> Result<Page, ToolError> {
        let safe = match wanted.safe_search {
            SafeSearch::Off => 0,
            SafeSearch::Moderate => 1,
            SafeSearch::Strict => 2,
        };
        let mut parameters = vec![
            parameter("q", &wanted.query),
            parameter("format", "json"),
            parameter("safesearch", safe),
        ];
        if let Some(region) = &wanted.region {
            let language = format!("{}-{}", region.language, region.country.to_uppercase());
            parameters.push(parameter("language", language));
        }
        let this = next.and_then(|next| next.first()?.1.parse::<usize>().ok());
        let this = this.unwrap_or(1);
        parameters.push(parameter("pageno", this));
        let request = self
            .remote
            .get(join(&self.base, ["search"]))
            .query(&parameters);
        let answer: Value = self.remote.json(request).await?;
        let hits = hits(&answer, "/results", ["title", "url", "content"]);
        let next = (!hits.is_empty()).then(|| vec![parameter("pageno", this + 1)]);
        Ok(Page { hits, next })
    }

    fn remote(&self) -> &Remote {
        &self.remote
    }
}
