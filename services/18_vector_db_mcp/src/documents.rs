//! Documents: add, change, remove; and those of a service.

use crate::base::{Base, Written};
use crate::check;
use crate::collections::mcp_knowledge;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::error::Code;
use shared::files::sha256;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::collections::HashSet;
use std::sync::Arc;

/// `vector.document.add`.
pub(crate) struct Add(pub(crate) Arc<Base>);
/// `vector.document.update`.
pub(crate) struct Update(pub(crate) Arc<Base>);
/// `vector.document.delete`.
pub(crate) struct Delete(pub(crate) Arc<Base>);

/// Arguments of `vector.document.add`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddArguments {
    /// The texts, at most 1000 of up to 100 kB each.
    #[schemars(length(min = 1, max = 1000))]
    documents: Vec<String>,
    /// Where they go; the default collection is made when it is missing.
    #[serde(default = "mcp_knowledge")]
    #[schemars(length(min = 1, max = 128))]
    collection: String,
    /// Facts of each text, an object or null, as many as texts.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    metadatas: Option<Vec<Option<Map<String, Value>>>>,
    /// Id of each text, as many as texts; one that is there is replaced. Left out: ids are made.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    ids: Option<Vec<String>>,
}

/// Result of `vector.document.add`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Added {
    /// Always true; a failure is an error, and then nothing was added.
    success: bool,
    /// Documents that were written.
    count: usize,
    /// Their ids, in the order of the texts.
    ids: Vec<String>,
    /// Where they are.
    collection: String,
    /// What was done.
    message: String,
}

/// Arguments of `vector.document.update`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateArguments {
    /// Id of the document.
    #[schemars(length(min = 1, max = 200))]
    document_id: String,
    /// Its new text, up to 100 kB.
    #[schemars(length(min = 1, max = 100_000))]
    document: String,
    /// Its new facts; left out: they stay.
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
    /// Where it is.
    #[serde(default = "mcp_knowledge")]
    #[schemars(length(min = 1, max = 128))]
    collection: String,
}

/// Result of `vector.document.update`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Updated {
    /// Always true; a failure is an error.
    success: bool,
    /// Id of the document.
    id: String,
    /// Where it is.
    collection: String,
}

/// Arguments of `vector.document.delete`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteArguments {
    /// Ids of the documents, at most 1000.
    #[schemars(length(min = 1, max = 1000))]
    ids: Vec<String>,
    /// Where they are.
    #[serde(default = "mcp_knowledge")]
    #[schemars(length(min = 1, max = 128))]
    collection: String,
}

/// Result of `vector.document.delete`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Deleted {
    /// Always true; a failure is an error.
    success: bool,
    /// Documents that were there and are gone.
    count: u64,
    /// Where they were.
    collection: String,
}

#[async_trait]
impl TypedTool for Add {
    type Arguments = AddArguments;
    type Output = Added;

    fn spec(&self) -> Spec {
        Spec::new(
            "vector.document.add",
            Effect::MutateOwn,
            "Add texts to a collection, to be found by vector.search.semantic. Give ids to be able \
             to send the call again.",
        )
    }

    async fn assess(&self, arguments: &AddArguments, _: &Call) -> Result<Assessment, ToolError> {
        let (count, name) = (arguments.documents.len(), &arguments.collection);
        let summary = format!("Add {count} documents to the collection {name:?}");
        Ok(Assessment::of(Effect::MutateOwn, summary))
    }

    async fn run(&self, arguments: AddArguments, call: &Call) -> Result<Added, ToolError> {
        check::name("collection", &arguments.collection)?;
        let AddArguments {
            documents,
            collection,
            metadatas,
            ids,
        } = arguments;
        let made = || uuid::Uuid::new_v4().to_string();
        let ids = ids.unwrap_or_else(|| documents.iter().map(|_| made()).collect());
        let metadatas = metadatas.unwrap_or_else(|| vec![None; documents.len()]);
        for (field, length) in [("ids", ids.len()), ("metadatas", metadatas.len())] {
            if length != documents.len() {
                return Err(ToolError::invalid(field, "are not as many as documents"));
            }
        }
        let rows = documents.into_iter().zip(metadatas).zip(&ids);
        let rows =
            rows.map(|((text, facts), id)| (id.clone(), text, Some(facts.unwrap_or_default())));
        let rows = checked(rows.collect())?;
        let owner = &call.organization;
        let into = match collection == self.0.default {
            true => self.0.ensure(owner, &collection).await?,
            false => self.0.find(owner, &collection).await?,
        };
        self.0.put(&into, rows).await?;
        Ok(Added {
            success: true,
            count: ids.len(),
            message: format!("{} documents are in {collection}", ids.len()),
            ids,
            collection,
        })
    }
}

/// Rules for documents: their texts, facts and ids.
pub(crate) fn checked(rows: Vec<Written>) -> Result<Vec<Written>, ToolError> {
    let mut seen = HashSet::new();
    for (id, text, facts) in &rows {
        check::id("ids", id)?;
        check::text("documents", text)?;
        facts
            .as_ref()
            .map_or(Ok(()), |it| check::metadata("metadatas", it))?;
        if !seen.insert(id) {
            return Err(ToolError::invalid("ids", "has an id twice"));
        }
    }
    Ok(rows)
}

/// An id that a text always gets.
pub(crate) fn id_of(text: &str) -> String {
    sha256(text.as_bytes()).chars().take(32).collect()
}

#[async_trait]
impl TypedTool for Update {
    type Arguments = UpdateArguments;
    type Output = Updated;

    fn spec(&self) -> Spec {
        Spec::new(
            "vector.document.update",
            Effect::MutateOwn,
            "Replace the text of a document of a collection, and its metadata when given.",
        )
        .idempotent()
    }

    async fn assess(&self, arguments: &UpdateArguments, _: &Call) -> Result<Assessment, ToolError> {
        let (id, name) = (&arguments.document_id, &arguments.collection);
        let summary = format!("Replace the document {id:?} of the collection {name:?}");
        Ok(Assessment::of(Effect::MutateOwn, summary))
    }

    async fn run(&self, arguments: UpdateArguments, call: &Call) -> Result<Updated, ToolError> {
        check::name("collection", &arguments.collection)?;
        let id = arguments.document_id;
        let rows = checked(vec![(id.clone(), arguments.document, arguments.metadata)])?;
        let known = self
            .0
            .find(&call.organization, &arguments.collection)
            .await?;
        if !self.0.store.has(&known, &id).await? {
            let message = format!("{} has no document {id:?}", known.name);
            return Err(ToolError::refused(Code::NotFound, message));
        }
        self.0.put(&known, rows).await?;
        Ok(Updated {
            success: true,
            id,
            collection: known.name,
        })
    }
}

#[async_trait]
impl TypedTool for Delete {
    type Arguments = DeleteArguments;
    type Output = Deleted;

    fn spec(&self) -> Spec {
        Spec::new(
            "vector.document.delete",
            Effect::Mutate,
            "Remove documents from a collection for good. Needs approval.",
        )
        .idempotent()
        .destructive()
    }

    async fn assess(&self, arguments: &DeleteArguments, _: &Call) -> Result<Assessment, ToolError> {
        let summary = format!(
            "Remove {} documents from the collection {:?} for good\n{}",
            arguments.ids.len(),
            arguments.collection,
            arguments.ids.join("\n")
        );
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: DeleteArguments, call: &Call) -> Result<Deleted, ToolError> {
        check::name("collection", &arguments.collection)?;
        for id in &arguments.ids {
            check::id("ids", id)?;
        }
        let known = self
            .0
            .find(&call.organization, &arguments.collection)
            .await?;
        let count = self.0.store.remove(&known, &arguments.ids).await?;
        Ok(Deleted {
            success: true,
            count,
            collection: known.name,
        })
    }
}
