//! Tools without parameters: what the bot tells, and what it is told to do.

use crate::bot::{Asked, Bot};
use crate::readiness;
use async_trait::async_trait;
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// One of them.
pub(crate) struct Plain {
    bot: Arc<Bot>,
    row: &'static Row,
}

/// What it is called, where it asks, what it is for.
pub(crate) struct Row {
    id: &'static str,
    aliases: &'static [&'static str],
    path: &'static str,
    kind: Kind,
    description: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tells,
    Does,
    Starts,
}

macro_rules! rows {
    ($($name:literal $kind:ident $path:literal $description:literal)*) => {
        &[$(Row {
            id: concat!("freqtrade.api.", $name),
            aliases: &[concat!("trading.freqtrade.api.", $name)],
            path: $path,
            kind: Kind::$kind,
            description: $description,
        }),*]
    };
}

const ROWS: &[Row] = rows! {
    "getStatus" Tells "status" "The open trades of the freqtrade bot, with profit and orders."
    "getTradeCount" Tells "count" "How many trades the freqtrade bot has open, and how many it may have."
    "getBotHealth" Tells "health" "When the freqtrade bot last went round, to see whether it is alive."
    "getVersion" Tells "version" "The version of the running freqtrade bot."
    "showConfig" Tells "show_config" "The configuration of the freqtrade bot: state, dry run, exchange, limits."
    "getBalance" Tells "balance" "What the account of the freqtrade bot holds, per currency."
    "getProfitSummary" Tells "profit" "What the freqtrade bot won and lost so far, in sum."
    "getPerformance" Tells "performance" "What the freqtrade bot won and lost so far, per pair."
    "getWhitelist" Tells "whitelist" "The pairs the freqtrade bot may trade."
    "getBlacklist" Tells "blacklist" "The pairs the freqtrade bot must not trade."
    "getLocks" Tells "locks" "The pairs that are locked in the freqtrade bot, until when and why."
    "startBot" Starts "start" "Let the freqtrade bot begin to trade, for real unless it is a dry run."
    "stopBot" Does "stop" "Stop the freqtrade bot: it neither opens nor closes trades until it is started."
    "pauseBot" Does "pause" "Pause the freqtrade bot: open trades are managed, no new ones are opened."
    "stopBuy" Does "stopbuy" "Let the freqtrade bot open no more trades; open ones are managed."
    "reloadConfig" Does "reload_config" "Let the freqtrade bot read its configuration again."
};

/// All of them.
pub(crate) fn all(bot: &Arc<Bot>) -> impl Iterator<Item = Plain> + '_ {
    ROWS.iter().map(|row| Plain {
        bot: Arc::clone(bot),
        row,
    })
}

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct None {}

/// What the bot answered.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Told {
    /// The bot's own JSON.
    pub(crate) bot: Value,
}

#[async_trait]
impl TypedTool for Plain {
    type Arguments = None;
    type Output = Told;

    fn spec(&self) -> Spec {
        let effect = match self.row.kind {
            Kind::Tells => Effect::Read,
            Kind::Does => Effect::Mutate,
            Kind::Starts => Effect::Critical,
        };
        let spec = Spec::new(self.row.id, effect, self.row.description);
        let spec = spec.idempotent().open_world().aliases(self.row.aliases);
        match self.row.kind {
            Kind::Tells => spec.live(),
            Kind::Does | Kind::Starts => spec,
        }
    }

    async fn assess(&self, _: &None, _: &Call) -> Result<Assessment, ToolError> {
        let path = self.row.path;
        Ok(match self.row.kind {
            Kind::Tells => Assessment::of(Effect::Read, self.row.id),
            Kind::Does => Assessment::of(Effect::Mutate, format!("Tell the bot to {path}")),
            Kind::Starts => readiness::of_start(&self.bot).await?,
        })
    }

    async fn run(&self, _: None, _: &Call) -> Result<Told, ToolError> {
        let method = match self.row.kind {
            Kind::Tells => Method::GET,
            Kind::Does | Kind::Starts => Method::POST,
        };
        let bot = self.bot.ask(method, Asked::of(self.row.path)).await?;
        Ok(Told { bot })
    }
}
