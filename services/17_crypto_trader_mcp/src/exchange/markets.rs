//! The exchanges that are set up, and candles of any number and step from them.

use super::{Binance, Book, Candle, Coinbase, Exchange, Kraken, Name, Ticker, Trade};
use crate::config::Config;
use crate::source::{Source, Terms};
use crate::symbol::{Symbol, Timeframe};
use shared::clock::SharedClock;
use shared::error::Code;
use shared::tool::{Progress, ToolError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most candles of one call.
pub(crate) const MAX_CANDLES: i64 = 50_000;

/// The exchanges. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Markets {
    exchanges: Arc<BTreeMap<Name, Box<dyn Exchange>>>,
    default: Name,
    clock: SharedClock,
}

/// A stretch of time, in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Markets {
    /// Prepares; asks nobody yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn prepare(
        config: &Config,
        terms: &Terms,
        clock: SharedClock,
    ) -> reqwest::Result<Self> {
        let mut exchanges: BTreeMap<Name, Box<dyn Exchange>> = BTreeMap::new();
        for name in Name::ALL {
            let url = match name {
                Name::Binance => &config.urls.binance,
                Name::Kraken => &config.urls.kraken,
                Name::Coinbase => &config.urls.coinbase,
            };
            if let Some(url) = url.0.clone() {
                let source = Source::new(name.as_str(), name.setting(), url, terms)?;
                let exchange: Box<dyn Exchange> = match name {
                    Name::Binance => Box::new(Binance(source)),
                    Name::Kraken => Box::new(Kraken(source)),
                    Name::Coinbase => Box::new(Coinbase(source)),
                };
                exchanges.insert(name, exchange);
            }
        }
        Ok(Self {
            exchanges: Arc::new(exchanges),
            default: config.market.default_exchange,
            clock,
        })
    }

    /// The exchange a call means.
    pub(crate) fn name(&self, wanted: Option<Name>) -> Name {
        wanted.unwrap_or(self.default)
    }

    /// Dates.
    pub(crate) const fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// Whether an exchange has no address.
    pub(crate) fn is_missing(&self, name: Name) -> bool {
        !self.exchanges.contains_key(&name)
    }

    /// What is wrong with an exchange; `None`: nothing that we know.
    pub(crate) fn trouble(&self, name: Name) -> Option<String> {
        match self.exchanges.get(&name) {
            Some(exchange) => exchange.remote().trouble(),
            None => Some(format!("not configured: set {}", name.setting())),
        }
    }

    /// Price and day of a pair.
    pub(crate) async fn ticker(
        &self,
        wanted: Option<Name>,
        symbol: &Symbol,
    ) -> Result<Ticker, ToolError> {
        let now = self.clock.now();
        self.exchange(wanted)?.ticker(symbol, now).await
    }

    /// Offers for a pair, at most `depth` on each side.
    pub(crate) async fn book(
        &self,
        wanted: Option<Name>,
        symbol: &Symbol,
        depth: usize,
    ) -> Result<Book, ToolError> {
        let mut book = self.exchange(wanted)?.book(symbol, depth).await?;
        book.bids.truncate(depth);
        book.asks.truncate(depth);
        Ok(book)
    }

    /// The last trades, newest first.
    pub(crate) async fn trades(
        &self,
        wanted: Option<Name>,
        symbol: &Symbol,
        limit: usize,
    ) -> Result<Vec<Trade>, ToolError> {
        let mut trades = self.exchange(wanted)?.trades(symbol, limit).await?;
        trades.truncate(limit);
        Ok(trades)
    }

    /// The last `count` candles, oldest first; the last one is not over yet.
    ///
    /// # Errors
    /// `NOT_FOUND` when there are none.
    pub(crate) async fn last(
        &self,
        wanted: Option<Name>,
        symbol: &Symbol,
        timeframe: Timeframe,
        count: i64,
    ) -> Result<Vec<Candle>, ToolError> {
        let to = timeframe.begin(self.clock.now().as_millisecond());
        let from = to - (count - 1) * timeframe.millis();
        let range = Range { from, to };
        let progress = Progress::ignored();
        let exchange = self.exchange(wanted)?;
        let candles = collect(exchange, symbol, timeframe, range, &progress).await?;
        match candles.is_empty() {
            true => Err(no_candles()),
            false => Ok(candles),
        }
    }

    /// The candles of a stretch of time, oldest first.
    ///
    /// # Errors
    /// `INVALID_INPUT` when there would be too many; `NOT_SUPPORTED` when the exchange does not go
    /// back so far; `NOT_FOUND` when there are none.
    pub(crate) async fn within(
        &self,
        wanted: Option<Name>,
        (symbol, timeframe): (&Symbol, Timeframe),
        range: Range,
        progress: &Progress,
    ) -> Result<Vec<Candle>, ToolError> {
        let exchange = self.exchange(wanted)?;
        if (range.to - range.from) / timeframe.millis() > MAX_CANDLES {
            let rule = format!("more than {MAX_CANDLES} candles lie between: take longer ones");
            return Err(ToolError::invalid("timeframe", rule));
        }
        let first = self.clock.now().as_millisecond()
            - exchange.depth().unwrap_or(i64::MAX / timeframe.millis()) * timeframe.millis();
        if range.from < first {
            let words = "the exchange keeps the last 720 candles only: take longer ones or another exchange";
            return Err(ToolError::refused(Code::NotSupported, words));
        }
        let from = timeframe.begin(range.from + timeframe.millis() - 1);
        let range = Range { from, ..range };
        let candles = collect(exchange, symbol, timeframe, range, progress).await?;
        match candles.is_empty() {
            true => Err(no_candles()),
            false => Ok(candles),
        }
    }

    fn exchange(&self, wanted: Option<Name>) -> Result<&dyn Exchange, ToolError> {
        let name = self.name(wanted);
        let exchange = self.exchanges.get(&name);
        exchange
            .map(AsRef::as_ref)
            .ok_or_else(|| ToolError::not_configured(name.setting()))
    }
}

fn no_candles() -> ToolError {
    ToolError::refused(Code::NotFound, "the exchange has no candles of that time")
}

/// Page by page; every page moves on, so the loop ends.
async fn collect(
    exchange: &dyn Exchange,
    symbol: &Symbol,
    timeframe: Timeframe,
    range: Range,
    progress: &Progress,
) -> Result<Vec<Candle>, ToolError> {
    let native = exchange.native(timeframe);
    let page = exchange.page() * native.millis();
    let last = range.to + timeframe.millis() - native.millis();
    let mut candles = Vec::new();
    let mut from = range.from;
    while from <= last {
        let to = last.min(from + page - native.millis());
        candles.extend(exchange.candles(symbol, native, from, to).await?);
        from = to + native.millis();
        let (done, total) = (from - range.from, last - range.from + native.millis());
        progress.report(done as f64, Some(total as f64), "candles are read");
    }
    Ok(match native == timeframe {
        true => candles,
        false => gathered(&candles, timeframe),
    })
}

/// Longer candles from shorter ones.
fn gathered(candles: &[Candle], timeframe: Timeframe) -> Vec<Candle> {
    let mut long: Vec<Candle> = Vec::new();
    for candle in candles {
        let time = timeframe.begin(candle.time);
        match long.last_mut().filter(|it| it.time == time) {
            None => long.push(Candle { time, ..*candle }),
            Some(last) => {
                last.high = last.high.max(candle.high);
                last.low = last.low.min(candle.low);
                last.close = candle.close;
                last.volume += candle.volume;
            }
        }
    }
    long
}

/// Change from `old` to `new` in percent; 0 when there is no old.
pub(crate) fn percent(old: f64, new: f64) -> f64 {
    if old == 0.0 {
        return 0.0;
    }
    (new / old - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_candles_are_put_together() {
        let hour = Timeframe::H1.millis();
        let candle = |n: i64| Candle {
            time: n * hour,
            open: n as f64,
            high: n as f64 + 2.0,
            low: n as f64 - 1.0,
            close: n as f64 + 1.0,
            volume: 1.5,
        };
        let candles: Vec<Candle> = (2..10).map(candle).collect();
        let long = gathered(&candles, Timeframe::H4);
        assert_eq!(long.len(), 3);
        let whole = Candle {
            time: 4 * hour,
            open: 4.0,
            high: 9.0,
            low: 3.0,
            close: 8.0,
            volume: 6.0,
        };
        assert_eq!(long[1], whole);
    }
}
