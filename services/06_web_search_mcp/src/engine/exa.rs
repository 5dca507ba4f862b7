//! Exa: one request, no pages.

use super::{Engine, Page, Parameters, SafeSearch, Wanted, hits};
use async_trait::async_trait;
use serde_json::{Value, json};
use shared::remote::Remote;
use shared::secret::Secret;
use shared::tool::ToolError;
use url::Url;

/// Characters of a page that are asked for as its snippet.
const SNIPPET: usize = 500;

/// The engine.
pub(crate) struct Exa {
    pub(crate) remote: Remote,
    pub(crate) url: Url,
    pub(crate) key: Secret,
}

#[async_trait]
impl Engine for Exa {
    async fn page(&self, wanted: &Wanted, _: Option<&Parameters>) -> Result<Page, ToolError> {
        let mut body = json!({
            "query": wanted.query,
            "numResults": wanted.results,
            "type": "auto",
            "moderation": wanted.safe_search != SafeSearch::Off,
            "contents": {"text": {"maxCharacters": SNIPPET}},
        });
        if let (Some(region), Some(fields)) = (&wanted.region, body.as_object_mut()) {
            let country = json!(region.country.to_uppercase());
            fields.insert("userLocation".into(), country);
        }
        let request = self
            .remote
            .post(self.url.clone())
            .header("x-api-key", self.key.expose())
            .json(&body);
        let answer: Value = self.remote.json(request).await?;
        Ok(Page {
            hits: hits(&answer, "/results", ["title", "url", "text"]),
            next: None,
        })
    }

    fn remote(&self) -> &Remote {
        &self.remote
    }
}
