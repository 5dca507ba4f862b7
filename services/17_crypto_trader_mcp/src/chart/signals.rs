//! What indicators suggest: buy, sell or nothing. Rules of textbooks, no advice.

use super::averages::{before, last, simple};
use super::oscillators::{macd, rsi, stochastic};
use super::spread::{adx, bollinger};
use crate::exchange::Candle;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is suggested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Signal {
    Buy,
    Sell,
    Neutral,
}

/// Which indicators are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Strategy {
    Multi,
    Trend,
    Momentum,
    MeanReversion,
}

/// Suggestions of one strategy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Signals {
    /// By indicator; one without candles enough is neutral.
    pub(crate) by_name: BTreeMap<&'static str, Signal>,
    /// What more of them suggest.
    pub(crate) overall: Signal,
    /// How many of them agree with it, 0–1.
    pub(crate) confidence: f64,
}

/// Asks the indicators of a strategy.
pub(crate) fn signals(candles: &[Candle], strategy: Strategy) -> Signals {
    let closes = super::closes(candles);
    let trend: [(&'static str, Signal); 3] = [
        ("MA_CROSS", averages(&closes)),
        ("MACD", crossing(&closes)),
        ("ADX", direction(candles)),
    ];
    let momentum = [("RSI", strength(&closes)), ("STOCH", place(candles))];
    let reversion = [("BB", bands(&closes)), ("RSI", strength(&closes))];
    let by_name: BTreeMap<_, _> = match strategy {
        Strategy::Trend => trend.into(),
        Strategy::Momentum => momentum.into_iter().chain([trend[1]]).collect(),
        Strategy::MeanReversion => reversion.into(),
        Strategy::Multi => trend.into_iter().chain(momentum).chain(reversion).collect(),
    };
    let count = |wanted: Signal| by_name.values().filter(|it| **it == wanted).count();
    let (buy, sell) = (count(Signal::Buy), count(Signal::Sell));
    let overall = match buy.cmp(&sell) {
        std::cmp::Ordering::Greater => Signal::Buy,
        std::cmp::Ordering::Less => Signal::Sell,
        std::cmp::Ordering::Equal => Signal::Neutral,
    };
    let confidence = count(overall) as f64 / by_name.len() as f64;
    Signals {
        by_name,
        overall,
        confidence,
    }
}

/// Below the first: buy; above the second: sell.
fn outside(value: Option<f64>, low: f64, high: f64) -> Signal {
    match value {
        Some(value) if value < low => Signal::Buy,
        Some(value) if value > high => Signal::Sell,
        _ => Signal::Neutral,
    }
}

/// The first above the second: buy.
fn above(a: Option<f64>, b: Option<f64>) -> Signal {
    match (a, b) {
        (Some(a), Some(b)) if a > b => Signal::Buy,
        (Some(a), Some(b)) if a < b => Signal::Sell,
        _ => Signal::Neutral,
    }
}

fn averages(closes: &[f64]) -> Signal {
    above(last(&simple(closes, 20)), last(&simple(closes, 50)))
}

fn crossing(closes: &[f64]) -> Signal {
    let macd = macd(closes);
    above(last(&macd.line), last(&macd.signal))
}

fn direction(candles: &[Candle]) -> Signal {
    match adx(candles, 14) {
        Some([adx, plus, minus]) if adx >= 25.0 => above(Some(plus), Some(minus)),
        _ => Signal::Neutral,
    }
}

fn strength(closes: &[f64]) -> Signal {
    outside(last(&rsi(closes, 14)), 30.0, 70.0)
}

fn place(candles: &[Candle]) -> Signal {
    outside(last(&stochastic(candles).0), 20.0, 80.0)
}

fn bands(closes: &[f64]) -> Signal {
    match (bollinger(closes), closes.last()) {
        (Some([upper, _, lower]), Some(close)) => outside(Some(*close), lower, upper),
        _ => Signal::Neutral,
    }
}

/// Whether a series went through a line with its last step: up, down or not.
pub(crate) fn crossed(series: &[Option<f64>], line: &[Option<f64>]) -> Signal {
    let was = above(before(series), before(line));
    let is = above(last(series), last(line));
    match (was, is) {
        (Signal::Sell | Signal::Neutral, Signal::Buy) => Signal::Buy,
        (Signal::Buy | Signal::Neutral, Signal::Sell) => Signal::Sell,
        _ => Signal::Neutral,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(step: f64) -> Vec<Candle> {
        let candle = |n: i32| {
            let price = 1000.0 + step * f64::from(n) + f64::from(n % 2);
            Candle {
                time: 0,
                open: price,
                high: price + 1.0,
                low: price - 1.0,
                close: price,
                volume: 1.0,
            }
        };
        (0..100).map(candle).collect()
    }

    #[test]
    fn a_trend_is_followed_and_its_end_expected() {
        let up = signals(&walk(3.0), Strategy::Trend);
        assert_eq!(up.by_name["MA_CROSS"], Signal::Buy);
        assert_eq!(up.by_name["ADX"], Signal::Buy);
        assert_eq!(up.overall, Signal::Buy);
        assert!(up.confidence > 0.6);
        let down = signals(&walk(-3.0), Strategy::Trend);
        assert_eq!(down.overall, Signal::Sell);
        let momentum = signals(&walk(3.0), Strategy::MeanReversion);
        assert_eq!(momentum.by_name["RSI"], Signal::Sell);
    }

    #[test]
    fn too_few_candles_suggest_nothing() {
        let few = signals(&walk(3.0)[..5], Strategy::Multi);
        assert_eq!((few.overall, few.confidence), (Signal::Neutral, 1.0));
        assert_eq!(few.by_name.len(), 6);
    }
}
