//! Deployments: list and scale.

use crate::cluster::{Cluster, Clusters};
use crate::names;
use crate::object::{APPS, Meta, default_namespace, path};
use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;
use url::Url;

/// `infra.k8s.deployments.listDeployments`.
pub(crate) struct ListDeployments(pub(crate) Arc<Clusters>);
/// `infra.k8s.deployments.scaleDeployment`.
pub(crate) struct ScaleDeployment(pub(crate) Arc<Clusters>);

/// Arguments of `listDeployments`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Where {
    /// Only deployments of this namespace.
    #[serde(default = "default_namespace")]
    #[schemars(length(min = 1, max = 63))]
    namespace: String,
    /// Deployments of all namespaces; `namespace` does not count then.
    #[serde(default)]
    all_namespaces: bool,
}

/// Arguments of `scaleDeployment`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Name of the deployment.
    #[schemars(length(min = 1, max = 253))]
    name: String,
    /// Its namespace.
    #[serde(default = "default_namespace")]
    #[schemars(length(min = 1, max = 63))]
    namespace: String,
    /// How many pods there shall be, 0 to 1000.
    #[schemars(range(min = 0, max = 1000))]
    replicas: u32,
}

/// Result of `listDeployments`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Deployments {
    /// The deployments, by namespace and name.
    deployments: Vec<Deployment>,
    /// How many these are.
    count: usize,
}

/// One deployment.
#[derive(Debug, Serialize, JsonSchema)]
struct Deployment {
    /// Its name.
    name: String,
    /// Its namespace.
    namespace: String,
    /// How many pods there shall be.
    replicas: u32,
    /// How many have been ready for long enough.
    available: u32,
    /// How many are ready.
    ready: u32,
    /// Images of its containers.
    images: Vec<String>,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created: Timestamp,
}

/// Result of `scaleDeployment`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Scaled {
    /// Name of the deployment.
    name: String,
    /// Its namespace.
    namespace: String,
    /// How many pods there were to be before.
    replicas_before: u32,
    /// How many there are to be now.
    replicas: u32,
}

/// Source: apps v1, `Deployment`.
#[derive(Deserialize)]
struct Stored {
    metadata: Meta,
    #[serde(default)]
    spec: DeploymentSpec,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DeploymentSpec {
    replicas: u32,
    template: Template,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Template {
    spec: Inside,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Inside {
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    #[serde(default)]
    image: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    available_replicas: u32,
    ready_replicas: u32,
}

/// Source: autoscaling v1, `Scale`.
#[derive(Deserialize)]
struct Scale {
    #[serde(default)]
    spec: Replicas,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Replicas {
    replicas: u32,
}

#[async_trait]
impl TypedTool for ListDeployments {
    type Arguments = Where;
    type Output = Deployments;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.deployments.listDeployments",
            Effect::Read,
            "List the deployments of a Kubernetes namespace, or of all, with replicas and images.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: Where, call: &Call) -> Result<Deployments, ToolError> {
        let namespace = names::label("namespace", &arguments.namespace)?;
        let namespace = (!arguments.all_namespaces).then_some(namespace);
        let cluster = self.0.of(call)?;
        let stored: Vec<Stored> = cluster
            .list(&path(APPS, namespace, "deployments"), &[])
            .await?;
        let shown = |it: Stored| Deployment {
            created: it.metadata.created(),
            name: it.metadata.name,
            namespace: it.metadata.namespace,
            replicas: it.spec.replicas,
            available: it.status.available_replicas,
            ready: it.status.ready_replicas,
            images: it
                .spec
                .template
                .spec
                .containers
                .into_iter()
                .map(|it| it.image)
                .collect(),
        };
        let mut deployments: Vec<Deployment> = stored.into_iter().map(shown).collect();
        deployments.sort_by(|one, other| {
            (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name))
        });
        Ok(Deployments {
            count: deployments.len(),
            deployments,
        })
    }
}

#[async_trait]
impl TypedTool for ScaleDeployment {
    type Arguments = Wanted;
    type Output = Scaled;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.deployments.scaleDeployment",
            Effect::Mutate,
            "Set how many pods a Kubernetes deployment shall have; 0 stops it.",
        )
        .idempotent()
        .open_world()
    }

    async fn assess(&self, arguments: &Wanted, call: &Call) -> Result<Assessment, ToolError> {
        let (namespace, name) = arguments.names()?;
        let mut summary = format!(
            "Scale deployment {name} of namespace {namespace} to {} replicas",
            arguments.replicas
        );
        // That it cannot be asked now is told when it is done.
        if let Ok(cluster) = self.0.of(call)
            && let Ok(scale) = cluster.scale(namespace, name).await
        {
            summary.push_str(&format!(", from {}", scale.spec.replicas));
        }
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: Wanted, call: &Call) -> Result<Scaled, ToolError> {
        let (namespace, name) = arguments.names()?;
        let cluster = self.0.of(call)?;
        let before = cluster.scale(namespace, name).await?;
        let patch = json!({"spec": {"replicas": arguments.replicas}});
        let request = cluster
            .request(Method::PATCH, cluster.scale_url(namespace, name))
            .header("content-type", "application/merge-patch+json");
        let reply = cluster.ask(request.body(patch.to_string())).await?;
        let after: Scale = cluster.read(&reply)?;
        Ok(Scaled {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            replicas_before: before.spec.replicas,
            replicas: after.spec.replicas,
        })
    }
}

impl Wanted {
    fn names(&self) -> Result<(&str, &str), ToolError> {
        let namespace = names::label("namespace", &self.namespace)?;
        Ok((namespace, names::object("name", &self.name)?))
    }
}

impl Cluster {
    async fn scale(&self, namespace: &str, name: &str) -> Result<Scale, ToolError> {
        self.get(self.scale_url(namespace, name)).await
    }

    fn scale_url(&self, namespace: &str, name: &str) -> Url {
        let mut parts = path(APPS, Some(namespace), "deployments");
        parts.extend([name, "scale"]);
        self.url(&parts)
    }
}
