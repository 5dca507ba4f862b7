//! RSI, MACD and the stochastic oscillator.

use super::averages::{Series, exponential, simple, wilder};
use crate::exchange::Candle;

/// Relative strength after Wilder, 0–100; 100 when nothing fell, 50 when nothing moved.
pub(crate) fn rsi(closes: &[f64], length: usize) -> Series {
    let steps = || closes.iter().zip(closes.iter().skip(1));
    let ups: Vec<f64> = steps().map(|(old, new)| (new - old).max(0.0)).collect();
    let downs: Vec<f64> = steps().map(|(old, new)| (old - new).max(0.0)).collect();
    let pairs = wilder(&ups, length).into_iter().zip(wilder(&downs, length));
    let strength = |(up, down): (Option<f64>, Option<f64>)| {
        let (up, down) = (up?, down?);
        Some(match up + down {
            0.0 => 50.0,
            both => 100.0 * up / both,
        })
    };
    let none = closes.first().map(|_| None);
    none.into_iter().chain(pairs.map(strength)).collect()
}

/// MACD 12, 26, 9.
#[derive(Debug, Clone)]
pub(crate) struct Macd {
    /// Short minus long average.
    pub(crate) line: Series,
    /// Average of the line.
    pub(crate) signal: Series,
}

/// MACD of closing prices.
pub(crate) fn macd(closes: &[f64]) -> Macd {
    let (short, long) = (exponential(closes, 12), exponential(closes, 26));
    let pairs = short.into_iter().zip(long);
    let line: Series = pairs.map(|(short, long)| Some(short? - long?)).collect();
    let known: Vec<f64> = line.iter().flatten().copied().collect();
    let mut signal: Series = vec![None; line.len() - known.len()];
    signal.extend(exponential(&known, 9));
    Macd { line, signal }
}

/// The stochastic oscillator 14, 3: %K and its average %D, 0–100.
pub(crate) fn stochastic(candles: &[Candle]) -> (Series, Series) {
    let mut k: Vec<f64> = Vec::new();
    for window in candles.windows(14) {
        let high = window.iter().map(|it| it.high).fold(f64::MIN, f64::max);
        let low = window.iter().map(|it| it.low).fold(f64::MAX, f64::min);
        let close = window.last().map_or(low, |it| it.close);
        k.push(match high - low {
            0.0 => 50.0,
            range => 100.0 * (close - low) / range,
        });
    }
    let unknown = vec![None; candles.len() - k.len()];
    let d = simple(&k, 3);
    let whole = |rest: Series| unknown.iter().copied().chain(rest).collect();
    (whole(k.into_iter().map(Some).collect()), whole(d))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::averages::last;

    /// The table of closing prices with which the RSI is usually explained (14 periods).
    const CLOSES: [f64; 20] = [
        44.34, 44.09, 44.15, 43.61, 44.33, 44.83, 45.10, 45.42, 45.84, 46.08, 45.89, 46.03, 45.61,
        46.28, 46.28, 46.00, 46.03, 46.41, 46.22, 45.64,
    ];

    /// Acceptance: 66
    #[test]
    fn the_rsi_is_that_of_the_reference_table() {
        let rsi = rsi(&CLOSES, 14);
        assert_eq!(rsi.len(), CLOSES.len());
        assert!(rsi[..14].iter().all(Option::is_none));
        let known = [70.46, 66.25, 66.48, 69.35, 66.29, 57.92];
        for (is, wanted) in rsi[14..].iter().zip(known) {
            assert!((is.unwrap() - wanted).abs() < 0.01, "{is:?} {wanted}");
        }
    }

    #[test]
    fn prices_that_do_not_move_are_in_the_middle() {
        assert_eq!(last(&rsi(&[5.0; 20], 14)), Some(50.0));
        let rising: Vec<f64> = (0..20).map(f64::from).collect();
        assert_eq!(last(&rsi(&rising, 14)), Some(100.0));
        assert_eq!(rsi(&[], 14), Vec::<Option<f64>>::new());
        assert_eq!(last(&rsi(&CLOSES[..14], 14)), None);
    }

    #[test]
    fn a_straight_line_has_a_constant_macd() {
        // An average of n lags (n-1)/2 behind a straight line: 12.5 - 5.5 = 7.
        let straight: Vec<f64> = (0..60).map(f64::from).collect();
        let macd = macd(&straight);
        assert!((last(&macd.line).unwrap() - 7.0).abs() < 1e-9);
        assert!((last(&macd.signal).unwrap() - 7.0).abs() < 1e-9);
        assert!(macd.line[24].is_none() && macd.line[25].is_some());
        assert!(macd.signal[32].is_none() && macd.signal[33].is_some());
    }

    #[test]
    fn the_stochastic_oscillator_says_where_the_close_lies() {
        let candle = |n: i32| Candle {
            time: 0,
            open: f64::from(n),
            high: f64::from(n) + 1.0,
            low: f64::from(n) - 1.0,
            close: f64::from(n),
            volume: 1.0,
        };
        let candles: Vec<Candle> = (0..20).map(candle).collect();
        // Lowest low n-14, highest high n+1: the close lies at 14 of 15.
        let (k, d) = stochastic(&candles);
        for series in [k, d] {
            assert!((last(&series).unwrap() - 100.0 * 14.0 / 15.0).abs() < 1e-9);
        }
        assert!(stochastic(&candles[..5]).0.iter().all(Option::is_none));
    }
}
