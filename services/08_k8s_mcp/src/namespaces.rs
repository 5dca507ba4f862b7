//! `infra.k8s.list_namespaces`.

use crate::cluster::Clusters;
use crate::object::{CORE, Meta, path};
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The tool.
pub(crate) struct ListNamespaces(pub(crate) Arc<Clusters>);

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Its result.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Namespaces {
    /// The namespaces, by name.
    namespaces: Vec<Namespace>,
    /// How many these are.
    count: usize,
}

/// One namespace.
#[derive(Debug, Serialize, JsonSchema)]
struct Namespace {
    /// Its name.
    name: String,
    /// Active or Terminating.
    status: String,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created: Timestamp,
    /// Its labels.
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Stored {
    metadata: Meta,
    #[serde(default)]
    status: Phase,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Phase {
    phase: String,
}

#[async_trait]
impl TypedTool for ListNamespaces {
    type Arguments = Nothing;
    type Output = Namespaces;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.list_namespaces",
            Effect::Read,
            "List the namespaces of the Kubernetes cluster in use.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, _: Nothing, call: &Call) -> Result<Namespaces, ToolError> {
        let cluster = self.0.of(call)?;
        let stored: Vec<Stored> = cluster.list(&path(CORE, None, "namespaces"), &[]).await?;
        let shown = |it: Stored| Namespace {
            created: it.metadata.created(),
            name: it.metadata.name,
            status: it.status.phase,
            labels: it.metadata.labels,
        };
        let mut namespaces: Vec<Namespace> = stored.into_iter().map(shown).collect();
        namespaces.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Namespaces {
            count: namespaces.len(),
            namespaces,
        })
    }
}
