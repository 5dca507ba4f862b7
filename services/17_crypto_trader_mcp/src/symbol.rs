//! What is traded and in which steps of time: symbols such as BTC/USDT, timeframes such as 1h.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::ToolError;
use std::fmt;

const MINUTE: i64 = 60_000;
/// The first Monday, so that weeks begin on Mondays, in milliseconds.
const MONDAY: i64 = 4 * 24 * 60 * MINUTE;

/// A pair, checked: both sides are 1 to 12 capital letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Symbol {
    /// What is traded.
    pub(crate) base: String,
    /// What it is paid with.
    pub(crate) quote: String,
}

impl Symbol {
    /// Reads `BTC/USDT`; `field` is named when it is something else.
    ///
    /// # Errors
    /// `INVALID_INPUT`.
    pub(crate) fn parse(field: &str, text: &str) -> Result<Self, ToolError> {
        let plain = |part: &str| {
            let fits = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
            (1..=12).contains(&part.len()) && part.bytes().all(fits)
        };
        match text.split_once('/') {
            Some((base, quote)) if plain(base) && plain(quote) && base != quote => Ok(Self {
                base: base.to_owned(),
                quote: quote.to_owned(),
            }),
            _ => Err(ToolError::invalid(field, "is not a pair such as BTC/USDT")),
        }
    }

    /// An asset against the money of the paper account.
    pub(crate) fn in_usdt(asset: &str) -> Self {
        Self {
            base: asset.to_owned(),
            quote: "USDT".to_owned(),
        }
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.quote)
    }
}

/// Length of a candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Timeframe {
    #[serde(rename = "1m")]
    M1,
    #[serde(rename = "5m")]
    M5,
    #[serde(rename = "15m")]
    M15,
    #[serde(rename = "1h")]
    H1,
    #[serde(rename = "4h")]
    H4,
    #[serde(rename = "1d")]
    D1,
    #[serde(rename = "1w")]
    W1,
}

impl Timeframe {
    /// The word callers use; Binance uses the same.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::M1 => "1m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::H1 => "1h",
            Self::H4 => "4h",
            Self::D1 => "1d",
            Self::W1 => "1w",
        }
    }

    /// Its length in minutes.
    pub(crate) const fn minutes(self) -> i64 {
        match self {
            Self::M1 => 1,
            Self::M5 => 5,
            Self::M15 => 15,
            Self::H1 => 60,
            Self::H4 => 240,
            Self::D1 => 1440,
            Self::W1 => 10_080,
        }
    }

    /// Its length in milliseconds.
    pub(crate) const fn millis(self) -> i64 {
        self.minutes() * MINUTE
    }

    /// How many of them are in a year, for figures per year.
    pub(crate) fn per_year(self) -> f64 {
        365.0 * 1440.0 / f64::from(i32::try_from(self.minutes()).unwrap_or(1))
    }

    /// When the candle that holds `at` began, in milliseconds since 1970.
    pub(crate) const fn begin(self, at: i64) -> i64 {
        let origin = match self {
            Self::W1 => MONDAY,
            _ => 0,
        };
        at - (at - origin).rem_euclid(self.millis())
    }
}

/// Default of most tools.
pub(crate) const fn hourly() -> Timeframe {
    Timeframe::H1
}

/// Default of tools that look at weeks.
pub(crate) const fn daily() -> Timeframe {
    Timeframe::D1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pairs_are_symbols() {
        assert_eq!(
            Symbol::parse("symbol", "BTC/USDT").unwrap().to_string(),
            "BTC/USDT"
        );
        for text in [
            "BTCUSDT", "btc/usdt", "BTC/", "A/B/C", "A/A", "../X", "B C/USDT",
        ] {
            let error = Symbol::parse("symbol", text).unwrap_err();
            assert!(error.did_not_run, "{text}");
        }
    }

    #[test]
    fn weeks_begin_on_mondays() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let noon = at("2026-11-20T12:34:56Z");
        assert_eq!(Timeframe::W1.begin(noon), at("2026-11-16T00:00:00Z"));
        assert_eq!(Timeframe::H4.begin(noon), at("2026-11-20T12:00:00Z"));
        assert_eq!(Timeframe::D1.begin(noon), at("2026-11-20T00:00:00Z"));
    }
}
