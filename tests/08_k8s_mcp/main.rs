//! Spoke 08 from outside: the real harness on a free port before a strict stub of the Kubernetes API and
//! a stand-in for helm.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; clippy does not see them as tests"
)]

mod apply;
mod contexts;
mod contract;
mod deployments;
mod helm;
mod pods;
mod trouble;

use serde_json::Value;
use spoke_08_k8s_mcp::SERVICE;
use tempfile::TempDir;
use tests::kubernetes::Kubernetes;
use tests::rig::Rig;

/// A cluster and the spoke that works on it.
struct Place {
    cluster: Kubernetes,
    k8s: Rig,
    folder: TempDir,
}

impl Place {
    async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With further settings; `<folder>` in them stands for the folder of the kubeconfig.
    async fn with(more: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::within(folder, more).await
    }

    async fn within(folder: TempDir, more: &[(&str, &str)]) -> Self {
        let cluster = Kubernetes::start().await;
        let path = folder.path().join("config");
        cluster.kubeconfig(&path);
        let file = path.display().to_string();
        let here = folder.path().display().to_string();
        let mut settings = vec![
            ("KUBECONFIG", file),
            ("WAYGATE_OUTBOUND_ALLOW", "127.0.0.1".to_owned()),
        ];
        settings.extend(more.iter().map(|(n, v)| (*n, v.replace("<folder>", &here))));
        let settings: Vec<(&str, &str)> = settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let k8s = Rig::start(&SERVICE, &settings).await;
        Self {
            cluster,
            k8s,
            folder,
        }
    }

    /// What changed something.
    fn changes(&self) -> Vec<String> {
        let mut seen = self.cluster.seen();
        seen.retain(|line| !line.starts_with("GET ") && !line.contains("dryRun=All"));
        seen
    }
}

fn names(list: &Value) -> Vec<&str> {
    let items = list.as_array().unwrap().iter();
    items.map(|it| it["name"].as_str().unwrap()).collect()
}
