//! How the spoke is: its health checks and its figures.

use crate::reading::Reading;
use crate::store::Setup;
use async_trait::async_trait;
use serde_json::{Map, Value, json};
use shared::id::InvalidId;
use shared::spoke::{Health, HealthCheck, Meter};
use shared::tool::Tool;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Whether there are rules. Without them every read is denied.
pub(crate) struct RulesCheck {
    /// Whether the setting is made.
    pub(crate) set: bool,
}

#[async_trait]
impl HealthCheck for RulesCheck {
    fn name(&self) -> &'static str {
        "rules"
    }

    async fn check(&self) -> Health {
        match self.set {
            true => Health::Healthy,
            false => {
                let detail = "not configured: set SECRETS_RULES_PATH; every read is denied";
                Health::Degraded(detail.into())
            }
        }
    }
}

/// How one store answered last. Nobody is asked: a probe must not load a system of others.
pub(crate) struct StoreCheck {
    pub(crate) name: &'static str,
    pub(crate) reading: Arc<Reading>,
}

#[async_trait]
impl HealthCheck for StoreCheck {
    fn name(&self) -> &str {
        self.name
    }

    async fn check(&self) -> Health {
        let setups = self.reading.stores.setups();
        let own = setups.into_iter().find(|(name, _)| *name == self.name);
        own.map_or(Health::Healthy, |(_, setup)| setup.health())
    }
}

/// `secrets.getMetrics`.
pub(crate) fn metrics_tool(
    meter: &Meter,
    reading: Arc<Reading>,
) -> Result<Arc<dyn Tool>, InvalidId> {
    let figures = move || figures(&reading);
    shared::spoke::metrics_tool(meter, "secrets.getMetrics", Arc::new(figures))
}

fn figures(reading: &Reading) -> Vec<(&'static str, Value)> {
    let setups = reading.stores.setups();
    let well = setups
        .iter()
        .all(|(_, setup)| setup.health() == Health::Healthy);
    let initialized: Map<String, Value> = setups
        .into_iter()
        .map(|(name, setup)| {
            let ready = matches!(setup, Setup::Ready(_));
            (name.to_owned(), json!(ready))
        })
        .collect();
    let count = |counter: &std::sync::atomic::AtomicU64| json!(counter.load(Ordering::Relaxed));
    vec![
        ("status", json!(if well { "healthy" } else { "degraded" })),
        ("initialized_backends", Value::Object(initialized)),
        ("reads", count(&reading.counters.reads)),
        ("denied", count(&reading.counters.denied)),
    ]
}
