//! Search by meaning, in one collection and in those of several services.

use crate::base::Base;
use crate::check;
use crate::collections::mcp_knowledge;
use crate::filter::Filter;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::error::Code;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `vector.search.semantic`.
pub(crate) struct Semantic(pub(crate) Arc<Base>);
/// `vector.search.cross_service`.
pub(crate) struct CrossService(pub(crate) Arc<Base>);

/// Arguments of `vector.search.semantic`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SemanticArguments {
    /// What to look for, in words.
    #[schemars(length(min = 1, max = 10_000))]
    query: String,
    /// Where to look.
    #[serde(default = "mcp_knowledge")]
    #[schemars(length(min = 1, max = 128))]
    collection: String,
    /// Most documents to give, 1 to 100.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 100))]
    n_results: usize,
    /// Only documents whose metadata fit: `{"os": "linux"}`, `{"cpus": {"$gt": 4}}`; `$in`, `$lt`,
    /// `$and` and `$or` too.
    #[serde(default, rename = "where")]
    conditions: Option<Map<String, Value>>,
    /// Whether to say how far each document is.
    #[serde(default = "yes")]
    include_distance: bool,
}

const fn ten() -> usize {
    10
}

const fn yes() -> bool {
    true
}

/// Result of `vector.search.semantic`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Found {
    /// Always true; a failure is an error.
    success: bool,
    /// What was looked for.
    query: String,
    /// Where.
    collection: String,
    /// The documents, nearest first.
    results: Vec<Hit>,
    /// How many these are.
    count: usize,
}

/// A document that was found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Hit {
    /// Its id.
    id: String,
    /// Its text.
    document: String,
    /// What is noted of it.
    metadata: Map<String, Value>,
    /// 0 in the same direction, 2 in the opposite one; null when it was not asked for.
    distance: Option<f32>,
}

/// Arguments of `vector.search.cross_service`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CrossArguments {
    /// What to look for, in words.
    #[schemars(length(min = 1, max = 10_000))]
    query: String,
    /// Only collections of these services; left out: all collections.
    #[serde(default)]
    #[schemars(length(min = 1, max = 50))]
    services: Option<Vec<String>>,
    /// Most documents to give, 1 to 100.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 100))]
    n_results: usize,
}

/// Result of `vector.search.cross_service`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FoundAcross {
    /// What was looked for.
    query: String,
    /// Where; collections of another embedding model are left out.
    collections_searched: Vec<String>,
    /// The documents, nearest first.
    results: Vec<Placed>,
    /// How many these are.
    count: usize,
}

/// A document that was found, and where.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Placed {
    /// Where it is.
    collection: String,
    /// Its id.
    id: String,
    /// Its text.
    document: String,
    /// What is noted of it.
    metadata: Map<String, Value>,
    /// 0 in the same direction, 2 in the opposite one.
    distance: f32,
}

#[async_trait]
impl TypedTool for Semantic {
    type Arguments = SemanticArguments;
    type Output = Found;

    fn spec(&self) -> Spec {
        Spec::new(
            "vector.search.semantic",
            Effect::Read,
            "Find the documents of a collection that are nearest in meaning to a text, with \
             conditions on their metadata if wanted.",
        )
        .live()
    }

    async fn run(&self, arguments: SemanticArguments, call: &Call) -> Result<Found, ToolError> {
        check::name("collection", &arguments.collection)?;
        check::text("query", &arguments.query)?;
        let filter = Filter::parse(arguments.conditions.as_ref())?;
        let within = self
            .0
            .find(&call.organization, &arguments.collection)
            .await?;
        self.0.same_model(&within)?;
        let to = vector(&self.0, &arguments.query).await?;
        let hits = self
            .0
            .search(&within, &to, arguments.n_results, &filter)
            .await?;
        let hit = |hit: crate::base::Hit| Hit {
            id: hit.near.id,
            document: hit.document,
            metadata: hit.near.metadata,
            distance: arguments.include_distance.then_some(hit.near.distance),
        };
        let results: Vec<Hit> = hits.into_iter().map(hit).collect();
        Ok(Found {
            success: true,
            query: arguments.query,
            collection: within.name,
            count: results.len(),
            results,
        })
    }
}

#[async_trait]
impl TypedTool for CrossService {
    type Arguments = CrossArguments;
    type Output = FoundAcross;

    fn spec(&self) -> Spec {
        Spec::new(
            "vector.search.cross_service",
            Effect::Read,
            "Find the documents nearest in meaning to a text in all collections, or in those of some \
             services.",
        )
        .live()
    }

    async fn run(&self, arguments: CrossArguments, call: &Call) -> Result<FoundAcross, ToolError> {
        check::text("query", &arguments.query)?;
        for service in arguments.services.iter().flatten() {
            check::name("services", service)?;
        }
        let mut known = self.0.store.collections(&call.organization).await?;
        let belongs = |name: &str, service: &String| {
            let rest = name.strip_prefix(service.as_str());
            rest.is_some_and(|rest| rest.starts_with('_'))
        };
        known.retain(|it| {
            let services = arguments.services.as_ref();
            let wanted = services.is_none_or(|all| all.iter().any(|one| belongs(&it.name, one)));
            wanted && self.0.same_model(it).is_ok()
        });
        let to = vector(&self.0, &arguments.query).await?;
        let everything = Filter::All(Vec::new());
        let mut results = Vec::new();
        for within in &known {
            let hits = self
                .0
                .search(within, &to, arguments.n_results, &everything)
                .await?;
            results.extend(hits.into_iter().map(|hit| Placed {
                collection: within.name.clone(),
                id: hit.near.id,
                document: hit.document,
                metadata: hit.near.metadata,
                distance: hit.near.distance,
            }));
            results.sort_by(|a, b| a.distance.total_cmp(&b.distance));
            results.truncate(arguments.n_results);
        }
        Ok(FoundAcross {
            query: arguments.query,
            collections_searched: known.into_iter().map(|it| it.name).collect(),
            count: results.len(),
            results,
        })
    }
}

async fn vector(base: &Base, query: &str) -> Result<Arc<Vec<f32>>, ToolError> {
    let mut vectors = base.embedder.embed(&[query.to_owned()]).await?;
    let missing = || ToolError::new(Code::InternalError, "the query has no vector");
    vectors.pop().map(Arc::new).ok_or_else(missing)
}
