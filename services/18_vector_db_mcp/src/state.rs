//! How the spoke is: its health checks.

use crate::base::Base;
use async_trait::async_trait;
use shared::spoke::{Health, HealthCheck};
use std::sync::Arc;

/// Whether the store answers.
pub(crate) struct StoreCheck(pub(crate) Arc<Base>);

#[async_trait]
impl HealthCheck for StoreCheck {
    fn name(&self) -> &str {
        "collections"
    }

    async fn check(&self) -> Health {
        match self.0.store.ping().await {
            Ok(()) => Health::Healthy,
            Err(error) => Health::Unhealthy(error.to_string()),
        }
    }
}

/// Whether vectors can be made, as far as is known; nobody is asked.
pub(crate) struct EmbeddingCheck(pub(crate) Arc<Base>);

#[async_trait]
impl HealthCheck for EmbeddingCheck {
    fn name(&self) -> &str {
        "embedding"
    }

    async fn check(&self) -> Health {
        match self.0.embedder.trouble() {
            None => Health::Healthy,
            Some(trouble) => Health::Degraded(trouble),
        }
    }
}
