//! `docs.bulk_update`: category, tags and metadata of many documents.

use crate::document::{Category, Document};
use crate::edit::{MAX_TAGS, metadata, tags};
use crate::library::Library;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `docs.bulk_update`.
pub(crate) struct BulkUpdate(pub(crate) Arc<Library>);

/// Arguments of `docs.bulk_update`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkArguments {
    /// Ids of the documents, at most 100.
    #[schemars(length(min = 1, max = 100))]
    doc_ids: Vec<String>,
    /// What to set in each.
    set: Set,
}

/// What to set.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Set {
    /// Move to this category.
    #[serde(default)]
    category: Option<Category>,
    /// Tags to add.
    #[serde(default)]
    #[schemars(length(max = 50))]
    add_tags: Option<Vec<String>>,
    /// Tags to take away.
    #[serde(default)]
    #[schemars(length(max = 50))]
    remove_tags: Option<Vec<String>>,
    /// Metadata to set, key by key; null takes a key away.
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
}

/// Result of `docs.bulk_update`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Changed {
    /// Documents that are as wanted now.
    updated: Vec<AtVersion>,
    /// Documents that are not, and why.
    failed: Vec<Failed>,
    /// How many are as wanted.
    count: usize,
}

/// A document and its version now.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AtVersion {
    /// Id of the document.
    id: String,
    /// Its version now; the one before when nothing was different.
    version: u64,
}

/// A document that was not changed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Failed {
    /// The id that was given.
    id: String,
    /// Why.
    error: String,
}

#[async_trait]
impl TypedTool for BulkUpdate {
    type Arguments = BulkArguments;
    type Output = Changed;

    fn spec(&self) -> Spec {
        Spec::new(
            "docs.bulk_update",
            Effect::Mutate,
            "Change category, tags or metadata of up to 100 documents; their text stays. What \
             fails for one document does not stop the others.",
        )
        .idempotent()
    }

    async fn assess(&self, arguments: &BulkArguments, _: &Call) -> Result<Assessment, ToolError> {
        arguments.set.check()?;
        let set = &arguments.set;
        let list = |tags: &Option<Vec<String>>| tags.as_deref().unwrap_or_default().join(", ");
        let summary = format!(
            "Change {} documents: {}\ncategory: {}\ntags added: {}\ntags taken away: {}\nmetadata: {}",
            arguments.doc_ids.len(),
            arguments.doc_ids.join(", "),
            set.category.map_or("as it is", Category::name),
            list(&set.add_tags),
            list(&set.remove_tags),
            Value::Object(set.metadata.clone().unwrap_or_default()),
        );
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: BulkArguments, call: &Call) -> Result<Changed, ToolError> {
        arguments.set.check()?;
        let (author, cancelled) = (call.principal.clone(), call.cancelled.clone());
        let change = move |library: &Library| {
            let (mut updated, mut failed) = (Vec::new(), Vec::new());
            for id in arguments.doc_ids {
                if cancelled.is_cancelled() {
                    let error = "cancelled".to_owned();
                    failed.push(Failed { id, error });
                    continue;
                }
                match library.change(&id, None, |it, to| arguments.set.apply(it, to, &author)) {
                    Ok(entry) => updated.push(AtVersion {
                        id,
                        version: entry.doc.version,
                    }),
                    Err(error) => failed.push(Failed {
                        id,
                        error: error.to_string(),
                    }),
                }
            }
            Ok(Changed {
                count: updated.len(),
                updated,
                failed,
            })
        };
        self.0.with(change).await
    }
}

impl Set {
    fn check(&self) -> Result<(), ToolError> {
        tags("add_tags", self.add_tags.as_deref().unwrap_or_default())?;
        self.metadata
            .as_ref()
            .map_or(Ok(()), |it| metadata("metadata", it))
    }

    fn apply(&self, document: &mut Document, category: &mut Category, author: &str) {
        *category = self.category.unwrap_or(*category);
        let front = &mut document.front;
        let removed = self.remove_tags.as_deref().unwrap_or_default();
        front.tags.retain(|tag| !removed.contains(tag));
        for tag in self.add_tags.as_deref().unwrap_or_default() {
            if !front.tags.contains(tag) && front.tags.len() < MAX_TAGS {
                front.tags.push(tag.clone());
            }
        }
        for (key, value) in self.metadata.iter().flatten() {
            match value {
                Value::Null => front.metadata.shift_remove(key),
                value => front.metadata.insert(key.clone(), value.clone()),
            };
        }
        author.clone_into(&mut front.author);
        "changed with others".clone_into(&mut front.version_note);
    }
}
