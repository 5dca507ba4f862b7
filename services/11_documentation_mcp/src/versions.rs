//! The versions of a document: their list, and what is different between two.

use crate::library::Library;
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use similar::{ChangeTag, TextDiff};
use std::sync::Arc;
use std::time::Duration;

/// Most versions that are listed, the newest.
const MAX_LISTED: usize = 1000;
/// How long the shortest difference is looked for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest difference, in bytes.
const MAX_DIFF: usize = 1_000_000;

/// `docs.versions.list`.
pub(crate) struct ListVersions(pub(crate) Arc<Library>);
/// `docs.versions.diff`.
pub(crate) struct Diff(pub(crate) Arc<Library>);

/// Arguments of `docs.versions.list`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListArguments {
    /// Id of the document; it may be a deleted one.
    #[schemars(length(min = 1, max = 80))]
    doc_id: String,
}

/// Result of `docs.versions.list`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Versions {
    /// Id of the document.
    id: String,
    /// Its versions, newest first, at most 1000.
    versions: Vec<Version>,
    /// How many these are.
    count: usize,
}

/// One version.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Version {
    /// Its number.
    version: u64,
    /// When it was made.
    #[schemars(with = "String")]
    modified: Timestamp,
    /// Who made it.
    author: String,
    /// Why.
    version_note: String,
    /// Size of its text.
    size_bytes: usize,
}

/// Arguments of `docs.versions.diff`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffArguments {
    /// Id of the document; it may be a deleted one.
    #[schemars(length(min = 1, max = 80))]
    doc_id: String,
    /// The version before.
    #[schemars(range(min = 1))]
    from_version: u64,
    /// The version after.
    #[schemars(range(min = 1))]
    to_version: u64,
}

/// Result of `docs.versions.diff`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Difference {
    /// Id of the document.
    id: String,
    /// Unified diff of the texts; empty when they are the same.
    diff: String,
    /// Lines that were added.
    added: usize,
    /// Lines that were removed.
    removed: usize,
    /// Whether the diff was cut at 1 MB.
    truncated: bool,
}

#[async_trait]
impl TypedTool for ListVersions {
    type Arguments = ListArguments;
    type Output = Versions;

    fn spec(&self) -> Spec {
        Spec::new(
            "docs.versions.list",
            Effect::Read,
            "List the versions of a document, newest first, with who made each and why.",
        )
        .live()
    }

    async fn run(&self, arguments: ListArguments, _: &Call) -> Result<Versions, ToolError> {
        let id = arguments.doc_id;
        self.0.with(move |library| versions(library, id)).await
    }
}

fn versions(library: &Library, id: String) -> Result<Versions, ToolError> {
    let mut versions = Vec::new();
    for version in library.versions(&id)?.into_iter().rev().take(MAX_LISTED) {
        let document = library.version(&id, version)?;
        let front = document.front;
        versions.push(Version {
            version,
            modified: front.modified.unwrap_or(Timestamp::UNIX_EPOCH),
            author: front.author,
            version_note: front.version_note,
            size_bytes: document.content.len(),
        });
    }
    Ok(Versions {
        id,
        count: versions.len(),
        versions,
    })
}

#[async_trait]
impl TypedTool for Diff {
    type Arguments = DiffArguments;
    type Output = Difference;

    fn spec(&self) -> Spec {
        Spec::new(
            "docs.versions.diff",
            Effect::Read,
            "Show what is different between two versions of a document, as a unified diff.",
        )
        .live()
    }

    async fn run(&self, arguments: DiffArguments, _: &Call) -> Result<Difference, ToolError> {
        let compare = move |library: &Library| {
            let from = library.version(&arguments.doc_id, arguments.from_version)?;
            let to = library.version(&arguments.doc_id, arguments.to_version)?;
            Ok(difference(arguments, &from.content, &to.content))
        };
        self.0.with(compare).await
    }
}

fn difference(arguments: DiffArguments, from: &str, to: &str) -> Difference {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(from, to);
    let lines = |tag| diff.iter_all_changes().filter(|it| it.tag() == tag).count();
    let (added, removed) = (lines(ChangeTag::Insert), lines(ChangeTag::Delete));
    let name = |version: u64| format!("{} version {version}", arguments.doc_id);
    let mut text = match from == to {
        true => String::new(),
        false => diff
            .unified_diff()
            .header(&name(arguments.from_version), &name(arguments.to_version))
            .to_string(),
    };
    let truncated = text.len() > MAX_DIFF;
    text.truncate(text.floor_char_boundary(MAX_DIFF));
    Difference {
        id: arguments.doc_id,
        diff: text,
        added,
        removed,
        truncated,
    }
}
