//! What `/health` asks of this spoke: settings only, no Mac is woken for it.

use crate::mac::Mac;
use async_trait::async_trait;
use shared::spoke::{Health, HealthCheck};
use std::sync::Arc;

/// Whether Macs can be reached as far as settings go.
pub(crate) struct Ssh(pub(crate) Arc<Mac>);

#[async_trait]
impl HealthCheck for Ssh {
    fn name(&self) -> &'static str {
        "ssh"
    }

    async fn check(&self) -> Health {
        match self.0.missing() {
            None => Health::Healthy,
            Some(setting) => Health::Degraded(format!("not configured: set {setting}")),
        }
    }
}
