//! `system.getMetrics`: the hub's counters, summed up for a model.

use super::{MasterParts, NoArguments, SERVICE};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;

pub(super) struct GetMetrics(pub(super) MasterParts);

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Totals {
    /// The hub.
    service: &'static str,
    /// Since the hub started.
    metrics: Counters,
    /// RFC 3339, UTC.
    timestamp: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Counters {
    /// Tool calls, failed ones included.
    calls_total: u64,
    /// Tool calls without a result.
    errors_total: u64,
    /// Tool calls by canonical id.
    calls_by_tool: BTreeMap<String, u64>,
    /// Seconds since the hub started.
    uptime_seconds: u64,
}

#[async_trait]
impl TypedTool for GetMetrics {
    type Arguments = NoArguments;
    type Output = Totals;

    fn spec(&self) -> Spec {
        Spec::new(
            "system.getMetrics",
            Effect::Read,
            "Tell how many tool calls the hub has made, how many failed, and which tools were called.",
        )
        .live()
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<Totals, ToolError> {
        let calls = self.0.metrics.call_totals();
        Ok(Totals {
            service: SERVICE,
            metrics: Counters {
                calls_total: calls.by_tool.values().sum(),
                errors_total: calls.errors,
                calls_by_tool: calls.by_tool,
                uptime_seconds: self.0.started.elapsed().as_secs(),
            },
            timestamp: self.0.clock.now().to_string(),
        })
    }
}
