//! Shapes of one to three candles that have names.

use crate::exchange::Candle;
use schemars::JsonSchema;
use serde::Serialize;

/// What a shape is said to announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    Bullish,
    Bearish,
    Neutral,
}

/// A shape that was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) name: &'static str,
    pub(crate) direction: Direction,
    /// Begin of its last candle, in milliseconds since 1970.
    pub(crate) time: i64,
    /// How much the shape is to be trusted, 0–1, by its kind.
    pub(crate) confidence: f64,
}

/// Every shape in the candles, oldest first.
pub(crate) fn patterns(candles: &[Candle]) -> Vec<Found> {
    let mut found = Vec::new();
    for (index, candle) in candles.iter().enumerate() {
        let back = |steps: usize| index.checked_sub(steps).and_then(|it| candles.get(it));
        let mut shapes = Vec::new();
        shapes.extend(single(candle));
        shapes.extend(back(1).and_then(|before| engulfing(before, candle)));
        if let (Some(first), Some(middle)) = (back(2), back(1)) {
            shapes.extend(star(first, middle, candle));
        }
        found.extend(
            shapes
                .into_iter()
                .map(|(name, direction, confidence)| Found {
                    name,
                    direction,
                    time: candle.time,
                    confidence,
                }),
        );
    }
    found
}

type Shape = (&'static str, Direction, f64);

/// Close minus open.
fn body(candle: &Candle) -> f64 {
    candle.close - candle.open
}

fn range(candle: &Candle) -> f64 {
    candle.high - candle.low
}

fn single(candle: &Candle) -> Option<Shape> {
    let (body, range) = (body(candle).abs(), range(candle));
    if range <= 0.0 {
        return None;
    }
    let above = candle.high - candle.open.max(candle.close);
    let below = candle.open.min(candle.close) - candle.low;
    if body <= 0.05 * range {
        return Some(("doji", Direction::Neutral, 0.4));
    }
    if below >= 2.0 * body && above <= 0.1 * range {
        return Some(("hammer", Direction::Bullish, 0.6));
    }
    if above >= 2.0 * body && below <= 0.1 * range {
        return Some(("shooting_star", Direction::Bearish, 0.6));
    }
    None
}

fn engulfing(before: &Candle, candle: &Candle) -> Option<Shape> {
    let (was, is) = (body(before), body(candle));
    let covers = candle.open.min(candle.close) <= before.open.min(before.close)
        && candle.open.max(candle.close) >= before.open.max(before.close);
    if !covers || is.abs() <= was.abs() {
        return None;
    }
    if was < 0.0 && is > 0.0 {
        return Some(("bullish_engulfing", Direction::Bullish, 0.7));
    }
    (was > 0.0 && is < 0.0).then_some(("bearish_engulfing", Direction::Bearish, 0.7))
}

fn star(first: &Candle, middle: &Candle, last: &Candle) -> Option<Shape> {
    let (begin, end) = (body(first), body(last));
    let long = begin.abs() > 0.5 * range(first) && end.abs() > 0.5 * range(last);
    if !long || body(middle).abs() > 0.3 * begin.abs() {
        return None;
    }
    let half = f64::midpoint(first.open, first.close);
    if begin < 0.0 && end > 0.0 && last.close > half && middle.open.max(middle.close) <= first.close
    {
        return Some(("morning_star", Direction::Bullish, 0.8));
    }
    let evening = begin > 0.0 && end < 0.0 && last.close < half;
    (evening && middle.open.min(middle.close) >= first.close).then_some((
        "evening_star",
        Direction::Bearish,
        0.8,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(rows: &[[f64; 4]]) -> Vec<&'static str> {
        let candle = |(time, [open, high, low, close]): (i64, &[f64; 4])| Candle {
            time,
            open: *open,
            high: *high,
            low: *low,
            close: *close,
            volume: 1.0,
        };
        let candles: Vec<Candle> = (0_i64..).zip(rows).map(candle).collect();
        patterns(&candles).into_iter().map(|it| it.name).collect()
    }

    #[test]
    fn shapes_are_found_by_their_names() {
        let cases: [(&[[f64; 4]], &[&str]); 8] = [
            (&[[10.0, 12.0, 8.0, 10.0]], &["doji"]),
            (&[[10.0, 11.1, 7.0, 11.0]], &["hammer"]),
            (&[[10.0, 14.0, 9.9, 11.0]], &["shooting_star"]),
            (&[[10.0, 12.0, 8.0, 11.0]], &[]),
            (
                &[[11.0, 11.5, 9.5, 10.0], [9.8, 12.5, 9.5, 12.0]],
                &["bullish_engulfing"],
            ),
            (
                &[[10.0, 11.5, 9.5, 11.0], [11.2, 11.5, 8.5, 9.0]],
                &["bearish_engulfing"],
            ),
            (
                &[
                    [20.0, 20.5, 14.5, 15.0],
                    [14.0, 15.5, 13.0, 14.8],
                    [15.0, 19.5, 14.5, 19.0],
                ],
                &["morning_star"],
            ),
            (&[[5.0, 5.0, 5.0, 5.0]], &[]),
        ];
        for (rows, wanted) in cases {
            let found = names(rows);
            assert!(
                wanted.iter().all(|it| found.contains(it)),
                "{rows:?}: {found:?}"
            );
            assert!(
                !wanted.is_empty() || found.is_empty(),
                "{rows:?}: {found:?}"
            );
        }
    }
}
