//! How the spoke is: its health checks and its figures.

use crate::exchange::Exchange;
use crate::provider::Kind;
use async_trait::async_trait;
use serde_json::json;
use shared::id::InvalidId;
use shared::spoke::{Health, HealthCheck, Meter};
use shared::tool::Tool;
use std::sync::Arc;

/// Whether one provider is configured, and how it answered last.
pub(crate) struct ProviderCheck {
    pub(crate) kind: Kind,
    pub(crate) exchange: Arc<Exchange>,
}

#[async_trait]
impl HealthCheck for ProviderCheck {
    fn name(&self) -> &str {
        self.kind.word()
    }

    async fn check(&self) -> Health {
        self.exchange.place(self.kind).health()
    }
}

/// Whether conversations and usage can be kept.
pub(crate) struct StoreCheck(pub(crate) Arc<Exchange>);

#[async_trait]
impl HealthCheck for StoreCheck {
    fn name(&self) -> &'static str {
        "conversations"
    }

    async fn check(&self) -> Health {
        match self.0.store.ping().await {
            Ok(()) => Health::Healthy,
            Err(error) => Health::Unhealthy(error.to_string()),
        }
    }
}

/// `ai.models.getMetrics`.
pub(crate) fn metrics_tool(
    meter: &Meter,
    exchange: Arc<Exchange>,
) -> Result<Arc<dyn Tool>, InvalidId> {
    let figures = move || {
        let configured = |kind| exchange.place(kind).provider.is_ok();
        vec![
            ("gemini_configured", json!(configured(Kind::Gemini))),
            ("anthropic_configured", json!(configured(Kind::Anthropic))),
        ]
    };
    shared::spoke::metrics_tool(meter, "ai.models.getMetrics", Arc::new(figures))
}
