//! Kraken spot, public REST API. Refusals come with status 200 and a list of errors.

use super::{Book, Candle, Decimal, Exchange, Side, Ticker, Trade};
use crate::source::Source;
use crate::symbol::{Symbol, Timeframe};
use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use shared::error::Code;
use shared::remote::Remote;
use shared::tool::ToolError;

/// Candles it keeps.
const KEPT: i64 = 720;

/// Kraken.
pub(crate) struct Kraken(pub(crate) Source);

#[derive(Deserialize)]
struct Answer {
    error: Vec<String>,
    #[serde(default)]
    result: Value,
}

#[derive(Deserialize)]
struct Day {
    a: Vec<Decimal>,
    b: Vec<Decimal>,
    c: Vec<Decimal>,
    v: [Decimal; 2],
    l: [Decimal; 2],
    h: [Decimal; 2],
    o: Decimal,
}

/// Time in seconds, open, high, low, close, average, volume, count.
#[derive(Deserialize)]
struct Row(
    i64,
    Decimal,
    Decimal,
    Decimal,
    Decimal,
    IgnoredAny,
    Decimal,
    IgnoredAny,
);

#[derive(Deserialize)]
struct Depth {
    bids: Vec<(Decimal, Decimal, IgnoredAny)>,
    asks: Vec<(Decimal, Decimal, IgnoredAny)>,
}

/// Price, volume, time in seconds, side, kind, more, number.
#[derive(Deserialize)]
struct Done(
    Decimal,
    Decimal,
    Decimal,
    String,
    IgnoredAny,
    IgnoredAny,
    u64,
);

/// Kraken's own names.
fn pair(symbol: &Symbol) -> (&'static str, String) {
    let own = |asset: &str| match asset {
        "BTC" => "XBT".to_owned(),
        "DOGE" => "XDG".to_owned(),
        other => other.to_owned(),
    };
    (
        "pair",
        format!("{}{}", own(&symbol.base), own(&symbol.quote)),
    )
}

impl Kraken {
    /// The one result of a request about one pair, whatever name Kraken gives the pair there.
    async fn one<T: DeserializeOwned>(
        &self,
        what: &str,
        query: &[(&str, String)],
    ) -> Result<T, ToolError> {
        let answer: Answer = self.0.get(&["0", "public", what], query).await?;
        if let Some(error) = answer.error.first() {
            return Err(complaint(error));
        }
        let results = match answer.result {
            Value::Object(results) => results,
            _ => return Err(self.0.remote.nonsense()),
        };
        let mut results = results.into_iter().filter(|(name, _)| name != "last");
        let found = results.next().map(|(_, value)| value);
        let found = found.ok_or_else(|| self.0.remote.nonsense())?;
        serde_json::from_value(found).map_err(|error| {
            tracing::warn!(
                event = "crypto.answer",
                at = error.column(),
                "an odd answer"
            );
            self.0.remote.nonsense()
        })
    }
}

fn complaint(error: &str) -> ToolError {
    match error {
        "EQuery:Unknown asset pair" => {
            ToolError::refused(Code::NotFound, "kraken does not trade this pair")
        }
        "EAPI:Rate limit exceeded" | "EGeneral:Too many requests" => {
            let words = "kraken takes no more requests for now";
            ToolError::refused(Code::RateLimited, words).retryable()
        }
        other if other.starts_with("EService:") => {
            ToolError::refused(Code::ServiceUnavailable, "kraken is not well").retryable()
        }
        _ => ToolError::refused(Code::BadGateway, "kraken did not take the request"),
    }
}

#[async_trait]
impl Exchange for Kraken {
    fn remote(&self) -> &Remote {
        &self.0.remote
    }

    async fn ticker(&self, symbol: &Symbol, now: Timestamp) -> Result<Ticker, ToolError> {
        let day: Day = self.one("Ticker", &[pair(symbol)]).await?;
        let first = |list: &[Decimal]| list.first().map(|it| it.0);
        let (Some(ask), Some(bid), Some(price)) = (first(&day.a), first(&day.b), first(&day.c))
        else {
            return Err(self.0.remote.nonsense());
        };
        let ([_, volume], [_, low], [_, high]) = (day.v, day.l, day.h);
        Ok(Ticker {
            price,
            bid,
            ask,
            change_24h: super::markets::percent(day.o.0, price),
            volume_24h: volume.0,
            high_24h: high.0,
            low_24h: low.0,
            timestamp: now,
        })
    }

    async fn candles(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        from: i64,
        to: i64,
    ) -> Result<Vec<Candle>, ToolError> {
        // Kraken gives what began after `since`.
        let query = [
            pair(symbol),
            ("interval", timeframe.minutes().to_string()),
            ("since", (from / 1000 - 1).max(0).to_string()),
        ];
        let rows: Vec<Row> = self.one("OHLC", &query).await?;
        let candle = |row: Row| Candle {
            time: row.0.saturating_mul(1000),
            open: row.1.0,
            high: row.2.0,
            low: row.3.0,
            close: row.4.0,
            volume: row.6.0,
        };
        let candles = rows.into_iter().map(candle);
        Ok(candles
            .filter(|candle| (from..=to).contains(&candle.time))
            .collect())
    }

    fn page(&self) -> i64 {
        KEPT
    }

    fn depth(&self) -> Option<i64> {
        Some(KEPT)
    }

    async fn book(&self, symbol: &Symbol, depth: usize) -> Result<Book, ToolError> {
        let query = [pair(symbol), ("count", depth.min(500).to_string())];
        let book: Depth = self.one("Depth", &query).await?;
        let offers = |rows: Vec<(Decimal, Decimal, IgnoredAny)>| {
            rows.into_iter().map(|(p, a, _)| [p.0, a.0]).collect()
        };
        Ok(Book {
            bids: offers(book.bids),
            asks: offers(book.asks),
        })
    }

    async fn trades(&self, symbol: &Symbol, limit: usize) -> Result<Vec<Trade>, ToolError> {
        let query = [pair(symbol), ("count", limit.min(1000).to_string())];
        let rows: Vec<Done> = self.one("Trades", &query).await?;
        let trade = |row: Done| {
            let time =
                Timestamp::UNIX_EPOCH + std::time::Duration::try_from_secs_f64(row.2.0).ok()?;
            Some(Trade {
                id: row.6.to_string(),
                price: row.0.0,
                amount: row.1.0,
                side: match row.3.as_str() {
                    "b" => Side::Buy,
                    _ => Side::Sell,
                },
                time,
            })
        };
        let trades: Option<Vec<Trade>> = rows.into_iter().rev().map(trade).collect();
        trades.ok_or_else(|| self.0.remote.nonsense())
    }
}
