//! What `/health` asks of this spoke: settings only, no host is asked for it.

use crate::windows::Windows;
use async_trait::async_trait;
use shared::spoke::{Health, HealthCheck};
use std::sync::Arc;

/// Whether hosts can be reached as far as settings go.
pub(crate) struct Winrm(pub(crate) Arc<Windows>);

#[async_trait]
impl HealthCheck for Winrm {
    fn name(&self) -> &'static str {
        "winrm"
    }

    async fn check(&self) -> Health {
        match self.0.missing() {
            None => Health::Healthy,
            Some(setting) => Health::Degraded(format!("not configured: set {setting}")),
        }
    }
}
