//! How the spoke is: health checks, and the tool that tells.

use crate::defi::Chains;
use crate::exchange::{Markets, Name};
use crate::overview::Observers;
use crate::portfolio::NoArguments;
use crate::store::Store;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use shared::spoke::{Health, HealthCheck};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether the exchanges answered last. Nobody is asked.
pub(crate) struct ExchangeCheck(pub(crate) Markets);
/// Whether the store answers.
pub(crate) struct StoreCheck(pub(crate) Store);

#[async_trait]
impl HealthCheck for ExchangeCheck {
    fn name(&self) -> &str {
        "exchanges"
    }

    async fn check(&self) -> Health {
        let default = self.0.name(None);
        let missing = |name: &Name| *name == default || !self.0.is_missing(*name);
        let names = Name::ALL.into_iter().filter(missing);
        let troubles: Vec<String> = names.filter_map(|name| self.0.trouble(name)).collect();
        match troubles.is_empty() {
            true => Health::Healthy,
            false => Health::Degraded(troubles.join("; ")),
        }
    }
}

#[async_trait]
impl HealthCheck for StoreCheck {
    fn name(&self) -> &str {
        "store"
    }

    async fn check(&self) -> Health {
        match self.0.ping().await {
            Ok(()) => Health::Healthy,
            Err(error) => Health::Degraded(error.to_string()),
        }
    }
}

/// `crypto.health`.
pub(crate) struct HealthTool {
    pub(crate) markets: Markets,
    pub(crate) store: Store,
    pub(crate) observers: Arc<Observers>,
    pub(crate) chains: Arc<Chains>,
    pub(crate) paper: bool,
}

/// Result of `crypto.health`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct State {
    /// healthy or degraded.
    status: &'static str,
    /// Whether each exchange is set up and answered when it was asked last.
    exchanges: BTreeMap<&'static str, bool>,
    /// What can be used here.
    features: BTreeMap<&'static str, bool>,
    /// Whether trades may be made on paper.
    paper_trading: bool,
}

#[async_trait]
impl TypedTool for HealthTool {
    type Arguments = NoArguments;
    type Output = State;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.health",
            Effect::Read,
            "Tell which exchanges answered last and which features are set up.",
        )
        .live()
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<State, ToolError> {
        let checks = [
            ExchangeCheck(self.markets.clone()).check().await,
            StoreCheck(self.store.clone()).check().await,
        ];
        let well = |name: Name| (name.as_str(), self.markets.trouble(name).is_none());
        Ok(State {
            status: checks.iter().max().map_or("healthy", Health::word),
            exchanges: Name::ALL.into_iter().map(well).collect(),
            features: BTreeMap::from([
                ("trends", self.observers.coingecko.is_some()),
                ("sentiment", self.observers.fear_greed.is_some()),
                ("defi", self.chains.llama.is_some()),
                ("gas", self.chains.ethereum.is_some()),
                ("alerts", true),
                ("live_orders", false),
            ]),
            paper_trading: self.paper,
        })
    }
}
