//! `master.getServiceHealth` and `system.health`: how the services behind the hub are, asked now.

use super::probe::Probed;
use super::{MasterParts, NoArguments};
use crate::registry::ServiceView;
use crate::resilience::{BreakerState, BreakerView};
use async_trait::async_trait;
use futures::future::join_all;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;

impl MasterParts {
    /// Asks every spoke at once.
    async fn ask_all(&self) -> Result<Vec<(ServiceView, Probed)>, ToolError> {
        let services = self.downstream()?;
        let asked = services.into_iter().map(|service| async move {
            let probed = self.probe.ask(&service.url).await;
            (service, probed)
        });
        Ok(join_all(asked).await)
    }
}

pub(super) struct GetServiceHealth(pub(super) MasterParts);

#[async_trait]
impl TypedTool for GetServiceHealth {
    type Arguments = NoArguments;
    /// Namespace → healthy, unhealthy or unreachable.
    type Output = BTreeMap<String, &'static str>;

    fn spec(&self) -> Spec {
        Spec::new(
            "master.getServiceHealth",
            Effect::Read,
            "Ask every service for its health now: healthy, unhealthy or unreachable by namespace.",
        )
        .live()
        .open_world()
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<Self::Output, ToolError> {
        let asked = self.0.ask_all().await?;
        let words = asked.into_iter().flat_map(|(service, probed)| {
            let word = probed.word();
            let namespaces = service.namespaces.into_iter();
            namespaces.map(move |namespace| (namespace, word))
        });
        Ok(words.collect())
    }
}

pub(super) struct SystemHealth(pub(super) MasterParts);

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Health {
    /// The hub itself: it answers, so it is healthy.
    orchestrator_status: &'static str,
    /// Name of the hub.
    orchestrator_name: &'static str,
    /// By namespace.
    downstream_services: BTreeMap<String, Downstream>,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
struct Downstream {
    /// healthy, unhealthy or unreachable.
    status: &'static str,
    /// HTTP status of its health page; null when it did not answer.
    code: Option<u16>,
    /// Its health document; null when it gave none.
    details: Option<Value>,
    /// Why it did not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    /// CLOSED, `HALF_OPEN` or OPEN: the worse of the breakers of reads and of changes.
    breaker: &'static str,
}

#[async_trait]
impl TypedTool for SystemHealth {
    type Arguments = NoArguments;
    type Output = Health;

    fn spec(&self) -> Spec {
        Spec::new(
            "system.health",
            Effect::Read,
            "Tell how the hub and every service behind it are, with health documents and circuit breakers.",
        )
        .live()
        .open_world()
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<Health, ToolError> {
        let asked = self.0.ask_all().await?;
        let services = asked.into_iter().flat_map(|(service, probed)| {
            let entry = Downstream {
                status: probed.word(),
                code: probed.code,
                details: probed.details,
                error: probed.error,
                breaker: worse(service.breakers.as_ref()),
            };
            let namespaces = service.namespaces.into_iter();
            namespaces.map(move |namespace| (namespace, entry.clone()))
        });
        Ok(Health {
            orchestrator_status: "healthy",
            orchestrator_name: "waygate",
            downstream_services: services.collect(),
        })
    }
}

fn worse(breakers: Option<&[BreakerView; 2]>) -> &'static str {
    let states = breakers.into_iter().flatten().map(|breaker| breaker.state);
    let rank = |state: &BreakerState| match state {
        BreakerState::Closed => 0,
        BreakerState::HalfOpen => 1,
        BreakerState::Open => 2,
    };
    states
        .max_by_key(rank)
        .unwrap_or(BreakerState::Closed)
        .as_str()
}
