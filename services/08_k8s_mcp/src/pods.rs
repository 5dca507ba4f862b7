//! `infra.k8s.pods.listPods`, and what is said of every pod.

use crate::cluster::Clusters;
use crate::names;
use crate::object::{CORE, Meta, default_namespace, path};
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// The tool.
pub(crate) struct ListPods(pub(crate) Arc<Clusters>);

/// Its arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Arguments {
    /// Only pods of this namespace.
    #[serde(default = "default_namespace")]
    #[schemars(length(min = 1, max = 63))]
    namespace: String,
    /// Pods of all namespaces; `namespace` does not count then.
    #[serde(default)]
    all_namespaces: bool,
    /// Only pods with these labels, such as `app=web,tier!=cache`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1000))]
    label_selector: Option<String>,
}

/// Its result.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Pods {
    /// The pods, by namespace and name.
    pods: Vec<Pod>,
    /// How many these are.
    count: usize,
}

/// One pod.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Pod {
    /// Its name.
    name: String,
    /// Its namespace.
    namespace: String,
    /// What its containers wait for (such as `CrashLoopBackOff`), `Terminating`, or its phase.
    status: String,
    /// Its address; null until it has one.
    ip: Option<String>,
    /// The node it runs on; null until it has one.
    node: Option<String>,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created: Timestamp,
}

/// Source: core v1, `Pod`.
#[derive(Debug, Deserialize)]
pub(crate) struct Stored {
    pub(crate) metadata: Meta,
    #[serde(default)]
    pub(crate) spec: PodSpec,
    #[serde(default)]
    pub(crate) status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PodSpec {
    node_name: Option<String>,
    pub(crate) containers: Vec<Container>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Container {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) image: String,
    #[serde(default)]
    pub(crate) resources: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    phase: String,
    reason: Option<String>,
    #[serde(rename = "podIP")]
    ip: Option<String>,
    pub(crate) container_statuses: Vec<ContainerStatus>,
    pub(crate) conditions: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ContainerStatus {
    pub(crate) name: String,
    pub(crate) ready: bool,
    pub(crate) restart_count: u32,
    /// One member: waiting, running or terminated.
    pub(crate) state: serde_json::Map<String, Value>,
}

impl ContainerStatus {
    /// The state in one word, and why.
    pub(crate) fn state(&self) -> String {
        let Some((state, detail)) = self.state.iter().next() else {
            return "unknown".into();
        };
        match detail.get("reason").and_then(Value::as_str) {
            Some(reason) => format!("{state}: {reason}"),
            None => state.clone(),
        }
    }

    fn waits_for(&self) -> Option<&str> {
        let reason = self.state.get("waiting")?.get("reason")?.as_str()?;
        (reason != "ContainerCreating").then_some(reason)
    }
}

impl Stored {
    /// As our tools give it.
    pub(crate) fn shown(&self) -> Pod {
        let status = &self.status;
        let waiting = status.container_statuses.iter();
        let waiting = waiting.filter_map(ContainerStatus::waits_for).next();
        let told = match self.metadata.deletion_timestamp {
            Some(_) => "Terminating",
            None => waiting
                .or(status.reason.as_deref())
                .unwrap_or(&status.phase),
        };
        Pod {
            name: self.metadata.name.clone(),
            namespace: self.metadata.namespace.clone(),
            status: told.to_owned(),
            ip: status.ip.clone(),
            node: self.spec.node_name.clone(),
            created: self.metadata.created(),
        }
    }
}

#[async_trait]
impl TypedTool for ListPods {
    type Arguments = Arguments;
    type Output = Pods;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.pods.listPods",
            Effect::Read,
            "List the pods of a Kubernetes namespace, or of all, with state, address and node.",
        )
        .open_world()
        .live()
        .aliases(&["infra.k8s.list_pods"])
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Pods, ToolError> {
        let namespace = names::label("namespace", &arguments.namespace)?;
        let namespace = (!arguments.all_namespaces).then_some(namespace);
        let cluster = self.0.of(call)?;
        let selector = arguments.label_selector.as_deref();
        let query: Vec<(&str, &str)> = selector
            .map(|it| ("labelSelector", it))
            .into_iter()
            .collect();
        let stored: Vec<Stored> = cluster.list(&path(CORE, namespace, "pods"), &query).await?;
        let mut pods: Vec<Pod> = stored.iter().map(Stored::shown).collect();
        pods.sort_by(|one, other| {
            (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name))
        });
        Ok(Pods {
            count: pods.len(),
            pods,
        })
    }
}
