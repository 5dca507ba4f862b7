//! Collections: make, list, describe.

use crate::base::{Base, too_many};
use crate::check;
use crate::store::Collection;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::error::Code;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `vector.collection.create`.
pub(crate) struct Create(pub(crate) Arc<Base>);
/// `vector.collection.list`.
pub(crate) struct List(pub(crate) Arc<Base>);
/// `vector.collection.info`.
pub(crate) struct Info(pub(crate) Arc<Base>);

/// Arguments of `vector.collection.create`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateArguments {
    /// Name: letters, digits, `_`, `-` and `.`.
    #[schemars(length(min = 1, max = 128))]
    name: String,
    /// What it is for.
    #[serde(default)]
    #[schemars(length(max = 1000))]
    description: String,
    /// Facts to note of it.
    #[serde(default)]
    metadata: Map<String, Value>,
}

/// Result of `vector.collection.create`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Created {
    /// Always true; a failure is an error.
    success: bool,
    /// Name of the collection.
    collection: String,
    /// What was done.
    message: String,
}

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Result of `vector.collection.list`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Listed {
    /// The collections, by name.
    collections: Vec<Line>,
    /// How many these are.
    count: usize,
}

/// A collection in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Line {
    /// Its name.
    name: String,
    /// What it is for.
    description: String,
    /// What is noted of it.
    metadata: Map<String, Value>,
    /// Its documents.
    count: usize,
}

/// Arguments of `vector.collection.info`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InfoArguments {
    /// Name of the collection.
    #[serde(default = "mcp_knowledge")]
    #[schemars(length(min = 1, max = 128))]
    collection: String,
}

/// The usual collection; a setting may name another one.
pub(crate) fn mcp_knowledge() -> String {
    "mcp_knowledge".to_owned()
}

/// Result of `vector.collection.info`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Described {
    /// Name of the collection.
    collection: String,
    /// Its documents.
    count: usize,
    /// What it is for.
    description: String,
    /// What is noted of it.
    metadata: Map<String, Value>,
    /// Dimensions of its vectors; 0 before the first document when the model decides.
    embedding_dimension: usize,
    /// Model of its vectors.
    embedding_model: String,
}

#[async_trait]
impl TypedTool for Create {
    type Arguments = CreateArguments;
    type Output = Created;

    fn spec(&self) -> Spec {
        Spec::new(
            "vector.collection.create",
            Effect::MutateOwn,
            "Make a collection for documents that are searched by meaning. It keeps the embedding \
             model of its vectors.",
        )
        .idempotent()
    }

    async fn assess(&self, arguments: &CreateArguments, _: &Call) -> Result<Assessment, ToolError> {
        let summary = format!("Make the collection {:?}", arguments.name);
        Ok(Assessment::of(Effect::MutateOwn, summary))
    }

    async fn run(&self, arguments: CreateArguments, call: &Call) -> Result<Created, ToolError> {
        check::name("name", &arguments.name)?;
        check::metadata("metadata", &arguments.metadata)?;
        let new = Collection {
            description: arguments.description,
            metadata: arguments.metadata,
            ..self.0.blank(&arguments.name)
        };
        let owner = &call.organization;
        let made = self.0.store.create(owner, &new).await?;
        let message = match made {
            true => "made",
            false => {
                let known = self.0.store.collection(owner, &new.name).await?;
                let known = known.ok_or_else(too_many)?;
                if (&known.description, &known.metadata) != (&new.description, &new.metadata) {
                    let message = "a collection of this name with another description exists";
                    return Err(ToolError::refused(Code::AlreadyExists, message));
                }
                "it was there"
            }
        };
        Ok(Created {
            success: true,
            collection: new.name,
            message: message.to_owned(),
        })
    }
}

#[async_trait]
impl TypedTool for List {
    type Arguments = Nothing;
    type Output = Listed;

    fn spec(&self) -> Spec {
        Spec::new(
            "vector.collection.list",
            Effect::Read,
            "List the collections with the number of documents in each.",
        )
        .live()
    }

    async fn run(&self, _: Nothing, call: &Call) -> Result<Listed, ToolError> {
        let known = self.0.store.collections(&call.organization).await?;
        let line = |it: Collection| Line {
            name: it.name,
            description: it.description,
            metadata: it.metadata,
            count: it.count,
        };
        let collections: Vec<Line> = known.into_iter().map(line).collect();
        Ok(Listed {
            count: collections.len(),
            collections,
        })
    }
}

#[async_trait]
impl TypedTool for Info {
    type Arguments = InfoArguments;
    type Output = Described;

    fn spec(&self) -> Spec {
        Spec::new(
            "vector.collection.info",
            Effect::Read,
            "Describe a collection: documents, metadata, embedding model and dimension.",
        )
        .live()
    }

    async fn run(&self, arguments: InfoArguments, call: &Call) -> Result<Described, ToolError> {
        check::name("collection", &arguments.collection)?;
        let known = self.0.find(&call.organization, &arguments.collection).await;
        let known = match known {
            Err(error)
                if error.code == Code::NotFound && arguments.collection == self.0.default =>
            {
                self.0.blank(&self.0.default)
            }
            known => known?,
        };
        Ok(Described {
            collection: known.name,
            count: known.count,
            description: known.description,
            metadata: known.metadata,
            embedding_dimension: known.dimension,
            embedding_model: known.model,
        })
    }
}
