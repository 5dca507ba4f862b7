//! The tools of the hub itself, built from the parts they work with.

use super::{StartError, secrets};
use crate::artefacts::Artefacts;
use crate::config::Config;
use crate::gateway::Gateway;
use crate::master::{self, HealthProbe, MasterParts};
use crate::programs::Programs;
use crate::registry::Registry;
use crate::workflow::Workflows;
use std::sync::Arc;

/// What the tools work with.
pub(super) struct OwnTools {
    pub(super) workflows: Arc<Workflows>,
    pub(super) artefacts: Arc<Artefacts>,
    pub(super) programs: Arc<Programs>,
}

impl OwnTools {
    /// Offers them.
    pub(super) async fn add(
        &self,
        config: &Config,
        registry: &Arc<Registry>,
        gateway: &Gateway,
    ) -> Result<(), StartError> {
        let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
            StartError::Part("the hub's own tools", error)
        };
        let parts = MasterParts {
            registry: Arc::downgrade(registry),
            metrics: Arc::clone(&gateway.metrics),
            probe: match secrets::spoke_tls(config)? {
                None => HealthProbe::new(),
                Some(tls) => HealthProbe::believing(&tls.authority),
            }
            .map_err(|error| failed(Box::new(error)))?,
            clock: Arc::clone(&gateway.clock),
            started: tokio::time::Instant::now(),
            version: env!("CARGO_PKG_VERSION"),
            port: config.server.port,
        };
        let mut tools =
            master::approval_tools(&gateway.approvals).map_err(|error| failed(Box::new(error)))?;
        let more =
            master::workflow_tools(&self.workflows).map_err(|error| failed(Box::new(error)))?;
        tools.extend(more);
        let more = master::artefact_tools(&self.artefacts);
        tools.extend(more.map_err(|error| failed(Box::new(error)))?);
        let more = master::stdio_tools(&self.programs, &gateway.clock);
        tools.extend(more.map_err(|error| failed(Box::new(error)))?);
        let own = master::upstream(&parts, tools).map_err(|error| failed(Box::new(error)))?;
        registry
            .add_own(Arc::new(own))
            .await
            .map_err(|error| failed(Box::new(error)))
    }
}
