//! `docs.create` and `docs.update`, and the rules for what people write.

use crate::document::{Category, Front};
use crate::library::{Doc, Library};
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Largest metadata, as JSON, in bytes.
const MAX_METADATA: usize = 16_384;
/// Most tags of a document.
pub(crate) const MAX_TAGS: usize = 50;
/// What an approver sees of a text, in characters.
const SHOWN: usize = 1000;

/// `docs.create`.
pub(crate) struct Create(pub(crate) Arc<Library>, pub(crate) Effect);
/// `docs.update`.
pub(crate) struct Update(pub(crate) Arc<Library>, pub(crate) Effect);

/// Arguments of `docs.create`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateArguments {
    /// Title; the id is made of it.
    #[schemars(length(min = 1, max = 200))]
    title: String,
    /// The text, in Markdown, without front matter.
    #[schemars(length(max = 900_000))]
    content: String,
    /// Where it belongs.
    category: Category,
    /// Tags to find it by.
    #[serde(default)]
    #[schemars(length(max = 50))]
    tags: Vec<String>,
    /// Further facts, kept in its front matter.
    #[serde(default)]
    metadata: Map<String, Value>,
    /// Taken for old callers and not looked at: an approval goes beside the arguments.
    #[serde(default, rename = "approval_token")]
    #[schemars(length(max = 4096))]
    _approval_token: Option<String>,
}

/// Arguments of `docs.update`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateArguments {
    /// Id of the document.
    #[schemars(length(min = 1, max = 80))]
    doc_id: String,
    /// The whole new text, in Markdown, without front matter.
    #[schemars(length(max = 900_000))]
    content: String,
    /// Why it is changed.
    #[schemars(length(max = 500))]
    version_note: String,
    /// The version that was read; the change is refused when there is a newer one.
    #[serde(default)]
    #[schemars(range(min = 1))]
    expected_version: Option<u64>,
    /// Taken for old callers and not looked at: an approval goes beside the arguments.
    #[serde(default, rename = "approval_token")]
    #[schemars(length(max = 4096))]
    _approval_token: Option<String>,
}

/// Result of `docs.update`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Updated {
    /// Id of the document.
    id: String,
    /// Its version now; the one before when nothing was different.
    version: u64,
    /// When this version was made.
    #[schemars(with = "String")]
    modified: Timestamp,
    /// Why.
    version_note: String,
}

#[async_trait]
impl TypedTool for Create {
    type Arguments = CreateArguments;
    type Output = Doc;

    fn spec(&self) -> Spec {
        Spec::new(
            "docs.create",
            self.1,
            "Add a Markdown document to a category. Search first: there may be one to update.",
        )
    }

    async fn assess(&self, arguments: &CreateArguments, _: &Call) -> Result<Assessment, ToolError> {
        arguments.check()?;
        let summary = format!(
            "Add the document {:?} to {}\ntags: {}\n{}",
            arguments.title,
            arguments.category.name(),
            arguments.tags.join(", "),
            shown(&arguments.content)
        );
        Ok(Assessment::of(self.1, summary))
    }

    async fn run(&self, arguments: CreateArguments, call: &Call) -> Result<Doc, ToolError> {
        arguments.check()?;
        let front = Front {
            title: arguments.title.trim().to_owned(),
            tags: arguments.tags,
            metadata: arguments.metadata,
            author: call.principal.clone(),
            ..Front::default()
        };
        let (category, content) = (arguments.category, arguments.content);
        let create = move |library: &Library| library.create(category, front, content);
        Ok(self.0.with(create).await?.doc)
    }
}

impl CreateArguments {
    fn check(&self) -> Result<(), ToolError> {
        line("title", &self.title)?;
        if self.title.trim().is_empty() {
            return Err(ToolError::invalid("title", "is empty"));
        }
        text(&self.content)?;
        tags("tags", &self.tags)?;
        metadata("metadata", &self.metadata)
    }
}

#[async_trait]
impl TypedTool for Update {
    type Arguments = UpdateArguments;
    type Output = Updated;

    fn spec(&self) -> Spec {
        Spec::new(
            "docs.update",
            self.1,
            "Replace the text of a document; the versions before are kept. Give expected_version \
             so that nobody's change is lost.",
        )
    }

    async fn assess(&self, arguments: &UpdateArguments, _: &Call) -> Result<Assessment, ToolError> {
        arguments.check()?;
        let id = arguments.doc_id.clone();
        let known = self.0.with(move |library| library.entry(&id)).await;
        let called = known.map_or_else(
            |_unknown| "which there is not now".to_owned(),
            |entry| format!("{:?}, version {}", entry.doc.title, entry.doc.version),
        );
        let summary = format!(
            "Replace the text of {:?} ({called})\nnote: {}\n{}",
            arguments.doc_id,
            arguments.version_note,
            shown(&arguments.content)
        );
        Ok(Assessment::of(self.1, summary))
    }

    async fn run(&self, arguments: UpdateArguments, call: &Call) -> Result<Updated, ToolError> {
        arguments.check()?;
        let author = call.principal.clone();
        let note = arguments.version_note.clone();
        let change = move |library: &Library| {
            let UpdateArguments {
                doc_id,
                content,
                version_note,
                expected_version,
                ..
            } = arguments;
            library.change(&doc_id, expected_version, |document, _| {
                document.content = content;
                document.front.author = author;
                document.front.version_note = version_note;
            })
        };
        let doc = self.0.with(change).await?.doc;
        Ok(Updated {
            id: doc.id,
            version: doc.version,
            modified: doc.modified,
            version_note: note,
        })
    }
}

impl UpdateArguments {
    fn check(&self) -> Result<(), ToolError> {
        line("version_note", &self.version_note)?;
        text(&self.content)
    }
}

/// One line without control characters.
pub(crate) fn line(field: &str, text: &str) -> Result<(), ToolError> {
    match text.chars().any(char::is_control) {
        true => Err(ToolError::invalid(field, "holds control characters")),
        false => Ok(()),
    }
}

/// Tags: few, short, one line each.
pub(crate) fn tags(field: &str, tags: &[String]) -> Result<(), ToolError> {
    let fits = |tag: &String| {
        let length = tag.chars().count();
        (1..=64).contains(&length) && tag.trim() == tag
    };
    for tag in tags {
        line(field, tag)?;
    }
    match tags.len() <= MAX_TAGS && tags.iter().all(fits) {
        true => Ok(()),
        false => Err(ToolError::invalid(
            field,
            "takes at most 50 tags of 1 to 64 characters, without spaces around them",
        )),
    }
}

/// Metadata: not too much.
pub(crate) fn metadata(field: &str, metadata: &Map<String, Value>) -> Result<(), ToolError> {
    let size = serde_json::to_string(metadata).map_or(usize::MAX, |text| text.len());
    match size <= MAX_METADATA {
        true => Ok(()),
        false => Err(ToolError::invalid(field, "is larger than 16 KiB")),
    }
}

fn text(content: &str) -> Result<(), ToolError> {
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    match content.chars().any(odd) {
        true => Err(ToolError::invalid("content", "holds control characters")),
        false => Ok(()),
    }
}

fn shown(content: &str) -> String {
    let length = content.chars().count();
    let shown: String = content.chars().take(SHOWN).collect();
    match length > SHOWN {
        true => format!("{shown}\n… {length} characters in all"),
        false => shown,
    }
}
