//! `infra.k8s.helm.uninstallRelease`.

use super::{Helm, refused, words};
use crate::names;
use crate::object::{CORE, Meta, path};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::error::Code;
use shared::tool::{Assessment, Call, Check, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Resources that are listed at most.
const MOST: usize = 50;

/// The tool.
pub(crate) struct UninstallRelease(pub(crate) Arc<Helm>);

/// Its arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Name of the release.
    #[schemars(length(min = 1, max = 53))]
    name: String,
    /// Its namespace.
    #[serde(default = "crate::object::default_namespace")]
    #[schemars(length(min = 1, max = 63))]
    namespace: String,
    /// Keep what Helm knows of it, so that it can be had back.
    #[serde(default)]
    keep_history: bool,
}

/// Its result.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Uninstalled {
    /// Name of the release.
    name: String,
    /// Its namespace.
    namespace: String,
    /// `uninstalled`.
    status: String,
}

/// As `helm status` prints it.
#[derive(Deserialize)]
struct Printed {
    info: Info,
    #[serde(default)]
    manifest: String,
}

#[derive(Deserialize)]
struct Info {
    status: String,
}

#[derive(Deserialize)]
struct Claim {
    metadata: Meta,
}

#[async_trait]
impl TypedTool for UninstallRelease {
    type Arguments = Arguments;
    type Output = Uninstalled;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.helm.uninstallRelease",
            Effect::Critical,
            "Uninstall a Helm release with all its resources. Its resources and volume claims are shown \
             to the approver; it must not be pending.",
        )
        .idempotent()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &Arguments, call: &Call) -> Result<Assessment, ToolError> {
        let (namespace, name) = arguments.names()?;
        let kept = if arguments.keep_history {
            ", keeping its history"
        } else {
            ""
        };
        let summary = format!("Uninstall Helm release {name} of namespace {namespace}{kept}");
        let mut assessment = Assessment::of(Effect::Critical, summary);
        let checks = self.0.readiness(namespace, name, call).await;
        assessment.checks = checks.unwrap_or_else(|error| {
            let name = match error.code {
                Code::NotFound => "release_exists",
                _ => "helm_answers",
            };
            vec![check(name, false, error.message)]
        });
        Ok(assessment)
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Uninstalled, ToolError> {
        let (namespace, name) = arguments.names()?;
        let mut words = words(["uninstall", name, "--namespace", namespace]);
        if arguments.keep_history {
            words.push("--keep-history".into());
        }
        let finished = self.0.run(words, Vec::new(), call).await?;
        if !finished.succeeded() {
            return Err(refused(&finished));
        }
        Ok(Uninstalled {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            status: "uninstalled".into(),
        })
    }
}

impl Arguments {
    fn names(&self) -> Result<(&str, &str), ToolError> {
        let namespace = names::label("namespace", &self.namespace)?;
        Ok((namespace, names::label("name", &self.name)?))
    }
}

impl Helm {
    /// Source: `catalogue.md` 5.
    async fn readiness(
        &self,
        namespace: &str,
        name: &str,
        call: &Call,
    ) -> Result<Vec<Check>, ToolError> {
        let words = words(["status", name, "--namespace", namespace, "--output", "json"]);
        let printed: Printed = self.json(words, Vec::new(), call).await?;
        let status = printed.info.status;
        let label = format!("app.kubernetes.io/instance={name}");
        let parts = path(CORE, Some(namespace), "persistentvolumeclaims");
        let cluster = self.clusters.of(call)?;
        let claims: Vec<Claim> = cluster.list(&parts, &[("labelSelector", &label)]).await?;
        let claims: Vec<String> = claims.into_iter().map(|it| it.metadata.name).collect();
        Ok(vec![
            check("release_exists", true, &status),
            check("not_pending", !status.starts_with("pending"), &status),
            check("resources", true, resources(&printed.manifest)),
            check("volume_claims", true, claims.join(", ")),
        ])
    }
}

/// The kinds and names of a manifest.
fn resources(manifest: &str) -> String {
    let mut found = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(manifest).take(MOST) {
        let Ok(document) = Value::deserialize(document) else {
            break;
        };
        let text = |at: &str| document.pointer(at).and_then(Value::as_str);
        if let (Some(kind), Some(name)) = (text("/kind"), text("/metadata/name")) {
            found.push(format!("{kind} {name}"));
        }
    }
    found.join(", ")
}

fn check(name: &str, ok: bool, detail: impl Into<String>) -> Check {
    Check {
        name: name.to_owned(),
        ok,
        detail: detail.into(),
    }
}
