//! `infra.k8s.helm.listReleases`.

use super::{Helm, words};
use crate::names;
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// The tool.
pub(crate) struct ListReleases(pub(crate) Arc<Helm>);

/// Its arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Arguments {
    /// Only releases of this namespace; leave out for `default`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 63))]
    namespace: Option<String>,
    /// Releases of all namespaces; `namespace` does not count then.
    #[serde(default)]
    all_namespaces: bool,
}

/// Its result.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Releases {
    /// The releases, by namespace and name.
    releases: Vec<Release>,
    /// How many these are.
    count: usize,
}

/// One release.
#[derive(Debug, Serialize, JsonSchema)]
struct Release {
    /// Its name.
    name: String,
    /// Its namespace.
    namespace: String,
    /// How often it was changed.
    revision: u64,
    /// `deployed`, `failed`, `pending-install`, …
    status: String,
    /// Chart with its version.
    chart: String,
    /// Version of what is in the chart.
    app_version: String,
    /// When it was changed last.
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated: Timestamp,
}

/// As `helm list` prints it.
#[derive(Deserialize)]
struct Printed {
    name: String,
    namespace: String,
    revision: String,
    status: String,
    chart: String,
    #[serde(default)]
    app_version: String,
    #[serde(default)]
    updated: String,
}

#[async_trait]
impl TypedTool for ListReleases {
    type Arguments = Arguments;
    type Output = Releases;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.helm.listReleases",
            Effect::Read,
            "List the Helm releases of a Kubernetes namespace, or of all.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Releases, ToolError> {
        let namespace = arguments.namespace.as_deref().unwrap_or("default");
        let namespace = names::label("namespace", namespace)?;
        let mut words = words(["list", "--all", "--max", "1000", "--output", "json"]);
        match arguments.all_namespaces {
            true => words.push("--all-namespaces".into()),
            false => words.extend(["--namespace".into(), namespace.into()]),
        }
        let printed: Vec<Printed> = self.0.json(words, Vec::new(), call).await?;
        let shown = |it: Printed| Release {
            updated: date(&it.updated),
            revision: it.revision.parse().unwrap_or_default(),
            name: it.name,
            namespace: it.namespace,
            status: it.status,
            chart: it.chart,
            app_version: it.app_version,
        };
        let mut releases: Vec<Release> = printed.into_iter().map(shown).collect();
        releases.sort_by(|one, other| {
            (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name))
        });
        Ok(Releases {
            count: releases.len(),
            releases,
        })
    }
}

/// Such as `2026-11-20 10:11:12.123 +0100 CET`; what is no date becomes the beginning of time.
fn date(text: &str) -> Timestamp {
    let mut parts = text.split_whitespace();
    let (Some(day), Some(time), Some(zone)) = (parts.next(), parts.next(), parts.next()) else {
        return Timestamp::default();
    };
    format!("{day}T{time}{zone}").parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn the_dates_of_the_program_are_read() {
        let read = date("2026-11-20 10:11:12.5 +0100 CET").to_string();
        assert_eq!(read, "2026-11-20T09:11:12.5Z");
        assert_eq!(date("soon").to_string(), "1970-01-01T00:00:00Z");
    }
}
