//! Third-party servers, and programs for callers, built from the settings.

use super::{Inputs, StartError, settings};
use crate::config::{Config, InvalidConfig};
use crate::gateway::Gateway;
use crate::programs::Programs;
use crate::registry::Registry;
use crate::servers::{Servers, ServersConfig, ServersParts};
use crate::store::Store;
use shared::exec::{Executor, SearchPath};
use shared::outbound::Outbound;
use std::sync::Arc;

/// The servers of this hub; none has joined yet.
pub(super) fn servers(
    inputs: &Inputs,
    gateway: &Gateway,
    registry: &Arc<Registry>,
    store: &Store,
) -> Result<Arc<Servers>, StartError> {
    let config = &inputs.config.third_party;
    let outbound = Outbound::allowing(&config.outbound).map_err(|error| InvalidConfig::Rule {
        key: "WAYGATE_OUTBOUND_ALLOW",
        rule: error.to_string(),
    })?;
    let executor = executor(gateway);
    Ok(Servers::new(ServersParts {
        config: ServersConfig {
            programs: config.programs.clone(),
            starts_per_minute: config.starts_per_minute,
            resilience: settings::resilience(&inputs.config),
        },
        store: store.clone(),
        registry: Arc::clone(registry),
        audit: Arc::clone(&gateway.audit),
        metrics: Arc::clone(&gateway.metrics),
        clock: Arc::clone(&gateway.clock),
        tasks: gateway.tasks.clone(),
        secrets: Arc::clone(&inputs.secrets),
        outbound,
        executor,
    }))
}

/// The programs callers may run.
pub(super) fn programs(config: &Config, gateway: &Gateway) -> Result<Arc<Programs>, StartError> {
    let programs = Programs::new(
        &config.third_party.programs,
        executor(gateway),
        Arc::clone(&gateway.clock),
        gateway.tasks.clone(),
    );
    programs.map_err(|error| StartError::Part("the programs for callers", Box::new(error)))
}

/// `None` where the walls for programs are missing.
fn executor(gateway: &Gateway) -> Option<Executor> {
    Executor::new(SearchPath::system(), gateway.tasks.clone())
        .inspect_err(|error| {
            tracing::warn!(event = "no_programs", %error, "no program can be started");
        })
        .ok()
}
