//! Charts: install and upgrade.

use super::{Helm, words};
use crate::names;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::remote::BaseUrl;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `infra.k8s.helm.installChart`.
pub(crate) struct InstallChart(pub(crate) Arc<Helm>);
/// `infra.k8s.helm.upgradeChart`.
pub(crate) struct UpgradeChart(pub(crate) Arc<Helm>);

/// What both take.
struct Chart<'a> {
    name: &'a str,
    chart: &'a str,
    namespace: &'a str,
    version: Option<&'a str>,
    repo: Option<&'a str>,
    wait: bool,
    timeout: u32,
}

/// Arguments of `installChart`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Install {
    /// Name of the new release.
    #[schemars(length(min = 1, max = 53))]
    name: String,
    /// `repository/chart`, `oci://…`, `https://….tgz`, or a name in `repo`.
    #[schemars(length(min = 1, max = 1000))]
    chart: String,
    /// Namespace of the release.
    #[serde(default = "crate::object::default_namespace")]
    #[schemars(length(min = 1, max = 63))]
    namespace: String,
    /// Values of the chart.
    #[serde(default)]
    values: Map<String, Value>,
    /// Version of the chart; leave out for the newest.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    version: Option<String>,
    /// Address of the repository the chart is in.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1000))]
    repo: Option<String>,
    /// Make the namespace when it is not there.
    #[serde(default)]
    create_namespace: bool,
    /// Wait until everything is ready.
    #[serde(default = "yes")]
    wait: bool,
    /// Seconds to wait at most.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 1, max = 3600))]
    timeout: u32,
}

/// Arguments of `upgradeChart`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upgrade {
    /// Name of the release.
    #[schemars(length(min = 1, max = 53))]
    name: String,
    /// `repository/chart`, `oci://…`, `https://….tgz`, or a name in `repo`.
    #[schemars(length(min = 1, max = 1000))]
    chart: String,
    /// Namespace of the release.
    #[serde(default = "crate::object::default_namespace")]
    #[schemars(length(min = 1, max = 63))]
    namespace: String,
    /// Values of the chart; those of before do not count.
    #[serde(default)]
    values: Map<String, Value>,
    /// Version of the chart; leave out for the newest.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    version: Option<String>,
    /// Address of the repository the chart is in.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1000))]
    repo: Option<String>,
    /// Install the release when it is not there.
    #[serde(default)]
    install: bool,
    /// Wait until everything is ready.
    #[serde(default = "yes")]
    wait: bool,
    /// Seconds to wait at most.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 1, max = 3600))]
    timeout: u32,
}

const fn yes() -> bool {
    true
}

const fn five_minutes() -> u32 {
    300
}

/// What became of the release.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Released {
    /// Its name.
    name: String,
    /// Its namespace.
    namespace: String,
    /// How often it was changed.
    revision: u64,
    /// Such as `deployed`.
    status: String,
    /// What the chart says to its user; null when it says nothing.
    notes: Option<String>,
}

/// As `helm install` and `helm upgrade` print it.
#[derive(Deserialize)]
struct Printed {
    name: String,
    namespace: String,
    version: u64,
    info: Info,
}

#[derive(Deserialize)]
struct Info {
    status: String,
    #[serde(default)]
    notes: Option<String>,
}

impl From<Printed> for Released {
    fn from(printed: Printed) -> Self {
        Self {
            name: printed.name,
            namespace: printed.namespace,
            revision: printed.version,
            status: printed.info.status,
            notes: printed.info.notes.filter(|it| !it.is_empty()),
        }
    }
}

impl Chart<'_> {
    fn check(&self) -> Result<(), ToolError> {
        names::label("name", self.name)?;
        names::label("namespace", self.namespace)?;
        let plain = |text: &str, more: &str| {
            !text.starts_with(['-', '.', '/'])
                && !text.contains("..")
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let chart = self.chart;
        let remote = chart.starts_with("oci://") || chart.starts_with("https://");
        // A word with one slash is a chart of a repository unless such a folder is there; helm runs in
        // a folder that has none.
        let known = remote || chart.matches('/').count() <= 1;
        if !known || !plain(chart, "-_.:/+@") {
            let rule = "expected repository/chart, oci://…, https://… or a name with repo";
            return Err(ToolError::invalid("chart", rule));
        }
        if self.version.is_some_and(|it| !plain(it, "-_.+~^<>=*, |")) {
            return Err(ToolError::invalid("version", "is no version"));
        }
        if let Some(repo) = self.repo {
            let parsed = BaseUrl::try_from(repo.to_owned());
            parsed.map_err(|rule| ToolError::invalid("repo", rule))?;
        }
        Ok(())
    }

    fn summary(&self, verb: &str, values: &Map<String, Value>) -> String {
        let keys: Vec<&str> = values.keys().map(String::as_str).take(50).collect();
        format!(
            "{verb} release {} of chart {} {} in namespace {}\nRepository: {}\nValues for: {}",
            self.name,
            self.chart,
            self.version.unwrap_or("(newest)"),
            self.namespace,
            self.repo.unwrap_or("as configured"),
            keys.join(", ")
        )
    }

    fn words(&self, verb: &str) -> Vec<String> {
        let mut words = words([
            verb,
            self.name,
            self.chart,
            "--namespace",
            self.namespace,
            "--output",
            "json",
            "--values",
            "-",
        ]);
        for (flag, value) in [("--version", self.version), ("--repo", self.repo)] {
            words.extend(value.into_iter().flat_map(|it| [flag.into(), it.into()]));
        }
        if self.wait {
            words.push("--wait".into());
        }
        words.extend(["--timeout".into(), format!("{}s", self.timeout)]);
        words
    }
}

impl Install {
    fn chart(&self) -> Result<Chart<'_>, ToolError> {
        let chart = Chart {
            name: &self.name,
            chart: &self.chart,
            namespace: &self.namespace,
            version: self.version.as_deref(),
            repo: self.repo.as_deref(),
            wait: self.wait,
            timeout: self.timeout,
        };
        chart.check().map(|()| chart)
    }
}

impl Upgrade {
    fn chart(&self) -> Result<Chart<'_>, ToolError> {
        let chart = Chart {
            name: &self.name,
            chart: &self.chart,
            namespace: &self.namespace,
            version: self.version.as_deref(),
            repo: self.repo.as_deref(),
            wait: self.wait,
            timeout: self.timeout,
        };
        chart.check().map(|()| chart)
    }
}

fn input(values: Map<String, Value>) -> Vec<u8> {
    // JSON is YAML.
    Value::Object(values).to_string().into_bytes()
}

#[async_trait]
impl TypedTool for InstallChart {
    type Arguments = Install;
    type Output = Released;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.helm.installChart",
            Effect::Mutate,
            "Install a Helm chart as a new release in a Kubernetes namespace.",
        )
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &Install, _: &Call) -> Result<Assessment, ToolError> {
        let summary = arguments.chart()?.summary("Install", &arguments.values);
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: Install, call: &Call) -> Result<Released, ToolError> {
        let mut words = arguments.chart()?.words("install");
        if arguments.create_namespace {
            words.push("--create-namespace".into());
        }
        call.progress.report(0.0, None, "helm install");
        let printed: Printed = self.0.json(words, input(arguments.values), call).await?;
        Ok(printed.into())
    }
}

#[async_trait]
impl TypedTool for UpgradeChart {
    type Arguments = Upgrade;
    type Output = Released;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.helm.upgradeChart",
            Effect::Mutate,
            "Upgrade a Helm release to a chart and values; with install also when it is not there.",
        )
        .idempotent()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &Upgrade, _: &Call) -> Result<Assessment, ToolError> {
        let summary = arguments.chart()?.summary("Upgrade", &arguments.values);
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: Upgrade, call: &Call) -> Result<Released, ToolError> {
        let mut words = arguments.chart()?.words("upgrade");
        if arguments.install {
            words.push("--install".into());
        }
        call.progress.report(0.0, None, "helm upgrade");
        let printed: Printed = self.0.json(words, input(arguments.values), call).await?;
        Ok(printed.into())
    }
}
