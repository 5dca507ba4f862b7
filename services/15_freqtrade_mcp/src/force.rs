//! `freqtrade.api.forceEnter`, `freqtrade.api.forceExit`: trades opened and closed by hand.

use crate::bot::{Asked, Bot};
use crate::lists::check_pair;
use crate::readiness;
use async_trait::async_trait;
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `freqtrade.api.forceEnter`.
pub(crate) struct ForceEnter(pub(crate) Arc<Bot>);

/// `freqtrade.api.forceExit`.
pub(crate) struct ForceExit(pub(crate) Arc<Bot>);

/// Arguments of `freqtrade.api.forceEnter`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enter {
    /// The pair, such as `BTC/USDT`; it must be on the whitelist.
    #[schemars(length(min = 1, max = 60))]
    pub(crate) pair: String,
    /// Which way.
    #[serde(default)]
    pub(crate) side: Side,
    /// Price of a limit order; left out: the market's.
    #[serde(default)]
    pub(crate) rate: Option<f64>,
    /// Amount of the stake currency; left out: what the bot is set to.
    #[serde(default)]
    pub(crate) stake_amount: Option<f64>,
    /// Name of the trade's cause.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub(crate) enter_tag: Option<String>,
}

/// Which way a trade goes.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    /// Gains when the price rises.
    #[default]
    Long,
    /// Gains when the price falls.
    Short,
}

/// Arguments of `freqtrade.api.forceExit`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exit {
    /// Number of an open trade.
    #[schemars(range(min = 1))]
    pub(crate) trade_id: i64,
    /// Kind of the order; left out: what the bot is set to.
    #[serde(default)]
    pub(crate) order_type: Option<OrderType>,
    /// Amount to sell; left out: all of it.
    #[serde(default)]
    pub(crate) amount: Option<f64>,
    /// Why, for the record here; the bot does not get it.
    #[serde(default)]
    #[schemars(length(max = 500))]
    pub(crate) exit_reason: Option<String>,
}

/// Kinds of orders: at the market's price, or at one that is no worse than the limit.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OrderType {
    Market,
    Limit,
}

/// What the bot did.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Forced {
    /// The bot's own JSON.
    bot: Value,
    /// Whether it was play money.
    dry_run: bool,
}

#[async_trait]
impl TypedTool for ForceEnter {
    type Arguments = Enter;
    type Output = Forced;

    fn spec(&self) -> Spec {
        Spec::new(
            "freqtrade.api.forceEnter",
            Effect::Critical,
            "Let the freqtrade bot open a trade now, whatever its strategy says. Spends real money \
             unless the bot is a dry run, which the approval shows.",
        )
        .open_world()
        .aliases(&["trading.freqtrade.api.forceEnter"])
    }

    async fn assess(&self, arguments: &Enter, _: &Call) -> Result<Assessment, ToolError> {
        check_enter(arguments)?;
        readiness::of_enter(&self.0, arguments).await
    }

    async fn run(&self, arguments: Enter, _: &Call) -> Result<Forced, ToolError> {
        check_enter(&arguments)?;
        let dry_run = readiness::is_dry(&self.0).await?;
        let mut body = Map::new();
        body.insert("pair".to_owned(), json!(arguments.pair));
        body.insert("side".to_owned(), json!(arguments.side));
        for (name, value) in [
            ("price", arguments.rate.map(Value::from)),
            ("stakeamount", arguments.stake_amount.map(Value::from)),
            ("entry_tag", arguments.enter_tag.map(Value::from)),
        ] {
            body.extend(value.map(|value| (name.to_owned(), value)));
        }
        let asked = Asked::of("forceenter").sending(Value::Object(body));
        let bot = self.0.ask(Method::POST, asked).await?;
        Ok(Forced { bot, dry_run })
    }
}

#[async_trait]
impl TypedTool for ForceExit {
    type Arguments = Exit;
    type Output = Forced;

    fn spec(&self) -> Spec {
        Spec::new(
            "freqtrade.api.forceExit",
            Effect::Critical,
            "Let the freqtrade bot close an open trade now, whatever its strategy says. Sells real \
             holdings unless the bot is a dry run, which the approval shows.",
        )
        .open_world()
        .aliases(&["trading.freqtrade.api.forceExit"])
    }

    async fn assess(&self, arguments: &Exit, _: &Call) -> Result<Assessment, ToolError> {
        check_amount("amount", arguments.amount)?;
        readiness::of_exit(&self.0, arguments).await
    }

    async fn run(&self, arguments: Exit, call: &Call) -> Result<Forced, ToolError> {
        check_amount("amount", arguments.amount)?;
        let dry_run = readiness::is_dry(&self.0).await?;
        let mut body = Map::new();
        body.insert("tradeid".to_owned(), json!(arguments.trade_id.to_string()));
        body.extend(
            arguments
                .order_type
                .map(|it| ("ordertype".to_owned(), json!(it))),
        );
        body.extend(arguments.amount.map(|it| ("amount".to_owned(), json!(it))));
        let asked = Asked::of("forceexit").sending(Value::Object(body));
        let bot = self.0.ask(Method::POST, asked).await?;
        tracing::info!(
            event = "freqtrade.exit",
            principal = call.principal,
            trade = arguments.trade_id,
            reason = arguments.exit_reason,
            dry_run,
            "a trade was closed by hand"
        );
        Ok(Forced { bot, dry_run })
    }
}

fn check_enter(enter: &Enter) -> Result<(), ToolError> {
    check_pair(&enter.pair)?;
    check_amount("rate", enter.rate)?;
    check_amount("stake_amount", enter.stake_amount)
}

fn check_amount(field: &str, amount: Option<f64>) -> Result<(), ToolError> {
    match amount {
        Some(amount) if !amount.is_finite() || amount <= 0.0 => {
            Err(ToolError::invalid(field, "must be above 0"))
        }
        _ => Ok(()),
    }
}
