//! Exchanges: a seam, because they are other systems. Public data only; no orders, no accounts.

mod binance;
mod coinbase;
mod kraken;
mod markets;
mod number;

pub(crate) use binance::Binance;
pub(crate) use coinbase::Coinbase;
pub(crate) use kraken::Kraken;
pub(crate) use markets::{Markets, Range};
pub(crate) use number::Decimal;

use crate::symbol::{Symbol, Timeframe};
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::remote::Remote;
use shared::tool::ToolError;

/// The exchanges there are.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Name {
    Binance,
    Kraken,
    Coinbase,
}

impl Name {
    /// Every exchange.
    pub(crate) const ALL: [Self; 3] = [Self::Binance, Self::Kraken, Self::Coinbase];

    /// The word callers use.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Binance => "binance",
            Self::Kraken => "kraken",
            Self::Coinbase => "coinbase",
        }
    }

    /// The variable with its address.
    pub(crate) const fn setting(self) -> &'static str {
        match self {
            Self::Binance => "EXCHANGE_URL_BINANCE",
            Self::Kraken => "EXCHANGE_URL_KRAKEN",
            Self::Coinbase => "EXCHANGE_URL_COINBASE",
        }
    }
}

/// What a pair costs now and did in the last day.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Ticker {
    /// Price of the last trade.
    pub(crate) price: f64,
    /// Highest price somebody pays.
    pub(crate) bid: f64,
    /// Lowest price somebody sells at.
    pub(crate) ask: f64,
    /// Change in percent within 24 hours; on kraken since midnight UTC.
    pub(crate) change_24h: f64,
    /// What was traded within 24 hours, in the first asset of the pair.
    pub(crate) volume_24h: f64,
    /// Highest price within 24 hours.
    pub(crate) high_24h: f64,
    /// Lowest price within 24 hours.
    pub(crate) low_24h: f64,
    /// When the exchange said so.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) timestamp: Timestamp,
}

/// What happened within a step of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candle {
    /// When it began, in milliseconds since 1970.
    pub(crate) time: i64,
    pub(crate) open: f64,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) close: f64,
    /// In the first asset of the pair.
    pub(crate) volume: f64,
}

/// Offers, best first: price and amount.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Book {
    pub(crate) bids: Vec<[f64; 2]>,
    pub(crate) asks: Vec<[f64; 2]>,
}

/// One trade of others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trade {
    pub(crate) id: String,
    pub(crate) price: f64,
    /// In the first asset of the pair.
    pub(crate) amount: f64,
    /// What the one who came second did.
    pub(crate) side: Side,
    pub(crate) time: Timestamp,
}

/// Which way a trade goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Buy,
    Sell,
}

impl Side {
    /// The word callers use.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// One exchange. Methods ask once; candles come oldest first.
#[async_trait]
pub(crate) trait Exchange: Send + Sync {
    /// Who is asked.
    fn remote(&self) -> &Remote;

    /// Price and day of one pair.
    async fn ticker(&self, symbol: &Symbol, now: Timestamp) -> Result<Ticker, ToolError>;

    /// Candles that begin within `from..=to` (milliseconds), at most [`Exchange::page`] of them: the
    /// oldest when there are more.
    async fn candles(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        from: i64,
        to: i64,
    ) -> Result<Vec<Candle>, ToolError>;

    /// Most candles of one answer.
    fn page(&self) -> i64;

    /// How many candles back there are; `None`: all.
    fn depth(&self) -> Option<i64> {
        None
    }

    /// Steps it knows itself; others are put together from smaller ones.
    fn native(&self, timeframe: Timeframe) -> Timeframe {
        timeframe
    }

    /// Offers.
    async fn book(&self, symbol: &Symbol, depth: usize) -> Result<Book, ToolError>;

    /// Trades, newest first.
    async fn trades(&self, symbol: &Symbol, limit: usize) -> Result<Vec<Trade>, ToolError>;
}
