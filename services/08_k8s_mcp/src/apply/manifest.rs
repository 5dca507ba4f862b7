//! Manifests as callers write them, held against the kinds that may be applied.

use crate::names;
use crate::object::{APPS, CORE};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::tool::ToolError;
use std::fmt;

const FIELD: &str = "yamlContent";
/// Manifests of one call at most.
const MAX: usize = 100;

/// A kind that can be applied.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    version: &'static str,
    group: &'static [&'static str],
    plural: &'static str,
    namespaced: bool,
}

const NETWORKING: &[&str] = &["apis", "networking.k8s.io", "v1"];

const fn kind(
    name: &'static str,
    version: &'static str,
    group: &'static [&'static str],
    plural: &'static str,
) -> Kind {
    Kind {
        name,
        version,
        group,
        plural,
        namespaced: true,
    }
}

/// Source: `catalogue.md` 4, 08.
const KINDS: &[Kind] = &[
    Kind {
        namespaced: false,
        ..kind("Namespace", "v1", CORE, "namespaces")
    },
    kind("Pod", "v1", CORE, "pods"),
    kind("Service", "v1", CORE, "services"),
    kind("Deployment", "apps/v1", APPS, "deployments"),
    kind("ConfigMap", "v1", CORE, "configmaps"),
    kind("Secret", "v1", CORE, "secrets"),
    kind("Ingress", "networking.k8s.io/v1", NETWORKING, "ingresses"),
    kind(
        "PersistentVolumeClaim",
        "v1",
        CORE,
        "persistentvolumeclaims",
    ),
];

/// One manifest that may be applied.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) kind: &'static Kind,
    pub(super) name: String,
    /// `None` for kinds outside of namespaces.
    pub(super) namespace: Option<String>,
    pub(super) document: Value,
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespace = self.namespace.as_deref().unwrap_or("-");
        write!(f, "{} {namespace}/{}", self.kind.name, self.name)
    }
}

impl Manifest {
    /// The parts of its path.
    pub(super) fn path(&self) -> Vec<&str> {
        let namespace = self.namespace.as_deref();
        let mut parts = crate::object::path(self.kind.group, namespace, self.kind.plural);
        parts.push(&self.name);
        parts
    }
}

/// Reads manifests; `allowed` are the kinds that may be applied.
pub(super) fn read(
    text: &str,
    namespace: Option<&str>,
    allowed: &[String],
) -> Result<Vec<Manifest>, ToolError> {
    let namespace = namespace
        .map(|it| names::label("namespace", it))
        .transpose()?;
    let mut manifests = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(text) {
        let place = manifests.len() + 1;
        let parsed = Value::deserialize(document);
        let parsed = parsed.or(Err(invalid(place, "is no YAML that JSON could say")))?;
        if parsed.is_null() {
            continue;
        }
        if manifests.len() >= MAX {
            return Err(ToolError::invalid(FIELD, "at most 100 manifests"));
        }
        manifests.push(one(parsed, namespace, allowed).map_err(|why| invalid(place, why))?);
    }
    match manifests.is_empty() {
        true => Err(ToolError::invalid(FIELD, "there is no manifest")),
        false => Ok(manifests),
    }
}

fn invalid(place: usize, why: &str) -> ToolError {
    ToolError::invalid(FIELD, format!("manifest {place} {why}"))
}

fn one(
    mut document: Value,
    namespace: Option<&str>,
    allowed: &[String],
) -> Result<Manifest, &'static str> {
    let text = |at: &str| document.pointer(at).and_then(Value::as_str);
    let name = text("/metadata/name").ok_or("has no metadata.name")?;
    let kind = text("/kind").ok_or("has no kind")?;
    let known = KINDS.iter().find(|it| it.name == kind);
    let kind = known
        .filter(|it| allowed.iter().any(|one| one == it.name))
        .ok_or("is of a kind that may not be applied here; K8S_ALLOWED_KINDS lists them")?;
    if text("/apiVersion") != Some(kind.version) {
        return Err("is not of the apiVersion that is known for its kind");
    }
    let name = names::object("metadata.name", name)
        .or(Err("has a name Kubernetes does not allow"))?
        .to_owned();
    let own = text("/metadata/namespace").map(str::to_owned);
    let namespace = match (kind.namespaced, own.as_deref(), namespace) {
        (false, None, _) => None,
        (false, Some(_), _) => return Err("names a namespace, and its kind has none"),
        (true, Some(own), Some(given)) if own != given => {
            return Err("names another namespace than the call");
        }
        (true, own, given) => Some(own.or(given).unwrap_or("default").to_owned()),
    };
    if let Some(namespace) = &namespace {
        names::label("metadata.namespace", namespace)
            .or(Err("has a namespace Kubernetes does not allow"))?;
        if let Some(meta) = document.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.insert("namespace".into(), json!(namespace));
        }
    }
    Ok(Manifest {
        kind,
        name,
        namespace,
        document,
    })
}
