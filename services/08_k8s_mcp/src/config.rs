//! Settings of this spoke. The annotated reference is `config.default.toml`; secrets are not here.

use serde::Deserialize;
use shared::config::{Kind, Variable};
use shared::remote::{BaseUrl, Reach, Seconds};

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("KUBECONFIG", "kubernetes.kubeconfig", Kind::Text),
    Variable::new("K8S_CONTEXT", "kubernetes.context", Kind::Text),
    Variable::new("K8S_ALLOWED_KINDS", "kubernetes.allowed_kinds", Kind::List),
    Variable::new(
        "K8S_ALLOW_EXEC_PLUGINS",
        "kubernetes.allow_exec_plugins",
        Kind::Boolean,
    ),
    Variable::new("HELM_PATH", "helm.path", Kind::Text),
    Variable::new("WAYGATE_OUTBOUND_ALLOW", "outbound.allow", Kind::List),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The clusters.
    pub(crate) kubernetes: Kubernetes,
    /// The program for charts.
    pub(crate) helm: Helm,
    /// Which addresses may be asked.
    pub(crate) outbound: Reach,
}

/// The clusters. Empty texts mean not set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kubernetes {
    pub(crate) kubeconfig: String,
    pub(crate) context: String,
    pub(crate) allowed_kinds: Vec<String>,
    pub(crate) allow_exec_plugins: bool,
    pub(crate) account_folder: String,
    pub(crate) account_server: BaseUrl,
    /// Longest wait for one answer.
    pub(crate) timeout_seconds: Seconds<120>,
}

/// The program for charts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Helm {
    pub(crate) path: String,
}
