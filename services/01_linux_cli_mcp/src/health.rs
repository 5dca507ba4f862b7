//! What `/health` asks of this spoke.

use crate::host::Host;
use async_trait::async_trait;
use shared::spoke::{Health, HealthCheck};
use std::sync::Arc;

/// Whether this is a host the tools are for.
pub(crate) struct System(pub(crate) Arc<Host>);

#[async_trait]
impl HealthCheck for System {
    fn name(&self) -> &'static str {
        "system"
    }

    async fn check(&self) -> Health {
        match self.0.check_system() {
            Ok(()) => Health::Healthy,
            Err(error) => Health::Unhealthy(error.message),
        }
    }
}

/// Whether hosts that are listed can be reached as far as settings go.
pub(crate) struct Ssh(pub(crate) Arc<Host>);

#[async_trait]
impl HealthCheck for Ssh {
    fn name(&self) -> &'static str {
        "ssh"
    }

    async fn check(&self) -> Health {
        match self.0.ssh.missing() {
            None => Health::Healthy,
            Some(setting) => Health::Degraded(format!(
                "linux.sshExecuteCommand is not configured: set {setting}"
            )),
        }
    }
}
