//! The secrets of an installation: read, checked, and what hangs on them at the start.

use super::{Inputs, StartError};
use crate::audit::Event;
use crate::auth::{BootstrapError, Bootstrapped};
use crate::config::{Config, SpokeAuth};
use crate::gateway::Gateway;
use crate::keys;
use crate::metrics::Metrics;
use crate::redis::Redis;
use crate::upstream::grpc::SpokeTls;
use shared::secret::Secret;
use std::path::Path;
use std::sync::Arc;

/// Shortest secret the hub takes, in bytes.
const LEAST_SECRET_BYTES: usize = 32;

/// The secret of the installation, without which production does not start.
///
/// # Errors
/// [`StartError::Secret`] names the variable.
pub(super) fn installation(inputs: &Inputs) -> Result<Option<Secret>, StartError> {
    let refused = |rule: &str| {
        let hint = "make one with: waygate secrets generate";
        Err(StartError::Secret(format!(
            "WAYGATE_SECRET_KEY: {rule}; {hint}"
        )))
    };
    let found = inputs
        .secrets
        .get("SECRET_KEY")
        .map_err(|error| StartError::Secret(error.to_string()))?;
    match found {
        Some(secret) if secret.expose().len() < LEAST_SECRET_BYTES => {
            refused("must be at least 32 bytes")
        }
        None if inputs.config.is_production() => refused("is required in production"),
        found => Ok(found),
    }
}

/// What signs decisions of another system: given, or derived from the secret of the installation.
///
/// # Errors
/// [`StartError::Secret`] names the variable.
pub(super) fn webhook(
    inputs: &Inputs,
    installation: Option<&Secret>,
) -> Result<Option<Secret>, StartError> {
    let unreadable = |error: shared::secret::SecretError| StartError::Secret(error.to_string());
    // A file is named by WAYGATE_APPROVAL_WEBHOOK_SECRET_PATH, so the secret's name is the shorter one.
    let given = match inputs.secrets.get("APPROVAL_WEBHOOK").map_err(unreadable)? {
        None => inputs
            .secrets
            .get("APPROVAL_WEBHOOK_SECRET")
            .map_err(unreadable)?,
        given => given,
    };
    match given {
        Some(secret) if secret.expose().len() < LEAST_SECRET_BYTES => Err(StartError::Secret(
            "WAYGATE_APPROVAL_WEBHOOK_SECRET: must be at least 32 bytes".into(),
        )),
        None => Ok(installation.map(keys::webhook_secret)),
        given => Ok(given),
    }
}

/// Redis, where one is set; nothing is asked yet.
///
/// # Errors
/// [`StartError::Secret`] names the variable.
pub(super) fn redis(
    inputs: &Inputs,
    metrics: &Arc<Metrics>,
) -> Result<Option<Arc<Redis>>, StartError> {
    let Some(url) = inputs.config.redis_url() else {
        return Ok(None);
    };
    let password = inputs.secrets.get("REDIS_PASSWORD");
    let password = password.map_err(|error| StartError::Secret(error.to_string()))?;
    let opened = Redis::open(&url, password.as_ref(), Arc::clone(metrics));
    // The error may repeat the address, and a password in it.
    let refused = |_| StartError::Secret("WAYGATE_REDIS_URL: is no address of Redis".into());
    opened.map(|redis| Some(Arc::new(redis))).map_err(refused)
}

/// What the hub proves itself to spokes with; `None` where it does not.
///
/// # Errors
/// [`StartError::Secret`] when the file cannot be read.
pub(super) fn spoke_token(config: &Config) -> Result<Option<Secret>, StartError> {
    if config.spokes.auth != SpokeAuth::Token {
        return Ok(None);
    }
    let path = config.paths.below_base(&config.spokes.token_path);
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(Secret::new(text.trim()))),
        Err(error) => Err(StartError::Secret(format!(
            "WAYGATE_SPOKE_TOKEN_PATH: the file cannot be read ({error}); make one with: waygate secrets generate"
        ))),
    }
}

/// The certificates between hub and spokes; `None` where there are none.
///
/// # Errors
/// [`StartError::Secret`] names the variable of a file that cannot be read.
pub(super) fn spoke_tls(config: &Config) -> Result<Option<SpokeTls>, StartError> {
    if config.spokes.auth != SpokeAuth::Mtls {
        return Ok(None);
    }
    let read = |variable: &str, path: &Path| {
        std::fs::read(config.paths.below_base(path)).map_err(|error| {
            StartError::Secret(format!("{variable}: the file cannot be read ({error})"))
        })
    };
    let spokes = &config.spokes;
    let key = read("WAYGATE_SPOKE_TLS_KEY_PATH", &spokes.tls_key_path)?;
    Ok(Some(SpokeTls {
        authority: read("WAYGATE_SPOKE_TLS_CA_PATH", &spokes.tls_ca_path)?,
        certificate: read("WAYGATE_SPOKE_TLS_CERT_PATH", &spokes.tls_cert_path)?,
        key: Secret::new(String::from_utf8_lossy(&key)),
    }))
}

/// Makes the operator's key the one bootstrap key, and writes down when that changed anything.
///
/// # Errors
/// [`StartError`] when the key is unusable or the store refuses.
pub(super) async fn bootstrap(inputs: &Inputs, gateway: &Gateway) -> Result<(), StartError> {
    let key = inputs
        .secrets
        .get("API_KEY")
        .map_err(|error| StartError::Secret(error.to_string()))?;
    let done = gateway.auth.bootstrap(key).await;
    let action = match done.map_err(bootstrap_failed)? {
        Bootstrapped::Unchanged => return Ok(()),
        Bootstrapped::Installed => "key.bootstrap_installed",
        Bootstrapped::Removed => "key.bootstrap_removed",
    };
    let event = Event {
        action,
        resource_type: "api_key",
        resource_id: "bootstrap".to_owned(),
        actor: Arc::from("system:bootstrap"),
        organization: Arc::from("default"),
        address: None,
        details: serde_json::json!({}),
        correlation_id: None,
    };
    let recorded = gateway.audit.event(event).await;
    recorded.map_err(|error| StartError::Part("the audit trail", Box::new(error)))
}

fn bootstrap_failed(error: BootstrapError) -> StartError {
    match error {
        BootstrapError::Weak(rule) => {
            StartError::Secret(format!("WAYGATE_API_KEY: the key {rule}"))
        }
        BootstrapError::Store(error) => StartError::Store(error),
    }
}
