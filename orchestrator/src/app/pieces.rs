//! Parts that commands of the CLI need too: policies, the hub's key, the audit trail.

use super::StartError;
use crate::audit::Audit;
use crate::config::Config;
use crate::keys::HubKey;
use crate::policy::Policy;
use crate::store::instance::Instance;
use std::path::Path;
use std::sync::Arc;

/// The policies shipped with this build.
const SHIPPED_POLICIES: &str = include_str!("../../../config/policies.yaml");

/// The policies of the config folder, or the shipped ones.
///
/// # Errors
/// [`StartError::Policy`] names the rule and the field.
pub fn policy_of(config: &Config) -> Result<Policy, StartError> {
    let file = config
        .paths
        .below_base(&config.paths.config)
        .join("policies.yaml");
    if !file.is_file() {
        return Ok(Policy::parse(SHIPPED_POLICIES)?);
    }
    let text = std::fs::read_to_string(&file)
        .map_err(|error| StartError::Part("config/policies.yaml", Box::new(error)))?;
    Ok(Policy::parse(&text)?)
}

/// The key the hub signs with.
///
/// # Errors
/// [`StartError::Secret`] names the variable and the command that makes a key.
pub fn hub_key(config: &Config) -> Result<HubKey, StartError> {
    let path = config.paths.below_base(&config.spokes.call_key_path);
    key_in(&path).map_err(|why| {
        StartError::Secret(format!(
            "WAYGATE_CALL_KEY_PATH: {why}; make a key with: waygate secrets generate"
        ))
    })
}

fn key_in(path: &Path) -> Result<HubKey, String> {
    let bytes =
        std::fs::read(path).map_err(|error| format!("the file cannot be read ({error})"))?;
    HubKey::from_bytes(&bytes).map_err(|error| error.to_string())
}

/// The audit trail of a store, for processes that only add a few events.
///
/// # Errors
/// As [`hub_key`], and when the trail cannot be read.
pub async fn audit_of(config: &Config, instance: &Instance) -> Result<Audit, StartError> {
    Audit::start(instance, Arc::new(hub_key(config)?), None)
        .await
        .map_err(|error| StartError::Part("the audit trail", Box::new(error)))
}
