//! `os.linux.ceph.getStatus` and `os.linux.ceph.getOSDTree`: what the cluster says, as JSON.

use crate::host::Host;
use crate::os_info::NoArguments;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use shared::error::Code;
use shared::exec::Run;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(25);

/// State of the cluster.
pub(crate) struct GetStatus(pub(crate) Arc<Host>);

/// Its result.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Status {
    /// Such as `HEALTH_OK`.
    health: String,
    /// Everything `ceph status` says.
    status: Value,
}

#[async_trait]
impl TypedTool for GetStatus {
    type Arguments = NoArguments;
    type Output = Status;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.linux.ceph.getStatus",
            Effect::Read,
            "Show health and state of the Ceph cluster this host can reach.",
        )
        .live()
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<Status, ToolError> {
        let status = ask(&self.0, &["status"]).await?;
        let health = status.pointer("/health/status").and_then(Value::as_str);
        Ok(Status {
            health: health.unwrap_or("unknown").to_owned(),
            status,
        })
    }
}

/// Its disks, by place.
pub(crate) struct GetOsdTree(pub(crate) Arc<Host>);

/// Its result.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OsdTree {
    /// Roots, hosts and disks, each with the ids of those below it.
    nodes: Vec<Value>,
    /// Disks that are in no place.
    stray: Vec<Value>,
    /// Number of nodes.
    count: usize,
}

#[async_trait]
impl TypedTool for GetOsdTree {
    type Arguments = NoArguments;
    type Output = OsdTree;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.linux.ceph.getOSDTree",
            Effect::Read,
            "Show where the disks (OSDs) of the Ceph cluster are, and which are up.",
        )
        .live()
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<OsdTree, ToolError> {
        let mut tree = ask(&self.0, &["osd", "tree"]).await?;
        let mut list = |name: &str| match tree.get_mut(name).map(Value::take) {
            Some(Value::Array(nodes)) => nodes,
            _ => Vec::new(),
        };
        let nodes = list("nodes");
        Ok(OsdTree {
            count: nodes.len(),
            nodes,
            stray: list("stray"),
        })
    }
}

async fn ask(host: &Host, words: &[&str]) -> Result<Value, ToolError> {
    let words = words.iter().chain(&["--format", "json"]).copied();
    let text = host
        .output(Run::new("ceph", words).timeout(PATIENCE))
        .await?;
    serde_json::from_str(&text).map_err(|error| {
        tracing::warn!(event = "ceph_answer", %error, "ceph did not answer in JSON");
        ToolError::new(Code::BadGateway, "ceph did not answer in JSON")
    })
}
