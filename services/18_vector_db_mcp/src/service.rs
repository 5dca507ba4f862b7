//! `vector.index.service`: what a service knows, in a collection of its own.

use crate::base::{Base, Written};
use crate::check;
use crate::documents::{checked, id_of};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `vector.index.service`.
pub(crate) struct IndexService(pub(crate) Arc<Base>);

/// Arguments of `vector.index.service`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IndexArguments {
    /// The service, such as `cmdb`: letters, digits, `_`, `-` and `.`.
    #[schemars(length(min = 1, max = 60))]
    service: String,
    /// What the texts are, such as `servers`: letters, digits, `_`, `-` and `.`.
    #[schemars(length(min = 1, max = 60))]
    data_type: String,
    /// The texts, at most 1000.
    #[schemars(length(min = 1, max = 1000))]
    documents: Vec<Piece>,
}

/// One text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Piece {
    /// Id; left out: made of the text, so that the same text is there once.
    #[serde(default)]
    #[schemars(length(min = 1, max = 200))]
    id: Option<String>,
    /// The text, up to 100 kB.
    #[schemars(length(min = 1, max = 100_000))]
    text: String,
    /// Facts of it.
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
}

/// Result of `vector.index.service`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Indexed {
    /// Always true; a failure is an error.
    success: bool,
    /// The service.
    service: String,
    /// What the texts are.
    data_type: String,
    /// Documents that were written.
    count: usize,
    /// Where they are: `<service>_<data_type>`.
    collection: String,
}

#[async_trait]
impl TypedTool for IndexService {
    type Arguments = IndexArguments;
    type Output = Indexed;

    fn spec(&self) -> Spec {
        Spec::new(
            "vector.index.service",
            Effect::MutateOwn,
            "Put what a service knows into its collection <service>_<data_type>, which is made when \
             it is missing. vector.search.cross_service searches these.",
        )
        .idempotent()
    }

    async fn assess(&self, arguments: &IndexArguments, _: &Call) -> Result<Assessment, ToolError> {
        let (count, name) = (arguments.documents.len(), arguments.collection());
        let summary = format!("Write {count} documents to the collection {name:?}");
        Ok(Assessment::of(Effect::MutateOwn, summary))
    }

    async fn run(&self, arguments: IndexArguments, call: &Call) -> Result<Indexed, ToolError> {
        check::name("service", &arguments.service)?;
        check::name("data_type", &arguments.data_type)?;
        let collection = arguments.collection();
        let (service, data_type) = (arguments.service, arguments.data_type);
        let row = |piece: Piece| -> Written {
            let mut facts = piece.metadata.unwrap_or_default();
            facts.insert("service".to_owned(), json!(service));
            facts.insert("data_type".to_owned(), json!(data_type));
            let id = piece.id.unwrap_or_else(|| id_of(&piece.text));
            (id, piece.text, Some(facts))
        };
        let mut rows: Vec<Written> = arguments.documents.into_iter().map(row).collect();
        rows.dedup_by(|a, b| a.0 == b.0 && a.1 == b.1);
        let rows = checked(rows)?;
        let into = self.0.ensure(&call.organization, &collection).await?;
        let count = rows.len();
        self.0.put(&into, rows).await?;
        Ok(Indexed {
            success: true,
            service,
            data_type,
            count,
            collection,
        })
    }
}

impl IndexArguments {
    fn collection(&self) -> String {
        format!("{}_{}", self.service, self.data_type)
    }
}
