//! `infra.k8s.pods.deletePod`.

use crate::cluster::Clusters;
use crate::names;
use crate::object::{CORE, default_namespace, path};
use async_trait::async_trait;
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// The tool.
pub(crate) struct DeletePod(pub(crate) Arc<Clusters>);

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
    /// Seconds its processes have to end; leave out for what the pod says.
    #[serde(default)]
    #[schemars(range(min = 0, max = 86400))]
    grace_period_seconds: Option<u32>,
}

/// Its result.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Deleted {
    /// Name of the pod.
    name: String,
    /// Its namespace.
    namespace: String,
    /// `Terminating`.
    status: String,
    /// The pod that was meant: one that takes its place has another.
    uid: String,
}

#[async_trait]
impl TypedTool for DeletePod {
    type Arguments = Arguments;
    type Output = Deleted;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.pods.deletePod",
            Effect::Mutate,
            "Delete a Kubernetes pod. What it belongs to may start another in its place.",
        )
        .idempotent()
        .destructive()
        .open_world()
    }

    async fn assess(&self, arguments: &Arguments, call: &Call) -> Result<Assessment, ToolError> {
        let (namespace, name) = arguments.names()?;
        let fleet = self.0.ready();
        let context = fleet.map_or(String::new(), |fleet| fleet.chosen(&call.principal));
        let summary = format!("Delete pod {name} of namespace {namespace} in context {context}");
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Deleted, ToolError> {
        let (namespace, name) = arguments.names()?;
        let cluster = self.0.of(call)?;
        let uid = cluster.pod(namespace, name).await?.metadata.uid;
        let mut parts = path(CORE, Some(namespace), "pods");
        parts.push(name);
        let mut options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid},
        });
        if let (Some(seconds), Some(options)) =
            (arguments.grace_period_seconds, options.as_object_mut())
        {
            options.insert("gracePeriodSeconds".into(), json!(seconds));
        }
        let request = cluster.request(Method::DELETE, cluster.url(&parts));
        cluster.ask(request.json(&options)).await?;
        Ok(Deleted {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            status: "Terminating".into(),
            uid,
        })
    }
}

impl Arguments {
    fn names(&self) -> Result<(&str, &str), ToolError> {
        let namespace = names::label("namespace", &self.namespace)?;
        Ok((namespace, names::object("name", &self.name)?))
    }
}
