//! The Web Search API version 7, as gateways still speak it.

use super::{Engine, Page, Parameters, SafeSearch, Wanted, hits, parameter};
use async_trait::async_trait;
use serde_json::Value;
use shared::remote::Remote;
use shared::secret::Secret;
use shared::tool::ToolError;
use url::Url;

/// The engine.
pub(crate) struct Bing {
    pub(crate) remote: Remote,
    pub(crate) url: Url,
    pub(crate) key: Secret,
}

#[async_trait]
impl Engine for Bing {
    async fn page(&self, wanted: &Wanted, next: Option<&Parameters>) -> Result<Page, ToolError> {
        let safe = match wanted.safe_search {
            SafeSearch::Off => "Off",
            SafeSearch::Moderate => "Moderate",
            SafeSearch::Strict => "Strict",
        };
        let mut parameters = vec![
            parameter("q", &wanted.query),
            parameter("count", wanted.results),
            parameter("safeSearch", safe),
            parameter("responseFilter", "Webpages"),
            parameter("textFormat", "Raw"),
        ];
        if let Some(region) = &wanted.region {
            let market = format!("{}-{}", region.language, region.country.to_uppercase());
            parameters.push(parameter("mkt", market));
        }
        parameters.extend(next.cloned().unwrap_or_default());
        let request = self
            .remote
            .get(self.url.clone())
            .header("Ocp-Apim-Subscription-Key", self.key.expose())
            .query(&parameters);
        let answer: Value = self.remote.json(request).await?;
        let offset = next.and_then(|next| next.first()?.1.parse::<usize>().ok());
        let found = hits(&answer, "/webPages/value", ["name", "url", "snippet"]);
        let offset = offset.unwrap_or(0) + found.len();
        let all = answer.pointer("/webPages/totalEstimatedMatches");
        let all = all
            .and_then(Value::as_u64)
            .and_then(|all| usize::try_from(all).ok());
        let is_more = all.is_some_and(|all| offset < all);
        Ok(Page {
            hits: found,
            next: is_more.then(|| vec![parameter("offset", offset)]),
        })
    }

    fn remote(&self) -> &Remote {
        &self.remote
    }
}
