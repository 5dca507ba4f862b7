//! Contexts: which there are, which is in use, and another one.

use crate::cluster::Clusters;
use crate::kubeconfig::Context;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `infra.k8s.cluster.getContexts`.
pub(crate) struct GetContexts(pub(crate) Arc<Clusters>);
/// `infra.k8s.cluster.getCurrentContext`.
pub(crate) struct GetCurrentContext(pub(crate) Arc<Clusters>);
/// `infra.k8s.cluster.switchContext`.
pub(crate) struct SwitchContext(pub(crate) Arc<Clusters>);

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Arguments of `switchContext`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Name of a context.
    #[serde(rename = "contextName")]
    #[schemars(length(min = 1, max = 253))]
    context_name: String,
}

/// Result of `getContexts`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Contexts {
    /// The contexts, by name.
    contexts: Vec<Listed>,
    /// How many these are.
    count: usize,
}

/// One context.
#[derive(Debug, Serialize, JsonSchema)]
struct Listed {
    /// Its name.
    name: String,
    /// Its cluster.
    cluster: String,
    /// Its user.
    user: String,
    /// Its namespace; null when it names none.
    namespace: Option<String>,
    /// Whether it is the one in use for the caller.
    current: bool,
}

/// Result of `getCurrentContext`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Current {
    /// Its name.
    name: String,
    /// Its cluster.
    cluster: String,
    /// Its namespace; null when it names none.
    namespace: Option<String>,
}

/// Result of `switchContext`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Switched {
    /// The context in use from now on, for the caller.
    name: String,
    /// The one before.
    previous: String,
}

#[async_trait]
impl TypedTool for GetContexts {
    type Arguments = Nothing;
    type Output = Contexts;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.cluster.getContexts",
            Effect::Read,
            "List the Kubernetes contexts there are, and which is in use for you.",
        )
        .live()
    }

    async fn run(&self, _: Nothing, call: &Call) -> Result<Contexts, ToolError> {
        let fleet = self.0.ready()?;
        let chosen = fleet.chosen(&call.principal);
        let listed = |name: &str, context: &Context| Listed {
            name: name.to_owned(),
            cluster: context.cluster.clone(),
            user: context.user.clone(),
            namespace: context.namespace.clone(),
            current: name == chosen,
        };
        let contexts = fleet.file.contexts.iter();
        let mut contexts: Vec<Listed> = contexts.map(|it| listed(&it.name, &it.entry)).collect();
        if fleet.path.is_none() {
            contexts.push(listed(&fleet.first, &own()));
        }
        contexts.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Contexts {
            count: contexts.len(),
            contexts,
        })
    }
}

#[async_trait]
impl TypedTool for GetCurrentContext {
    type Arguments = Nothing;
    type Output = Current;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.cluster.getCurrentContext",
            Effect::Read,
            "Say which Kubernetes context is in use for you.",
        )
        .live()
    }

    async fn run(&self, _: Nothing, call: &Call) -> Result<Current, ToolError> {
        let fleet = self.0.ready()?;
        let name = fleet.chosen(&call.principal);
        let context = fleet.file.context(&name).cloned().unwrap_or_else(own);
        Ok(Current {
            name,
            cluster: context.cluster,
            namespace: context.namespace,
        })
    }
}

#[async_trait]
impl TypedTool for SwitchContext {
    type Arguments = Wanted;
    type Output = Switched;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.cluster.switchContext",
            Effect::Mutate,
            "Use another Kubernetes context from now on, until this service starts again. It counts for \
             you only; the kubeconfig file is not written.",
        )
        .idempotent()
    }

    async fn assess(&self, arguments: &Wanted, call: &Call) -> Result<Assessment, ToolError> {
        let mut summary = format!("Use Kubernetes context {:?}", arguments.context_name);
        if let Ok(fleet) = self.0.ready() {
            known(fleet.file.context(&arguments.context_name))?;
            let before = fleet.chosen(&call.principal);
            summary.push_str(&format!(" instead of {before:?}"));
        }
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: Wanted, call: &Call) -> Result<Switched, ToolError> {
        let fleet = self.0.ready()?;
        let name = arguments.context_name;
        known(fleet.file.context(&name))?;
        let previous = fleet.choose(&call.principal, &name);
        Ok(Switched { name, previous })
    }
}

fn known(context: Option<&Context>) -> Result<(), ToolError> {
    let unknown = || ToolError::refused(Code::NotFound, "there is no such context");
    context.map(drop).ok_or_else(unknown)
}

/// The one context when there is no file.
fn own() -> Context {
    Context {
        cluster: "in-cluster".into(),
        user: "service account".into(),
        namespace: None,
    }
}
