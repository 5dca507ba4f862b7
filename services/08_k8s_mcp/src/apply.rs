//! `infra.k8s.apply.applyManifest`: server-side apply of one manifest or several.

mod difference;
mod manifest;

use crate::cluster::{Cluster, Clusters};
use async_trait::async_trait;
use manifest::Manifest;
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::error::Code;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Who changed a field, in the words of the API.
const MANAGER: &str = "waygate";

/// The tool, and the kinds it takes.
pub(crate) struct ApplyManifest(pub(crate) Arc<Clusters>, pub(crate) Arc<Vec<String>>);

/// Its arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// One manifest or several, with `---` between them.
    #[serde(rename = "yamlContent")]
    #[schemars(length(min = 1, max = 1_000_000))]
    yaml_content: String,
    /// Namespace of what names none; leave out for `default`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 63))]
    namespace: Option<String>,
    /// Only say what would change.
    #[serde(default)]
    dry_run: bool,
    /// Take over fields that others have set.
    #[serde(default)]
    force: bool,
}

/// Its result.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Applied {
    /// One for each manifest, in their order.
    results: Vec<One>,
    /// How many these are.
    count: usize,
}

/// What became of one manifest.
#[derive(Debug, Serialize, JsonSchema)]
struct One {
    /// Its kind.
    kind: String,
    /// Its name.
    name: String,
    /// Its namespace; empty for what has none.
    namespace: String,
    /// What was done, or would be.
    status: Status,
    /// What changed, or why it failed. Values of secrets are not shown.
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    Created,
    Configured,
    Unchanged,
    Failed,
}

/// How a manifest is sent.
#[derive(Debug, Clone, Copy)]
struct How {
    /// The server says what it would do.
    dry_run: bool,
    /// Fields of others are taken over.
    force: bool,
}

#[async_trait]
impl TypedTool for ApplyManifest {
    type Arguments = Arguments;
    type Output = Applied;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.apply.applyManifest",
            Effect::Mutate,
            "Apply Kubernetes manifests (server-side apply). With dry_run the cluster says what would \
             change, and nothing does. One that fails does not stop the others.",
        )
        .per_call()
        .idempotent()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &Arguments, call: &Call) -> Result<Assessment, ToolError> {
        let manifests = self.manifests(arguments)?;
        if arguments.dry_run {
            return Ok(Assessment::of(Effect::Read, "Say what would change"));
        }
        let force = if arguments.force { ", by force" } else { "" };
        let mut summary = format!("Apply {} manifests{force}", manifests.len());
        let cluster = self.0.of(call).ok();
        let how = How {
            dry_run: true,
            force: arguments.force,
        };
        for manifest in &manifests {
            summary.push_str(&format!("\n{manifest}"));
            if let Some(cluster) = &cluster {
                let one = cluster.try_apply(manifest, how).await;
                summary.push_str(&format!(": {:?} {}", one.status, one.message));
            }
        }
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Applied, ToolError> {
        let manifests = self.manifests(&arguments)?;
        let cluster = self.0.of(call)?;
        let how = How {
            dry_run: arguments.dry_run,
            force: arguments.force,
        };
        let mut results = Vec::with_capacity(manifests.len());
        for manifest in &manifests {
            let one = cluster.try_apply(manifest, how).await;
            let message = format!("{manifest}: {:?}", one.status);
            results.push(one);
            let (done, all) = (count(results.len()), count(manifests.len()));
            call.progress.report(done, Some(all), message);
        }
        Ok(Applied {
            count: results.len(),
            results,
        })
    }
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

impl ApplyManifest {
    fn manifests(&self, arguments: &Arguments) -> Result<Vec<Manifest>, ToolError> {
        let namespace = arguments.namespace.as_deref();
        manifest::read(&arguments.yaml_content, namespace, &self.1)
    }
}

impl Cluster {
    /// What became of a manifest; a refusal is a state, too.
    async fn try_apply(&self, manifest: &Manifest, how: How) -> One {
        let outcome = self.apply(manifest, how).await;
        let (status, message) = outcome.unwrap_or_else(|error| (Status::Failed, error.message));
        One {
            kind: manifest.kind.name.to_owned(),
            name: manifest.name.clone(),
            namespace: manifest.namespace.clone().unwrap_or_default(),
            status,
            message,
        }
    }

    async fn apply(&self, manifest: &Manifest, how: How) -> Result<(Status, String), ToolError> {
        let parts = manifest.path();
        let before = match self.get::<Value>(self.url(&parts)).await {
            Err(error) if error.code == Code::NotFound => None,
            other => Some(other?),
        };
        let mut url = self.url(&parts);
        url.query_pairs_mut()
            .append_pair("fieldManager", MANAGER)
            .append_pair("force", if how.force { "true" } else { "false" })
            .extend_pairs(how.dry_run.then_some(("dryRun", "All")));
        let request = self
            .request(Method::PATCH, url)
            .header("content-type", "application/apply-patch+yaml");
        // JSON is YAML.
        let reply = self
            .ask(request.body(manifest.document.to_string()))
            .await?;
        let after: Value = self.read(&reply)?;
        let Some(before) = before else {
            return Ok((Status::Created, "it was not there before".into()));
        };
        let shown = manifest.kind.name != "Secret";
        let changes = difference::between(&before, &after, shown);
        Ok(match changes.is_empty() {
            true => (Status::Unchanged, "nothing changes".into()),
            false => (Status::Configured, changes.join("; ")),
        })
    }
}
