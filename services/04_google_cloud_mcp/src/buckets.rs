//! Buckets of Cloud Storage: list.

use crate::google::Google;
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `cloud.gcloud.storage.listBuckets`.
pub(crate) struct ListBuckets(pub(crate) Arc<Google>);

/// Arguments of `listBuckets`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Most buckets to give, 1 to 1000.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// `next_cursor` of the page before.
    #[serde(default)]
    #[schemars(length(min = 1, max = 4096))]
    cursor: Option<String>,
}

const fn hundred() -> usize {
    100
}

/// Result of `listBuckets`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Buckets {
    /// The buckets of this page, by name.
    buckets: Vec<Bucket>,
    /// How many these are.
    count: usize,
    /// Give it as `cursor` for the next page; null on the last one.
    next_cursor: Option<String>,
}

/// One bucket.
#[derive(Debug, Serialize, JsonSchema)]
struct Bucket {
    /// Its name.
    name: String,
    /// Region or multi-region.
    location: String,
    /// STANDARD, NEARLINE, …
    storage_class: String,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// Whether it keeps old versions of its objects.
    versioning: bool,
}

/// Source: discovery document of storage v1, `Bucket`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    name: String,
    #[serde(default)]
    location: String,
    #[serde(default)]
    storage_class: String,
    time_created: Timestamp,
    #[serde(default)]
    versioning: Versioning,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Versioning {
    enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    items: Vec<Stored>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[async_trait]
impl TypedTool for ListBuckets {
    type Arguments = Arguments;
    type Output = Buckets;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.gcloud.storage.listBuckets",
            Effect::Read,
            "List the Cloud Storage buckets of the Google Cloud project, page by page.",
        )
        .open_world()
    }

    async fn run(&self, arguments: Arguments, _: &Call) -> Result<Buckets, ToolError> {
        let cloud = self.0.ready()?;
        let mut url = cloud.storage(false, &["b"]);
        url.query_pairs_mut()
            .append_pair("project", cloud.project())
            .append_pair("maxResults", &arguments.limit.to_string())
            .extend_pairs(arguments.cursor.iter().map(|it| ("pageToken", it)));
        let page: Page = cloud.get(url).await?;
        let shown = |it: Stored| Bucket {
            name: it.name,
            location: it.location,
            storage_class: it.storage_class,
            created_at: it.time_created,
            versioning: it.versioning.enabled,
        };
        Ok(Buckets {
            count: page.items.len(),
            buckets: page.items.into_iter().map(shown).collect(),
            next_cursor: page.next_page_token.filter(|it| !it.is_empty()),
        })
    }
}
