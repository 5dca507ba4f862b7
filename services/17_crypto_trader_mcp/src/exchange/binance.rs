//! Binance spot, public REST API version 3.

use super::{Book, Candle, Decimal, Exchange, Side, Ticker, Trade};
use crate::source::Source;
use crate::symbol::{Symbol, Timeframe};
use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;
use shared::remote::Remote;
use shared::tool::ToolError;

/// Binance.
pub(crate) struct Binance(pub(crate) Source);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Day {
    last_price: Decimal,
    bid_price: Decimal,
    ask_price: Decimal,
    price_change_percent: Decimal,
    volume: Decimal,
    high_price: Decimal,
    low_price: Decimal,
    close_time: i64,
}

/// Open time, open, high, low, close, volume, and six more.
#[derive(Deserialize)]
struct Kline(
    i64,
    Decimal,
    Decimal,
    Decimal,
    Decimal,
    Decimal,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
    IgnoredAny,
);

#[derive(Deserialize)]
struct Depth {
    bids: Vec<[Decimal; 2]>,
    asks: Vec<[Decimal; 2]>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    id: u64,
    price: Decimal,
    qty: Decimal,
    time: i64,
    is_buyer_maker: bool,
}

fn pair(symbol: &Symbol) -> (&'static str, String) {
    ("symbol", format!("{}{}", symbol.base, symbol.quote))
}

#[async_trait]
impl Exchange for Binance {
    fn remote(&self) -> &Remote {
        &self.0.remote
    }

    async fn ticker(&self, symbol: &Symbol, _: Timestamp) -> Result<Ticker, ToolError> {
        let path = ["api", "v3", "ticker", "24hr"];
        let day: Day = self.0.get(&path, &[pair(symbol)]).await?;
        Ok(Ticker {
            price: day.last_price.0,
            bid: day.bid_price.0,
            ask: day.ask_price.0,
            change_24h: day.price_change_percent.0,
            volume_24h: day.volume.0,
            high_24h: day.high_price.0,
            low_24h: day.low_price.0,
            timestamp: self.time(day.close_time)?,
        })
    }

    async fn candles(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        from: i64,
        to: i64,
    ) -> Result<Vec<Candle>, ToolError> {
        let query = [
            pair(symbol),
            ("interval", timeframe.as_str().to_owned()),
            ("startTime", from.to_string()),
            ("endTime", to.to_string()),
            ("limit", self.page().to_string()),
        ];
        let rows: Vec<Kline> = self.0.get(&["api", "v3", "klines"], &query).await?;
        let candle = |row: Kline| Candle {
            time: row.0,
            open: row.1.0,
            high: row.2.0,
            low: row.3.0,
            close: row.4.0,
            volume: row.5.0,
        };
        Ok(rows.into_iter().map(candle).collect())
    }

    fn page(&self) -> i64 {
        1000
    }

    async fn book(&self, symbol: &Symbol, depth: usize) -> Result<Book, ToolError> {
        let query = [pair(symbol), ("limit", depth.to_string())];
        let book: Depth = self.0.get(&["api", "v3", "depth"], &query).await?;
        let offers = |rows: Vec<[Decimal; 2]>| rows.into_iter().map(|[p, a]| [p.0, a.0]).collect();
        Ok(Book {
            bids: offers(book.bids),
            asks: offers(book.asks),
        })
    }

    async fn trades(&self, symbol: &Symbol, limit: usize) -> Result<Vec<Trade>, ToolError> {
        let query = [pair(symbol), ("limit", limit.min(1000).to_string())];
        let rows: Vec<Done> = self.0.get(&["api", "v3", "trades"], &query).await?;
        let trade = |row: Done| {
            Ok(Trade {
                id: row.id.to_string(),
                price: row.price.0,
                amount: row.qty.0,
                side: match row.is_buyer_maker {
                    true => Side::Sell,
                    false => Side::Buy,
                },
                time: self.time(row.time)?,
            })
        };
        rows.into_iter().rev().map(trade).collect()
    }
}

impl Binance {
    fn time(&self, millis: i64) -> Result<Timestamp, ToolError> {
        Timestamp::from_millisecond(millis).map_err(|error| {
            tracing::warn!(event = "crypto.answer", %error, "a time that is none");
            self.0.remote.nonsense()
        })
    }
}
