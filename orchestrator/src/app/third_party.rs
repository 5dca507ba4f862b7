//! Third-party servers, programs for callers and the way to services outside, built from the settings.

use super::{Inputs, StartError, settings};
use crate::calls::{Calls, Guarded, Outward};
use crate::config::{Config, InvalidConfig};
use crate::gateway::Gateway;
use crate::keys::{HubKey, Seal};
use crate::programs::Programs;
use crate::registry::Registry;
use crate::servers::{Servers, ServersConfig, ServersParts};
use crate::store::Store;
use crate::workflow::{Hook, Outside};
use shared::exec::{Executor, SearchPath};
use shared::outbound::Outbound;
use shared::secret::Secret;
use std::sync::Arc;
use url::Url;

/// The servers of this hub; none has joined yet.
pub(super) fn servers(
    inputs: &Inputs,
    gateway: &Gateway,
    registry: &Arc<Registry>,
    (store, key): (&Store, &HubKey),
) -> Result<Arc<Servers>, StartError> {
    let config = &inputs.config.third_party;
    let outbound = outbound(inputs)?;
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
        seal: Arc::new(Seal::of(key, "waygate/server-tokens/v1")),
        public_url: inputs
            .config
            .server
            .public_url
            .trim_end_matches('/')
            .to_owned(),
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

/// What steps of workflows that call no tool go through.
pub(super) fn outside(inputs: &Inputs, servers: &Arc<Servers>) -> Result<Outside, StartError> {
    let web = Guarded::new(outbound(inputs)?);
    let web = web.map_err(|error| StartError::Part("the web client", Box::new(error)))?;
    let outward = Outward::new(Calls::new(Arc::new(web)));
    let resilience = settings::resilience(&inputs.config);
    Ok(Outside::new(outward, Some(Arc::clone(servers)), resilience))
}

/// Where the life of runs is told; `None` where nobody is.
pub(super) fn hook(inputs: &Inputs, secret: Option<&Secret>) -> Result<Option<Hook>, StartError> {
    let address = inputs.config.workflows.webhook_url.trim();
    if address.is_empty() {
        return Ok(None);
    }
    let broken = |rule: &str| {
        StartError::from(InvalidConfig::Rule {
            key: "WAYGATE_WORKFLOW_WEBHOOK",
            rule: rule.to_owned(),
        })
    };
    let url = Url::parse(address).map_err(|error| broken(&error.to_string()))?;
    let secret = secret.ok_or_else(|| broken("needs WAYGATE_SECRET_KEY to sign with"))?;
    let guard = outbound(inputs)?;
    guard
        .check(&url)
        .map_err(|refused| broken(&refused.to_string()))?;
    let web = Guarded::new(guard);
    let web = web.map_err(|error| StartError::Part("the web client", Box::new(error)))?;
    Ok(Some(Hook {
        url,
        secret: secret.clone(),
        web: Arc::new(web),
    }))
}

fn outbound(inputs: &Inputs) -> Result<Outbound, InvalidConfig> {
    let allowed = Outbound::allowing(&inputs.config.third_party.outbound);
    allowed.map_err(|error| InvalidConfig::Rule {
        key: "WAYGATE_OUTBOUND_ALLOW",
        rule: error.to_string(),
    })
}
