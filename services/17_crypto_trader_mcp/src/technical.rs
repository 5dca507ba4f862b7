//! Candles read for the caller: indicators, signals, patterns.

use crate::chart::averages::{exponential, last, simple};
use crate::chart::closes;
use crate::chart::oscillators::{macd, rsi, stochastic};
use crate::chart::patterns::{Direction, Found, patterns};
use crate::chart::signals::{Signal, Strategy, signals};
use crate::chart::spread::{adx, atr, bollinger};
use crate::exchange::{Candle, Markets, Name};
use crate::symbol::{Symbol, Timeframe, hourly};
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;

/// Candles that signals look at.
const LOOK_BACK: i64 = 200;

/// `crypto.ta.indicators`.
pub(crate) struct Indicators(pub(crate) Markets);
/// `crypto.ta.signals`.
pub(crate) struct Signals(pub(crate) Markets);
/// `crypto.ta.patterns`.
pub(crate) struct Patterns(pub(crate) Markets);

/// An indicator.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Indicator {
    Rsi,
    Macd,
    Bb,
    Ema,
    Sma,
    Atr,
    Adx,
    Stoch,
}

/// Arguments of `indicators`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IndicatorArguments {
    /// A pair such as BTC/USDT.
    #[schemars(length(min = 3, max = 25))]
    symbol: String,
    /// Which ones: RSI (14), MACD (12, 26, 9), BB (20, 2), EMA (12, 26), SMA (20, 50), ATR (14),
    /// ADX (14), STOCH (14, 3).
    #[schemars(length(min = 1, max = 8))]
    indicators: Vec<Indicator>,
    /// Length of a candle: 1m, 5m, 15m, 1h, 4h, 1d or 1w.
    #[serde(default = "hourly")]
    timeframe: Timeframe,
    /// How many candles are looked at, 2 to 1000; an indicator that needs more is null.
    #[serde(default = "hundred")]
    #[schemars(range(min = 2, max = 1000))]
    period: i64,
    /// binance, kraken or coinbase; leave out for the default one.
    #[serde(default)]
    exchange: Option<Name>,
}

const fn hundred() -> i64 {
    100
}

/// Result of `indicators`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Values {
    /// The pair.
    symbol: String,
    /// Length of a candle.
    timeframe: Timeframe,
    /// Close of the last candle.
    latest_price: f64,
    /// By name: a number, an object of numbers, or null when there are too few candles.
    indicators: BTreeMap<Indicator, Value>,
}

/// Arguments of `signals`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignalArguments {
    /// A pair such as BTC/USDT.
    #[schemars(length(min = 3, max = 25))]
    symbol: String,
    /// trend: crossing means, MACD, ADX. momentum: RSI, STOCH, MACD. `mean_reversion`: BB, RSI. multi: all.
    #[serde(default = "multi")]
    strategy: Strategy,
    /// Length of a candle: 1m, 5m, 15m, 1h, 4h, 1d or 1w.
    #[serde(default = "hourly")]
    timeframe: Timeframe,
    /// binance, kraken or coinbase; leave out for the default one.
    #[serde(default)]
    exchange: Option<Name>,
}

const fn multi() -> Strategy {
    Strategy::Multi
}

/// Result of `signals`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Suggested {
    /// The pair.
    symbol: String,
    /// Close of the last candle.
    price: f64,
    /// What each indicator suggests by the rules of textbooks.
    signals: BTreeMap<&'static str, Signal>,
    /// What more of them suggest.
    overall: Signal,
    /// Share of indicators that agree with `overall`, 0 to 1.
    confidence: f64,
}

/// Arguments of `patterns`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PatternArguments {
    /// A pair such as BTC/USDT.
    #[schemars(length(min = 3, max = 25))]
    symbol: String,
    /// Length of a candle: 1m, 5m, 15m, 1h, 4h, 1d or 1w.
    #[serde(default = "hourly")]
    timeframe: Timeframe,
    /// How many candles are looked at, 3 to 1000.
    #[serde(default = "hundred")]
    #[schemars(range(min = 3, max = 1000))]
    limit: i64,
    /// binance, kraken or coinbase; leave out for the default one.
    #[serde(default)]
    exchange: Option<Name>,
}

/// Result of `patterns`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Shapes {
    /// The pair.
    symbol: String,
    /// Newest first.
    patterns: Vec<Shape>,
    /// How many these are.
    count: usize,
}

/// One shape.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Shape {
    /// doji, hammer, `shooting_star`, `bullish_engulfing`, `bearish_engulfing`, `morning_star` or `evening_star`.
    name: &'static str,
    /// What it is said to announce.
    direction: Direction,
    /// When its last candle began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    timestamp: Timestamp,
    /// How much such a shape is to be trusted, 0 to 1.
    confidence: f64,
}

fn value(indicator: Indicator, candles: &[Candle]) -> Value {
    let closes = closes(candles);
    match indicator {
        Indicator::Rsi => json!(last(&rsi(&closes, 14))),
        Indicator::Macd => {
            let macd = macd(&closes);
            let (line, signal) = (last(&macd.line), last(&macd.signal));
            let histogram = line.zip(signal).map(|(line, signal)| line - signal);
            json!({"macd": line, "signal": signal, "histogram": histogram})
        }
        Indicator::Bb => match bollinger(&closes) {
            Some([upper, middle, lower]) => {
                json!({"upper": upper, "middle": middle, "lower": lower})
            }
            None => Value::Null,
        },
        Indicator::Ema => {
            let of = |length| last(&exponential(&closes, length));
            json!({"ema_12": of(12), "ema_26": of(26)})
        }
        Indicator::Sma => {
            let of = |length| last(&simple(&closes, length));
            json!({"sma_20": of(20), "sma_50": of(50)})
        }
        Indicator::Atr => json!(last(&atr(candles, 14))),
        Indicator::Adx => match adx(candles, 14) {
            Some([adx, plus, minus]) => json!({"adx": adx, "plus_di": plus, "minus_di": minus}),
            None => Value::Null,
        },
        Indicator::Stoch => {
            let (k, d) = stochastic(candles);
            json!({"k": last(&k), "d": last(&d)})
        }
    }
}

#[async_trait]
impl TypedTool for Indicators {
    type Arguments = IndicatorArguments;
    type Output = Values;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.ta.indicators",
            Effect::Read,
            "Compute technical indicators of a pair from its candles.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: IndicatorArguments, _: &Call) -> Result<Values, ToolError> {
        let symbol = Symbol::parse("symbol", &arguments.symbol)?;
        let (exchange, timeframe) = (arguments.exchange, arguments.timeframe);
        let candles = self.0.last(exchange, &symbol, timeframe, arguments.period);
        let candles = candles.await?;
        let wanted = arguments.indicators.into_iter();
        Ok(Values {
            symbol: symbol.to_string(),
            timeframe,
            latest_price: candles.last().map_or(0.0, |it| it.close),
            indicators: wanted.map(|it| (it, value(it, &candles))).collect(),
        })
    }
}

#[async_trait]
impl TypedTool for Signals {
    type Arguments = SignalArguments;
    type Output = Suggested;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.ta.signals",
            Effect::Read,
            "Tell what indicators of a pair suggest by the rules of textbooks: no advice.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: SignalArguments, _: &Call) -> Result<Suggested, ToolError> {
        let symbol = Symbol::parse("symbol", &arguments.symbol)?;
        let (exchange, timeframe) = (arguments.exchange, arguments.timeframe);
        let candles = self.0.last(exchange, &symbol, timeframe, LOOK_BACK).await?;
        let found = signals(&candles, arguments.strategy);
        Ok(Suggested {
            symbol: symbol.to_string(),
            price: candles.last().map_or(0.0, |it| it.close),
            signals: found.by_name,
            overall: found.overall,
            confidence: found.confidence,
        })
    }
}

#[async_trait]
impl TypedTool for Patterns {
    type Arguments = PatternArguments;
    type Output = Shapes;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.ta.patterns",
            Effect::Read,
            "Find candlestick patterns of a pair, newest first.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: PatternArguments, _: &Call) -> Result<Shapes, ToolError> {
        let symbol = Symbol::parse("symbol", &arguments.symbol)?;
        let (exchange, timeframe) = (arguments.exchange, arguments.timeframe);
        let candles = self.0.last(exchange, &symbol, timeframe, arguments.limit);
        let found = patterns(&candles.await?);
        let shape = |found: Found| {
            Some(Shape {
                name: found.name,
                direction: found.direction,
                timestamp: Timestamp::from_millisecond(found.time).ok()?,
                confidence: found.confidence,
            })
        };
        let patterns: Vec<Shape> = found.into_iter().rev().filter_map(shape).collect();
        Ok(Shapes {
            symbol: symbol.to_string(),
            count: patterns.len(),
            patterns,
        })
    }
}
