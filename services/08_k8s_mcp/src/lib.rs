//! Spoke 08: the clusters of a kubeconfig, or the one this runs in.
//!
//! The tools, in reading order: contexts and namespaces (`contexts`, `namespaces`), pods (`pods`,
//! `pod`, `logs`, `delete`), deployments (`deployments`), manifests (`apply`, `templates`), charts
//! (`helm`). Beneath them: the file (`kubeconfig`) and the connections (`cluster`).

mod apply;
mod cluster;
mod config;
mod contexts;
mod delete;
mod deployments;
mod helm;
mod kubeconfig;
mod logs;
mod names;
mod namespaces;
mod object;
mod pod;
mod pods;
mod templates;

use cluster::{ClusterCheck, Clusters};
use config::Config;
use shared::spoke::{BuildError, BuildInput, Parts, Service, metrics_tool};
use shared::tool::boxed;
use std::future::ready;
use std::sync::Arc;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "08_k8s_mcp",
    number: 8,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["infra.k8s"],
    canary: "infra.k8s.list_templates",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build: |input| Box::pin(ready(build(input))),
};

fn build(input: &BuildInput) -> Result<Parts, BuildError> {
    let config: Config = input.config()?;
    let clusters = Clusters::prepare(&config, &input.kit)
        .map_err(|error| BuildError::setup("the connection to Kubernetes", error))?;
    let clusters = Arc::new(clusters);
    let own = || Arc::clone(&clusters);
    let kinds = Arc::new(config.kubernetes.allowed_kinds);
    let helm = helm::Helm::new(own(), &config.helm.path, &input.kit.data_dir);
    let helm = || Arc::clone(&helm);
    let tools = vec![
        boxed(namespaces::ListNamespaces(own()))?,
        boxed(pods::ListPods(own()))?,
        boxed(pod::GetPod(own()))?,
        boxed(logs::GetPodLogs(own()))?,
        boxed(delete::DeletePod(own()))?,
        boxed(templates::GetTemplate)?,
        boxed(templates::ListTemplates)?,
        boxed(templates::SearchDocs)?,
        boxed(contexts::GetContexts(own()))?,
        boxed(contexts::GetCurrentContext(own()))?,
        boxed(contexts::SwitchContext(own()))?,
        boxed(deployments::ListDeployments(own()))?,
        boxed(deployments::ScaleDeployment(own()))?,
        boxed(helm::ListReleases(helm()))?,
        boxed(helm::InstallChart(helm()))?,
        boxed(helm::UpgradeChart(helm()))?,
        boxed(helm::UninstallRelease(helm()))?,
        boxed(apply::ApplyManifest(own(), kinds))?,
        metrics_tool(&input.kit.meter, "infra.k8s.getMetrics", Arc::new(Vec::new))?,
    ];
    let checks = vec![Arc::new(ClusterCheck(clusters)) as _];
    Ok(Parts { tools, checks })
}
