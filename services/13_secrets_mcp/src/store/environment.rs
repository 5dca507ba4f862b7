//! Secrets of the spoke's own environment: only names the operator lists, read as every secret is.

use super::{Found, Setup};
use crate::config;
use shared::error::Code;
use shared::secret::SecretProvider;
use shared::tool::ToolError;
use std::sync::Arc;

/// The listed variables.
pub(super) struct OwnEnvironment {
    allowed: Vec<String>,
    secrets: Arc<dyn SecretProvider>,
}

impl OwnEnvironment {
    pub(super) fn new(
        settings: &config::OwnEnvironment,
        secrets: &Arc<dyn SecretProvider>,
    ) -> Self {
        Self {
            allowed: settings.allow.clone(),
            secrets: Arc::clone(secrets),
        }
    }

    /// A name that is not listed is answered like one that does not exist.
    pub(super) fn read(&self, name: &str) -> Result<Found, ToolError> {
        if self.allowed.is_empty() {
            return Err(ToolError::not_configured("SECRETS_ENV_ALLOW"));
        }
        let absent = || ToolError::refused(Code::NotFound, "the environment has no such secret");
        if !self.allowed.iter().any(|allowed| allowed == name) {
            return Err(absent());
        }
        let found = self.secrets.get(name).map_err(|error| {
            tracing::warn!(
                event = "secrets.environment",
                error = &error as &dyn std::error::Error,
                "a secret cannot be read"
            );
            ToolError::refused(Code::ServiceUnavailable, error.to_string())
        })?;
        Ok(Found {
            value: found.ok_or_else(absent)?,
            version: None,
        })
    }

    pub(super) fn setup(&self) -> Setup {
        match self.allowed.is_empty() {
            false => Setup::Ready(None),
            true => Setup::Missing {
                setting: "SECRETS_ENV_ALLOW",
                begun: false,
            },
        }
    }
}
