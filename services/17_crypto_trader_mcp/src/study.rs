//! How pairs move: together (correlation) and each by itself (volatility).

use crate::chart::averages::last;
use crate::chart::closes;
use crate::chart::spread::{atr, correlation, deviation, returns};
use crate::exchange::{Candle, Markets, Name};
use crate::symbol::{Symbol, Timeframe, daily};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;

/// `crypto.analysis.correlation`.
pub(crate) struct Correlation(pub(crate) Markets);
/// `crypto.analysis.volatility`.
pub(crate) struct Volatility(pub(crate) Markets);

/// Arguments of `correlation`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CorrelationArguments {
    /// Pairs such as BTC/USDT, 2 to 10.
    #[schemars(length(min = 2, max = 10), inner(length(min = 3, max = 25)))]
    symbols: Vec<String>,
    /// Length of a candle: 1m, 5m, 15m, 1h, 4h, 1d or 1w.
    #[serde(default = "daily")]
    timeframe: Timeframe,
    /// How many candles are looked at, 3 to 1000.
    #[serde(default = "ninety")]
    #[schemars(range(min = 3, max = 1000))]
    limit: i64,
    /// binance, kraken or coinbase; leave out for the default one.
    #[serde(default)]
    exchange: Option<Name>,
}

const fn ninety() -> i64 {
    90
}

/// Result of `correlation`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Matrix {
    /// In the order of rows and columns.
    symbols: Vec<String>,
    /// How many these are.
    count: usize,
    /// Pearson's coefficients of the gains per candle, -1 to 1.
    matrix: Vec<Vec<f64>>,
    /// How many gains were compared.
    samples: usize,
}

/// Arguments of `volatility`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VolatilityArguments {
    /// A pair such as BTC/USDT.
    #[schemars(length(min = 3, max = 25))]
    symbol: String,
    /// Length of a candle: 1m, 5m, 15m, 1h, 4h, 1d or 1w.
    #[serde(default = "daily")]
    timeframe: Timeframe,
    /// How many candles are looked at, 15 to 1000.
    #[serde(default = "thirty")]
    #[schemars(range(min = 15, max = 1000))]
    limit: i64,
    /// binance, kraken or coinbase; leave out for the default one.
    #[serde(default)]
    exchange: Option<Name>,
}

const fn thirty() -> i64 {
    30
}

/// Result of `volatility`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Spread {
    /// The pair.
    symbol: String,
    /// Standard deviation of the gains per candle, in percent.
    volatility: f64,
    /// The same for a year of 365 days, in percent.
    annualized: f64,
    /// Average true range of 14 candles, in percent of the last price.
    atr_percent: f64,
}

fn too_few() -> ToolError {
    ToolError::refused(Code::NotFound, "the exchange has too few candles in common")
}

/// Gains of each pair over the times all of them have candles of.
fn aligned(all: &[Vec<Candle>]) -> Vec<Vec<f64>> {
    let mut times: BTreeMap<i64, usize> = BTreeMap::new();
    for candle in all.iter().flatten() {
        *times.entry(candle.time).or_default() += 1;
    }
    let common = |candle: &&Candle| times.get(&candle.time) == Some(&all.len());
    let gains = |candles: &Vec<Candle>| {
        let kept: Vec<Candle> = candles.iter().filter(common).copied().collect();
        returns(&closes(&kept))
    };
    all.iter().map(gains).collect()
}

#[async_trait]
impl TypedTool for Correlation {
    type Arguments = CorrelationArguments;
    type Output = Matrix;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.analysis.correlation",
            Effect::Read,
            "Tell how far pairs move together.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: CorrelationArguments, _: &Call) -> Result<Matrix, ToolError> {
        let symbols = arguments.symbols.iter();
        let symbols: Result<Vec<Symbol>, _> =
            symbols.map(|it| Symbol::parse("symbols", it)).collect();
        let symbols = symbols?;
        let (exchange, timeframe) = (arguments.exchange, arguments.timeframe);
        let mut all = Vec::with_capacity(symbols.len());
        for symbol in &symbols {
            let candles = self.0.last(exchange, symbol, timeframe, arguments.limit);
            all.push(candles.await?);
        }
        let gains = aligned(&all);
        let samples = gains.first().map_or(0, Vec::len);
        if samples < 2 || gains.iter().any(|it| it.len() != samples) {
            return Err(too_few());
        }
        let row = |a: &Vec<f64>| gains.iter().map(|b| correlation(a, b)).collect();
        Ok(Matrix {
            count: symbols.len(),
            symbols: symbols.iter().map(Symbol::to_string).collect(),
            matrix: gains.iter().map(row).collect(),
            samples,
        })
    }
}

#[async_trait]
impl TypedTool for Volatility {
    type Arguments = VolatilityArguments;
    type Output = Spread;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.analysis.volatility",
            Effect::Read,
            "Tell how strongly a pair moves.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: VolatilityArguments, _: &Call) -> Result<Spread, ToolError> {
        let symbol = Symbol::parse("symbol", &arguments.symbol)?;
        let (exchange, timeframe) = (arguments.exchange, arguments.timeframe);
        let candles = self.0.last(exchange, &symbol, timeframe, arguments.limit);
        let candles = candles.await?;
        let spread = deviation(&returns(&closes(&candles))).ok_or_else(too_few)?;
        let range = last(&atr(&candles, 14)).ok_or_else(too_few)?;
        let price = candles.last().map(|it| it.close).filter(|it| *it > 0.0);
        Ok(Spread {
            symbol: symbol.to_string(),
            volatility: 100.0 * spread,
            annualized: 100.0 * spread * timeframe.per_year().sqrt(),
            atr_percent: 100.0 * range / price.ok_or_else(too_few)?,
        })
    }
}
