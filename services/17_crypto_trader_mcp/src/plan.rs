//! Before a trade: a strategy run over the past, and how much to risk.

use crate::chart::backtest::{Rule, Terms, run};
use crate::exchange::{Candle, Markets, Name, Range, Side};
use crate::symbol::{Symbol, Timeframe, hourly};
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};

const DAY: i64 = 86_400_000;
/// Most points of the curve that are given.
const POINTS: usize = 500;
/// What an account is taken to hold when the caller does not say.
const ACCOUNT: f64 = 10_000.0;

/// `crypto.trade.backtest`.
pub(crate) struct Backtest {
    pub(crate) markets: Markets,
    /// Most days back.
    pub(crate) days: i64,
}

/// `crypto.trade.risk`.
pub(crate) struct Risk;

/// Arguments of `backtest`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BacktestArguments {
    /// A pair such as BTC/USDT.
    #[schemars(length(min = 3, max = 25))]
    symbol: String,
    /// `sma_cross`: means of 10 and 30 closes. `rsi_reversion`: RSI 30 and 70. multi: two of means, MACD, RSI.
    #[serde(default = "sma_cross")]
    strategy: Rule,
    /// Length of a candle: 1m, 5m, 15m, 1h, 4h, 1d or 1w.
    #[serde(default = "hourly")]
    timeframe: Timeframe,
    /// Where it begins, such as 2026-01-01T00:00:00Z.
    #[schemars(with = "String", extend("format" = "date-time"))]
    start: Timestamp,
    /// Where it ends; leave out for now.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    end: Option<Timestamp>,
    /// Money at the begin.
    #[serde(default = "account")]
    #[schemars(range(min = 1.0, max = 1_000_000_000_000.0))]
    initial_balance: f64,
    /// Fee of each order, in percent of it.
    #[serde(default = "tenth")]
    #[schemars(range(min = 0.0, max = 10.0))]
    fee_percent: f64,
    /// binance, kraken or coinbase; leave out for the default one.
    #[serde(default)]
    exchange: Option<Name>,
}

const fn sma_cross() -> Rule {
    Rule::SmaCross
}

const fn account() -> f64 {
    ACCOUNT
}

const fn tenth() -> f64 {
    0.1
}

/// Result of `backtest`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Tested {
    /// Positions that were closed; one that was open at the end is closed there.
    trades: usize,
    /// What was gained, in the second asset of the pair.
    pnl: f64,
    /// The same in percent of the money at the begin.
    pnl_percent: f64,
    /// Share of positions that gained, in percent; 0 without any.
    win_rate: f64,
    /// Largest fall from a height, in percent of it.
    max_drawdown: f64,
    /// Mean over deviation of the gains per candle, per year; 0 when nothing moved.
    sharpe: f64,
    /// Time in milliseconds since 1970 and worth of the account, at most 500 points.
    equity: Vec<[f64; 2]>,
    /// How many points these are.
    count: usize,
}

impl Backtest {
    fn range(&self, arguments: &BacktestArguments) -> Result<Range, ToolError> {
        let now = self.markets.clock().now();
        let end = arguments.end.unwrap_or(now).min(now);
        let (from, to) = (arguments.start.as_millisecond(), end.as_millisecond());
        if from >= to {
            return Err(ToolError::invalid("start", "is not before the end"));
        }
        if now.as_millisecond() - from > self.days * DAY {
            let rule = format!("is more than {} days ago (MAX_HISTORICAL_DAYS)", self.days);
            return Err(ToolError::invalid("start", rule));
        }
        Ok(Range { from, to })
    }
}

#[async_trait]
impl TypedTool for Backtest {
    type Arguments = BacktestArguments;
    type Output = Tested;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.trade.backtest",
            Effect::Read,
            "Run a strategy over candles of the past, all in or all out at the close of a candle.",
        )
        .open_world()
        .long_running()
        .live()
    }

    async fn run(&self, arguments: BacktestArguments, call: &Call) -> Result<Tested, ToolError> {
        let symbol = Symbol::parse("symbol", &arguments.symbol)?;
        let (timeframe, balance) = (arguments.timeframe, arguments.initial_balance);
        let range = self.range(&arguments)?;
        let what = (&symbol, timeframe);
        let candles = self
            .markets
            .within(arguments.exchange, what, range, &call.progress);
        let candles = candles.await?;
        let terms = Terms {
            balance,
            fee: arguments.fee_percent / 100.0,
            per_year: timeframe.per_year(),
        };
        let outcome = run(&candles, arguments.strategy, terms);
        let end = outcome.equity.last().copied().unwrap_or(balance);
        let equity = curve(&candles, &outcome.equity);
        let rate = match outcome.trades {
            0 => 0.0,
            trades => 100.0 * outcome.winners as f64 / trades as f64,
        };
        Ok(Tested {
            trades: outcome.trades,
            pnl: end - balance,
            pnl_percent: 100.0 * (end / balance - 1.0),
            win_rate: rate,
            max_drawdown: 100.0 * outcome.drawdown,
            sharpe: outcome.sharpe,
            count: equity.len(),
            equity,
        })
    }
}

/// Every n-th point, and always the last.
fn curve(candles: &[Candle], equity: &[f64]) -> Vec<[f64; 2]> {
    let step = equity.len().div_ceil(POINTS).max(1);
    let points = candles.iter().zip(equity).rev().step_by(step);
    let mut points: Vec<[f64; 2]> = points.map(|(it, worth)| [it.time as f64, *worth]).collect();
    points.reverse();
    points
}

/// Arguments of `risk`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RiskArguments {
    /// A pair such as BTC/USDT.
    #[schemars(length(min = 3, max = 25))]
    symbol: String,
    /// buy or sell.
    side: Side,
    /// Price at which the position begins.
    #[schemars(range(min = 0.000_000_000_001, max = 1_000_000_000_000.0))]
    entry_price: f64,
    /// Price at which the loss is taken: below the entry of a purchase, above that of a sale.
    #[schemars(range(min = 0.0, max = 1_000_000_000_000.0))]
    stop_loss: f64,
    /// Price at which the gain is taken; leave out when there is none.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1_000_000_000_000.0))]
    take_profit: Option<f64>,
    /// What the account is worth; 10000 when left out.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1_000_000_000_000.0))]
    account_balance: Option<f64>,
    /// How much of it may be lost, in percent.
    #[serde(default = "one")]
    #[schemars(range(min = 0.01, max = 100.0))]
    risk_percent: f64,
}

const fn one() -> f64 {
    1.0
}

/// Result of `risk`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Sized {
    /// How much of the first asset may be traded.
    position_size: f64,
    /// What is lost when the stop is reached, in the second asset.
    risk_amount: f64,
    /// Gain over loss; null without `take_profit`.
    reward_risk: Option<f64>,
    /// What to think about; empty when there is nothing.
    warnings: Vec<String>,
    /// How many warnings these are.
    count: usize,
}

#[async_trait]
impl TypedTool for Risk {
    type Arguments = RiskArguments;
    type Output = Sized;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.trade.risk",
            Effect::Read,
            "Compute how large a position may be so that its stop costs a given share of the account.",
        )
    }

    async fn run(&self, arguments: RiskArguments, _: &Call) -> Result<Sized, ToolError> {
        Symbol::parse("symbol", &arguments.symbol)?;
        let entry = arguments.entry_price;
        let sign = match arguments.side {
            Side::Buy => 1.0,
            Side::Sell => -1.0,
        };
        let loss = sign * (entry - arguments.stop_loss);
        if loss <= 0.0 {
            let rule =
                "lies on the side of the gain: below the entry of a purchase, above that of a sale";
            return Err(ToolError::invalid("stop_loss", rule));
        }
        let gain = arguments.take_profit.map(|it| sign * (it - entry));
        if gain.is_some_and(|it| it <= 0.0) {
            return Err(ToolError::invalid(
                "take_profit",
                "lies on the side of the loss",
            ));
        }
        let balance = arguments.account_balance.unwrap_or(ACCOUNT);
        let risk_amount = balance * arguments.risk_percent / 100.0;
        let size = risk_amount / loss;
        let reward_risk = gain.map(|gain| gain / loss);
        let warnings = warnings(
            &arguments,
            size * entry > balance,
            loss / entry,
            reward_risk,
        );
        Ok(Sized {
            position_size: size,
            risk_amount,
            reward_risk,
            count: warnings.len(),
            warnings,
        })
    }
}

fn warnings(
    arguments: &RiskArguments,
    beyond: bool,
    distance: f64,
    reward: Option<f64>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn = |holds: bool, text: &str| {
        if holds {
            warnings.push(text.to_owned());
        }
    };
    warn(
        beyond,
        "the position is worth more than the account: it needs borrowed money",
    );
    warn(
        arguments.risk_percent > 2.0,
        "more than 2 % of the account is at risk",
    );
    warn(
        distance < 0.002,
        "the stop is within 0.2 % of the entry: noise may reach it",
    );
    warn(distance > 0.2, "the stop is more than 20 % from the entry");
    warn(reward.is_none(), "there is no take_profit");
    warn(
        reward.is_some_and(|it| it < 1.5),
        "the gain is less than 1.5 times the loss",
    );
    let silent = arguments.account_balance.is_none();
    warn(silent, "account_balance was not given: 10000 was assumed");
    warnings
}
