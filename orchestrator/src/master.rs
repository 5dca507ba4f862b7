//! The hub's own tools, offered like those of any service. Source:
//! `catalogue.md` 4, "00 master".
//!
//! They only read what other modules know, and hand workflows to their engine.

mod approvals;
mod artefacts;
mod health;
mod info;
mod probe;
mod small;
mod stdio;
mod totals;
mod workflows;

pub use approvals::approval_tools;
pub use artefacts::{READ as READ_ARTEFACT, artefact_tools};
pub use stdio::stdio_tools;
pub use workflows::workflow_tools;

pub use probe::{HealthProbe, ProbeError, Probed};

use crate::metrics::Metrics;
use crate::registry::{Registry, ServiceView};
use crate::upstream::local::{LocalError, LocalUpstream};
use schemars::JsonSchema;
use serde::Deserialize;
use shared::clock::SharedClock;
use shared::error::Code;
use shared::id::InvalidId;
use shared::tool::{Tool, ToolError, boxed};
use std::sync::{Arc, Weak};
use tokio::time::Instant;

/// Folder name of the hub among the services.
pub const SERVICE: &str = "00_master_mcp";
/// Dotted prefixes the hub answers for itself.
pub const NAMESPACES: [&str; 7] = [
    "master",
    "orchestrator",
    "workflow",
    "approvals",
    "system",
    "artefacts",
    "stdio",
];

/// What the tools know.
#[derive(Clone)]
pub struct MasterParts {
    /// Services, their health and breakers. Weak, since the registry holds these tools.
    pub registry: Weak<Registry>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Asks spokes for their health.
    pub probe: HealthProbe,
    /// Dates.
    pub clock: SharedClock,
    /// When the hub started.
    pub started: Instant,
    /// Version of this build.
    pub version: &'static str,
    /// The port the hub is reached at.
    pub port: u16,
}

/// Tools that cannot be offered: a mistake in their definitions.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    /// An id is not canonical.
    #[error("a tool of the hub has no canonical id")]
    Id(#[from] InvalidId),
    /// A schema or an id is unusable.
    #[error("a tool of the hub cannot be offered")]
    Offer(#[from] LocalError),
}

/// The hub's own tools with `more` of them, such as those about approvals.
///
/// # Errors
/// [`MasterError`] when a definition is wrong.
pub fn upstream(
    parts: &MasterParts,
    more: Vec<Arc<dyn Tool>>,
) -> Result<LocalUpstream, MasterError> {
    let mut tools = vec![
        boxed(health::GetServiceHealth(parts.clone()))?,
        boxed(health::SystemHealth(parts.clone()))?,
        boxed(info::ListServices(parts.clone()))?,
        boxed(info::GetServerInfo(parts.clone()))?,
        boxed(small::HelloWorld)?,
        boxed(small::AddNumbers)?,
        boxed(totals::GetMetrics(parts.clone()))?,
    ];
    tools.extend(more);
    let offered = LocalUpstream::new(SERVICE, parts.version, &NAMESPACES, tools)?;
    Ok(offered)
}

/// A tool without parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoArguments {}

impl MasterParts {
    fn services(&self) -> Result<Vec<ServiceView>, ToolError> {
        let registry = self.registry.upgrade();
        let registry = registry
            .ok_or_else(|| ToolError::refused(Code::ServiceUnavailable, "the hub is stopping"))?;
        Ok(registry.services())
    }

    /// Every service but the hub itself.
    fn downstream(&self) -> Result<Vec<ServiceView>, ToolError> {
        let mut services = self.services()?;
        services.retain(|service| !service.own);
        Ok(services)
    }
}

#[cfg(test)]
mod tests;
