//! `ai.models.usage.get`.

use crate::exchange::Exchange;
use crate::store::{Group, GroupBy, Period};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Who may see what others used: who manages the system, and who holds the spoke's own key.
const SEES_ALL: [&str; 2] = ["system:manage", "system:*"];
const DIRECT: &str = "spoke-key";

/// `ai.models.usage.get`.
pub(crate) struct GetUsage(pub(crate) Arc<Exchange>);

/// Arguments of `ai.models.usage.get`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsageArguments {
    /// How far back from now: an hour, 24 hours, 7 days, 30 days, or all that is kept (400 days).
    #[serde(default = "day")]
    period: Period,
    /// What to add up.
    #[serde(default = "by_model")]
    group_by: GroupBy,
}

const fn day() -> Period {
    Period::Day
}

const fn by_model() -> GroupBy {
    GroupBy::Model
}

/// Result of `ai.models.usage.get`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Usage {
    /// The period that was asked for.
    period: Period,
    /// All groups together.
    total: Total,
    /// The dearest first.
    groups: Vec<Group>,
    /// How many groups.
    count: usize,
}

/// Usage added up.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Total {
    /// Calls that were answered.
    requests: u64,
    /// Tokens sent.
    input_tokens: u64,
    /// Tokens received, thinking included.
    output_tokens: u64,
    /// US dollars, of the calls whose model has a price.
    cost_usd: f64,
}

#[async_trait]
impl TypedTool for GetUsage {
    type Arguments = UsageArguments;
    type Output = Usage;

    fn spec(&self) -> Spec {
        Spec::new(
            "ai.models.usage.get",
            Effect::Read,
            "Show calls, tokens and cost of models in a period, by model, provider or principal. \
             You see your own; who manages the system sees everybody's.",
        )
        .live()
    }

    async fn run(&self, arguments: UsageArguments, call: &Call) -> Result<Usage, ToolError> {
        let UsageArguments { period, group_by } = arguments;
        let manages = |held: &String| SEES_ALL.contains(&held.as_str());
        let all = call.principal == DIRECT || call.permissions.iter().any(manages);
        let principal = (!all).then_some(call.principal.as_str());
        let now = self.0.clock.now().as_second();
        let groups = self.0.store.usage(principal, (period, group_by), now);
        let groups = groups.await?;
        let mut total = Total::default();
        for group in &groups {
            total.requests += group.requests;
            total.input_tokens += group.input_tokens;
            total.output_tokens += group.output_tokens;
            total.cost_usd += group.cost_usd;
        }
        Ok(Usage {
            period,
            total,
            count: groups.len(),
            groups,
        })
    }
}
