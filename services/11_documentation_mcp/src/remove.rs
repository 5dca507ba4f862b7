//! `docs.delete` and `docs.revert`.

use crate::edit::line;
use crate::library::Library;
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `docs.delete`.
pub(crate) struct Delete(pub(crate) Arc<Library>);
/// `docs.revert`.
pub(crate) struct Revert(pub(crate) Arc<Library>);

/// Arguments of `docs.delete`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteArguments {
    /// Id of the document.
    #[schemars(length(min = 1, max = 80))]
    doc_id: String,
}

/// Result of `docs.delete`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Gone {
    /// Id of the document.
    id: String,
    /// Whether it was there.
    deleted: bool,
    /// Until when docs.revert brings it back.
    #[schemars(with = "String")]
    restorable_until: Timestamp,
}

/// Arguments of `docs.revert`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevertArguments {
    /// Id of the document; it may be a deleted one.
    #[schemars(length(min = 1, max = 80))]
    doc_id: String,
    /// The version to go back to, from docs.versions.list.
    #[schemars(range(min = 1))]
    version: u64,
    /// Why.
    #[serde(default)]
    #[schemars(length(max = 500))]
    version_note: Option<String>,
}

/// Result of `docs.revert`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Reverted {
    /// Id of the document.
    id: String,
    /// Its version now.
    version: u64,
    /// The version it is like.
    reverted_to: u64,
}

#[async_trait]
impl TypedTool for Delete {
    type Arguments = DeleteArguments;
    type Output = Gone;

    fn spec(&self) -> Spec {
        Spec::new(
            "docs.delete",
            Effect::Mutate,
            "Delete a document. For 30 days docs.revert brings it back.",
        )
        .idempotent()
        .destructive()
    }

    async fn assess(&self, arguments: &DeleteArguments, _: &Call) -> Result<Assessment, ToolError> {
        let id = arguments.doc_id.clone();
        let known = self.0.with(move |library| library.entry(&id)).await;
        let summary = match known {
            Err(_unknown) => format!("Delete {:?}: there is no such document", arguments.doc_id),
            Ok(entry) => format!(
                "Delete the document {:?} ({}), version {}\nit can be brought back for 30 days",
                entry.doc.title, entry.doc.path, entry.doc.version
            ),
        };
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: DeleteArguments, _: &Call) -> Result<Gone, ToolError> {
        let id = arguments.doc_id.clone();
        let deleted = self.0.with(move |library| library.delete(&id)).await?;
        Ok(Gone {
            id: arguments.doc_id,
            deleted: deleted.deleted,
            restorable_until: deleted.until,
        })
    }
}

#[async_trait]
impl TypedTool for Revert {
    type Arguments = RevertArguments;
    type Output = Reverted;

    fn spec(&self) -> Spec {
        Spec::new(
            "docs.revert",
            Effect::Mutate,
            "Make an earlier version of a document its newest one; also brings back a deleted \
             document.",
        )
    }

    async fn assess(&self, arguments: &RevertArguments, _: &Call) -> Result<Assessment, ToolError> {
        let summary = format!(
            "Make version {} of the document {:?} its newest version\nnote: {}",
            arguments.version,
            arguments.doc_id,
            arguments.version_note.as_deref().unwrap_or_default()
        );
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: RevertArguments, call: &Call) -> Result<Reverted, ToolError> {
        let version = arguments.version;
        let note = arguments.version_note;
        let note = note.unwrap_or_else(|| format!("back to version {version}"));
        line("version_note", &note)?;
        let (id, author) = (arguments.doc_id, call.principal.clone());
        let revert = move |library: &Library| library.revert(&id, version, (&author, note));
        let doc = self.0.with(revert).await?.doc;
        Ok(Reverted {
            id: doc.id,
            version: doc.version,
            reverted_to: version,
        })
    }
}
