//! How much prices spread and how strongly they go one way: Bollinger bands, ATR, ADX, volatility,
//! correlation.

use super::averages::{Series, mean, wilder};
use crate::exchange::Candle;

/// Upper, middle and lower band: the mean of 20 closes, and two standard deviations on each side.
pub(crate) fn bollinger(closes: &[f64]) -> Option<[f64; 3]> {
    let begin = closes.len().checked_sub(20)?;
    let window = closes.get(begin..)?;
    let middle = mean(window);
    let squares: Vec<f64> = window.iter().map(|it| (it - middle).powi(2)).collect();
    let width = 2.0 * mean(&squares).sqrt();
    Some([middle + width, middle, middle - width])
}

/// The true range of each candle but the first.
fn true_ranges(candles: &[Candle]) -> Vec<f64> {
    let steps = candles.iter().zip(candles.iter().skip(1));
    let range = |(old, new): (&Candle, &Candle)| {
        let inside = new.high - new.low;
        let up = (new.high - old.close).abs();
        inside.max(up).max((new.low - old.close).abs())
    };
    steps.map(range).collect()
}

/// Average true range after Wilder; one value per candle but the first.
pub(crate) fn atr(candles: &[Candle], length: usize) -> Series {
    wilder(&true_ranges(candles), length)
}

/// ADX, +DI and -DI after Wilder, 0–100.
pub(crate) fn adx(candles: &[Candle], length: usize) -> Option<[f64; 3]> {
    let steps = || candles.iter().zip(candles.iter().skip(1));
    let moves = |(old, new): (&Candle, &Candle)| {
        let (up, down) = (new.high - old.high, old.low - new.low);
        let plus = if up > down { up.max(0.0) } else { 0.0 };
        let minus = if down > up { down.max(0.0) } else { 0.0 };
        (plus, minus)
    };
    let (plus, minus): (Vec<f64>, Vec<f64>) = steps().map(moves).unzip();
    let ranges = atr(candles, length);
    let directions = ranges.into_iter().zip(
        wilder(&plus, length)
            .into_iter()
            .zip(wilder(&minus, length)),
    );
    let shares: Vec<[f64; 2]> = directions
        .filter_map(|(range, (plus, minus))| match range? {
            0.0 => Some([0.0, 0.0]),
            range => Some([100.0 * plus? / range, 100.0 * minus? / range]),
        })
        .collect();
    let strength = |[plus, minus]: &[f64; 2]| match plus + minus {
        0.0 => 0.0,
        both => 100.0 * (plus - minus).abs() / both,
    };
    let strengths: Vec<f64> = shares.iter().map(strength).collect();
    let adx = super::averages::last(&wilder(&strengths, length))?;
    let [plus, minus] = *shares.last()?;
    Some([adx, plus, minus])
}

/// What each close gained over the one before, as natural logarithm.
pub(crate) fn returns(closes: &[f64]) -> Vec<f64> {
    let steps = closes.iter().zip(closes.iter().skip(1));
    let positive = steps.filter(|(old, new)| **old > 0.0 && **new > 0.0);
    positive.map(|(old, new)| (new / old).ln()).collect()
}

/// Standard deviation of a sample; `None` for fewer than two values.
pub(crate) fn deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let middle = mean(values);
    let squares: f64 = values.iter().map(|it| (it - middle).powi(2)).sum();
    Some((squares / (values.len() as f64 - 1.0)).sqrt())
}

/// Pearson's coefficient, -1 to 1; 0 when one of them does not move.
pub(crate) fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (middle_a, middle_b) = (mean(a), mean(b));
    let pairs = || {
        a.iter()
            .map(|x| x - middle_a)
            .zip(b.iter().map(|y| y - middle_b))
    };
    let both: f64 = pairs().map(|(x, y)| x * y).sum();
    let (xx, yy) = pairs().fold((0.0, 0.0), |(xx, yy), (x, y)| (xx + x * x, yy + y * y));
    match (xx * yy).sqrt() {
        0.0 => 0.0,
        scale => (both / scale).clamp(-1.0, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::averages::last;

    fn rising(count: i32) -> Vec<Candle> {
        let candle = |n: i32| Candle {
            time: 0,
            open: f64::from(n),
            high: f64::from(n) + 1.0,
            low: f64::from(n) - 1.0,
            close: f64::from(n),
            volume: 1.0,
        };
        (0..count).map(candle).collect()
    }

    /// Acceptance: 66
    #[test]
    fn bands_ranges_and_directions_are_those_of_a_hand() {
        let mut closes = vec![10.0; 10];
        closes.extend([14.0; 10]);
        assert_eq!(bollinger(&closes), Some([16.0, 12.0, 8.0]));
        assert_eq!(bollinger(&closes[..19]), None);
        let candles = rising(60);
        assert_eq!(last(&atr(&candles, 14)), Some(2.0));
        // Each step rises by 1 of a range of 2, and never falls.
        let [adx, plus, minus] = adx(&candles, 14).unwrap();
        assert!((adx - 100.0).abs() < 1e-9 && (plus - 50.0).abs() < 1e-9);
        assert_eq!(minus, 0.0);
        assert_eq!(super::adx(&candles[..27], 14), None);
    }

    #[test]
    fn correlation_and_deviation_are_those_of_a_hand() {
        let a = [1.0, 2.0, 3.0, 4.0];
        assert!((correlation(&a, &[2.0, 4.0, 6.0, 8.0]) - 1.0).abs() < 1e-12);
        assert!((correlation(&a, &[4.0, 3.0, 2.0, 1.0]) + 1.0).abs() < 1e-12);
        assert!((correlation(&a, &[1.0, 3.0, 2.0, 4.0]) - 0.8).abs() < 1e-12);
        assert_eq!(correlation(&a, &[5.0; 4]), 0.0);
        let deviation = deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert!((deviation - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        let gained = returns(&[1.0, std::f64::consts::E, 1.0]);
        assert!((gained[0] - 1.0).abs() < 1e-12 && (gained[1] + 1.0).abs() < 1e-12);
    }
}
