//! What all objects of Kubernetes have. Source: API conventions, `ObjectMeta`.

use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Names, dates and labels of an object.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Meta {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) uid: String,
    pub(crate) creation_timestamp: Option<Timestamp>,
    pub(crate) deletion_timestamp: Option<Timestamp>,
    pub(crate) labels: BTreeMap<String, String>,
}

impl Meta {
    /// When it was made; the beginning of time for what has no date, which the API does not give.
    pub(crate) fn created(&self) -> Timestamp {
        self.creation_timestamp.unwrap_or_default()
    }
}

/// The parts of the path to a list: of one namespace, or of all.
pub(crate) fn path<'a>(
    group: &[&'a str],
    namespace: Option<&'a str>,
    kind: &'a str,
) -> Vec<&'a str> {
    let mut parts = group.to_vec();
    if let Some(namespace) = namespace {
        parts.extend(["namespaces", namespace]);
    }
    parts.push(kind);
    parts
}

/// The path of the core group.
pub(crate) const CORE: &[&str] = &["api", "v1"];
/// The path of deployments.
pub(crate) const APPS: &[&str] = &["apis", "apps", "v1"];

/// For parameters `namespace`.
pub(crate) fn default_namespace() -> String {
    "default".into()
}
