//! What can be read from candles: pure functions, oldest value first, no exchange and no clock.

pub(crate) mod averages;
pub(crate) mod backtest;
pub(crate) mod oscillators;
pub(crate) mod patterns;
pub(crate) mod signals;
pub(crate) mod spread;

use crate::exchange::Candle;

/// The closing prices.
pub(crate) fn closes(candles: &[Candle]) -> Vec<f64> {
    candles.iter().map(|candle| candle.close).collect()
}
