//! `infra.k8s.pods.getPod`.

use crate::cluster::{Cluster, Clusters};
use crate::names;
use crate::object::{CORE, default_namespace, path};
use crate::pods::{Pod, Stored};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The tool.
pub(crate) struct GetPod(pub(crate) Arc<Clusters>);

/// Its arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Name of the pod.
    #[schemars(length(min = 1, max = 253))]
    name: String,
    /// Its namespace.
    #[serde(default = "default_namespace")]
    #[schemars(length(min = 1, max = 63))]
    namespace: String,
}

/// Its result.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Whole {
    #[serde(flatten)]
    pod: Pod,
    /// Its containers.
    containers: Vec<Container>,
    /// Its conditions as Kubernetes has them.
    conditions: Vec<Value>,
    /// Its labels.
    labels: BTreeMap<String, String>,
}

/// One container.
#[derive(Debug, Serialize, JsonSchema)]
struct Container {
    /// Its name.
    name: String,
    /// Its image.
    image: String,
    /// Requests and limits as Kubernetes has them.
    resources: Value,
    /// Whether it takes work.
    ready: bool,
    /// How often it was started again.
    restart_count: u32,
    /// `running`, `waiting: REASON`, `terminated: REASON` or `unknown`.
    state: String,
}

#[async_trait]
impl TypedTool for GetPod {
    type Arguments = Arguments;
    type Output = Whole;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.pods.getPod",
            Effect::Read,
            "Read one Kubernetes pod with its containers, conditions and labels.",
        )
        .open_world()
        .live()
        .aliases(&["infra.k8s.get_pod_details"])
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Whole, ToolError> {
        let name = names::object("name", &arguments.name)?;
        let namespace = names::label("namespace", &arguments.namespace)?;
        let mut stored = self.0.of(call)?.pod(namespace, name).await?;
        let states = &stored.status.container_statuses;
        let containers = stored.spec.containers.iter().map(|it| {
            let state = states.iter().find(|state| state.name == it.name);
            Container {
                name: it.name.clone(),
                image: it.image.clone(),
                resources: it.resources.clone(),
                ready: state.is_some_and(|state| state.ready),
                restart_count: state.map_or(0, |state| state.restart_count),
                state: state.map_or_else(|| "unknown".into(), |state| state.state()),
            }
        });
        Ok(Whole {
            containers: containers.collect(),
            pod: stored.shown(),
            conditions: std::mem::take(&mut stored.status.conditions),
            labels: stored.metadata.labels,
        })
    }
}

impl Cluster {
    /// One pod, by checked names.
    pub(crate) async fn pod(&self, namespace: &str, name: &str) -> Result<Stored, ToolError> {
        let mut parts = path(CORE, Some(namespace), "pods");
        parts.push(name);
        self.get(self.url(&parts)).await
    }
}
