//! The connection to Azure, or the setting that is missing for it; what health checks say of it.

use crate::arm::Arm;
use crate::blob::BlobService;
use crate::config::Config;
use crate::credential::{Identity, IdentityError};
use async_trait::async_trait;
use shared::files::Files;
use shared::remote::Remote;
use shared::spoke::{Health, HealthCheck, Kit};
use shared::tool::{Check, ToolError};
use std::sync::Arc;

const SETTINGS: &str = "AZURE_CLIENT_ID and its roles";

/// The cloud, or what is missing.
#[derive(Debug)]
pub(crate) enum Azure {
    Ready(Box<Connection>),
    Missing(&'static str),
}

/// Reaches the cloud.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Resource Manager.
    pub(crate) arm: Arm,
    /// Blobs.
    pub(crate) blobs: BlobService,
    identity: Arc<Identity>,
    /// What may be uploaded from and downloaded to.
    pub(crate) files: Arc<Files>,
}

impl Azure {
    /// Prepares the connection; asks nobody yet.
    ///
    /// # Errors
    /// [`IdentityError`], but a missing setting is none.
    pub(crate) fn prepare(config: &Config, kit: &Kit) -> Result<Self, IdentityError> {
        let settings = &config.azure;
        if settings.subscription_id.is_empty() {
            return Ok(Self::Missing("AZURE_SUBSCRIPTION_ID"));
        }
        let Some(base) = settings.arm_url.0.clone() else {
            return Ok(Self::Missing("AZURE_ARM_URL"));
        };
        let identity = match Identity::prepare(config, kit.secrets.as_ref()) {
            Ok(identity) => Arc::new(identity),
            Err(IdentityError::Missing(setting)) => return Ok(Self::Missing(setting)),
            Err(error) => return Err(error),
        };
        let guard = config.outbound.allow.0.clone();
        let timeout = settings.timeout_seconds.duration();
        let arm = Arm::new(
            base,
            settings.subscription_id.clone(),
            Remote::new("Azure", SETTINGS, guard.clone(), timeout)?,
            Arc::clone(&identity),
            Arc::clone(&kit.clock),
        );
        let most = usize::try_from(config.files.max_bytes).unwrap_or(usize::MAX);
        let remote = Remote::new("Azure Storage", SETTINGS, guard, timeout)?.max_bytes(most);
        Ok(Self::Ready(Box::new(Connection {
            arm,
            blobs: BlobService::new(settings.blob_url.clone(), remote, Arc::clone(&identity)),
            identity,
            files: Arc::new(Files::new(config.files.rules())),
        })))
    }

    /// The connection.
    ///
    /// # Errors
    /// `NOT_CONFIGURED` names the setting that is missing.
    pub(crate) fn ready(&self) -> Result<&Connection, ToolError> {
        match self {
            Self::Ready(connection) => Ok(connection),
            Self::Missing(setting) => Err(ToolError::not_configured(setting)),
        }
    }
}

/// What was looked at before critical work, or the one check that fails because nothing could be
/// looked at.
pub(crate) fn checks_or_why(checks: Result<Vec<Check>, ToolError>) -> Vec<Check> {
    checks.unwrap_or_else(|error| vec![check("azure_answers", false, error.message)])
}

/// One precondition.
pub(crate) fn check(name: &str, ok: bool, detail: impl Into<String>) -> Check {
    Check {
        name: name.to_owned(),
        ok,
        detail: detail.into(),
    }
}

/// Whether Azure answered last. Nobody is asked: a probe must not load a system of others.
pub(crate) struct CloudCheck(pub(crate) Arc<Azure>);

#[async_trait]
impl HealthCheck for CloudCheck {
    fn name(&self) -> &str {
        "azure"
    }

    async fn check(&self) -> Health {
        let connection = match self.0.as_ref() {
            Azure::Missing(setting) => {
                return Health::Degraded(format!("not configured: set {setting}"));
            }
            Azure::Ready(connection) => connection,
        };
        let trouble = connection.identity.trouble();
        let trouble = trouble.or_else(|| connection.arm.trouble());
        match trouble.or_else(|| connection.blobs.trouble()) {
            None => Health::Healthy,
            Some(trouble) => Health::Degraded(trouble),
        }
    }
}
