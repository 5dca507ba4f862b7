//! Coinbase Exchange, public REST API. It has no candles of four hours and of weeks.

use super::{Book, Candle, Decimal, Exchange, Side, Ticker, Trade};
use crate::source::Source;
use crate::symbol::{Symbol, Timeframe};
use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use shared::remote::Remote;
use shared::tool::ToolError;

/// Coinbase.
pub(crate) struct Coinbase(pub(crate) Source);

#[derive(Deserialize)]
struct Last {
    price: Decimal,
    bid: Decimal,
    ask: Decimal,
    time: Timestamp,
}

#[derive(Deserialize)]
struct Stats {
    open: Decimal,
    high: Decimal,
    low: Decimal,
    volume: Decimal,
}

/// Time in seconds, low, high, open, close, volume.
#[derive(Deserialize)]
struct Row(i64, Decimal, Decimal, Decimal, Decimal, Decimal);

#[derive(Deserialize)]
struct Depth {
    bids: Vec<(Decimal, Decimal, IgnoredAny)>,
    asks: Vec<(Decimal, Decimal, IgnoredAny)>,
}

#[derive(Deserialize)]
struct Done {
    trade_id: u64,
    /// What the one who waited did.
    side: Side,
    size: Decimal,
    price: Decimal,
    time: Timestamp,
}

impl Coinbase {
    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        symbol: &Symbol,
        what: &str,
        query: &[(&str, String)],
    ) -> Result<T, ToolError> {
        let product = format!("{}-{}", symbol.base, symbol.quote);
        self.0.get(&["products", &product, what], query).await
    }
}

#[async_trait]
impl Exchange for Coinbase {
    fn remote(&self) -> &Remote {
        &self.0.remote
    }

    async fn ticker(&self, symbol: &Symbol, _: Timestamp) -> Result<Ticker, ToolError> {
        let last: Last = self.ask(symbol, "ticker", &[]).await?;
        let stats: Stats = self.ask(symbol, "stats", &[]).await?;
        Ok(Ticker {
            price: last.price.0,
            bid: last.bid.0,
            ask: last.ask.0,
            change_24h: super::markets::percent(stats.open.0, last.price.0),
            volume_24h: stats.volume.0,
            high_24h: stats.high.0,
            low_24h: stats.low.0,
            timestamp: last.time,
        })
    }

    async fn candles(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        from: i64,
        to: i64,
    ) -> Result<Vec<Candle>, ToolError> {
        let last = to.min(from + (self.page() - 1) * timeframe.millis());
        let query = [
            ("granularity", (timeframe.minutes() * 60).to_string()),
            ("start", (from / 1000).to_string()),
            ("end", (last / 1000).to_string()),
        ];
        let rows: Vec<Row> = self.ask(symbol, "candles", &query).await?;
        let candle = |row: Row| Candle {
            time: row.0.saturating_mul(1000),
            open: row.3.0,
            high: row.2.0,
            low: row.1.0,
            close: row.4.0,
            volume: row.5.0,
        };
        let candles = rows.into_iter().rev().map(candle);
        Ok(candles
            .filter(|candle| (from..=to).contains(&candle.time))
            .collect())
    }

    fn page(&self) -> i64 {
        300
    }

    fn native(&self, timeframe: Timeframe) -> Timeframe {
        match timeframe {
            Timeframe::H4 => Timeframe::H1,
            Timeframe::W1 => Timeframe::D1,
            other => other,
        }
    }

    async fn book(&self, symbol: &Symbol, depth: usize) -> Result<Book, ToolError> {
        let book: Depth = self
            .ask(symbol, "book", &[("level", "2".to_owned())])
            .await?;
        let offers = |rows: Vec<(Decimal, Decimal, IgnoredAny)>| {
            let rows = rows.into_iter().take(depth);
            rows.map(|(p, a, _)| [p.0, a.0]).collect()
        };
        Ok(Book {
            bids: offers(book.bids),
            asks: offers(book.asks),
        })
    }

    async fn trades(&self, symbol: &Symbol, limit: usize) -> Result<Vec<Trade>, ToolError> {
        let query = [("limit", limit.min(1000).to_string())];
        let rows: Vec<Done> = self.ask(symbol, "trades", &query).await?;
        let trade = |row: Done| Trade {
            id: row.trade_id.to_string(),
            price: row.price.0,
            amount: row.size.0,
            side: match row.side {
                Side::Buy => Side::Sell,
                Side::Sell => Side::Buy,
            },
            time: row.time,
        };
        Ok(rows.into_iter().map(trade).collect())
    }
}
