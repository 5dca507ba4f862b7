//! Market data as it is: prices, candles, offers, trades.

use crate::exchange::{Candle, Markets, Name, Side, Ticker, Trade};
use crate::symbol::{Symbol, Timeframe, hourly};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;

/// Requests at once, of one call.
const AT_ONCE: usize = 5;

/// `crypto.market.price`.
pub(crate) struct Price(pub(crate) Markets);
/// `crypto.market.ohlcv`.
pub(crate) struct Ohlcv(pub(crate) Markets);
/// `crypto.market.orderbook`.
pub(crate) struct OrderBook(pub(crate) Markets);
/// `crypto.market.trades`.
pub(crate) struct Trades(pub(crate) Markets);

/// Arguments of `price`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceArguments {
    /// Pairs such as BTC/USDT, 1 to 50.
    #[schemars(length(min = 1, max = 50), inner(length(min = 3, max = 25)))]
    symbols: Vec<String>,
    /// binance, kraken or coinbase; leave out for the default one.
    #[serde(default)]
    exchange: Option<Name>,
}

/// Result of `price`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Prices {
    /// Who was asked.
    exchange: Name,
    /// By pair.
    prices: BTreeMap<String, Ticker>,
    /// When we asked.
    #[schemars(with = "String", extend("format" = "date-time"))]
    timestamp: Timestamp,
}

/// Arguments of `ohlcv`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OhlcvArguments {
    /// A pair such as BTC/USDT.
    #[schemars(length(min = 3, max = 25))]
    symbol: String,
    /// Length of a candle: 1m, 5m, 15m, 1h, 4h, 1d or 1w.
    #[serde(default = "hourly")]
    timeframe: Timeframe,
    /// How many candles, 1 to 1000.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: i64,
    /// binance, kraken or coinbase; leave out for the default one.
    #[serde(default)]
    exchange: Option<Name>,
}

const fn hundred() -> i64 {
    100
}

/// Result of `ohlcv`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Candles {
    /// The pair.
    symbol: String,
    /// Length of a candle.
    timeframe: Timeframe,
    /// Begin in milliseconds since 1970, open, high, low, close, volume; oldest first.
    data: Vec<[f64; 6]>,
    /// How many these are.
    count: usize,
    /// The last candle, which is not over yet.
    latest: Latest,
}

/// One candle with names.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Latest {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    /// In the first asset of the pair.
    volume: f64,
}

/// Arguments of `orderbook`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BookArguments {
    /// A pair such as BTC/USDT.
    #[schemars(length(min = 3, max = 25))]
    symbol: String,
    /// Offers on each side, 1 to 500.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 500))]
    depth: usize,
    /// binance, kraken or coinbase; leave out for the default one.
    #[serde(default)]
    exchange: Option<Name>,
}

const fn twenty() -> usize {
    20
}

/// Result of `orderbook`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Offers {
    /// The pair.
    symbol: String,
    /// Price and amount of what is wanted, highest price first.
    bids: Vec<[f64; 2]>,
    /// Price and amount of what is offered, lowest price first.
    asks: Vec<[f64; 2]>,
    /// Lowest ask minus highest bid.
    spread: f64,
    /// Halfway between them.
    mid: f64,
    /// When we asked.
    #[schemars(with = "String", extend("format" = "date-time"))]
    timestamp: Timestamp,
}

/// Arguments of `trades`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TradesArguments {
    /// A pair such as BTC/USDT.
    #[schemars(length(min = 3, max = 25))]
    symbol: String,
    /// How many trades, 1 to 1000.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// binance, kraken or coinbase; leave out for the default one.
    #[serde(default)]
    exchange: Option<Name>,
}

const fn fifty() -> usize {
    50
}

/// Result of `trades`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Done {
    /// The pair.
    symbol: String,
    /// Newest first.
    trades: Vec<DoneTrade>,
    /// How many these are.
    count: usize,
}

/// One trade of others.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DoneTrade {
    /// As the exchange numbers it.
    id: String,
    price: f64,
    /// In the first asset of the pair.
    amount: f64,
    /// Whether the one who came second bought or sold.
    side: Side,
    #[schemars(with = "String", extend("format" = "date-time"))]
    timestamp: Timestamp,
}

#[async_trait]
impl TypedTool for Price {
    type Arguments = PriceArguments;
    type Output = Prices;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.market.price",
            Effect::Read,
            "Read what pairs cost now on an exchange, and how they moved within a day.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: PriceArguments, _: &Call) -> Result<Prices, ToolError> {
        let symbols = arguments.symbols.iter();
        let symbols: Result<Vec<Symbol>, _> =
            symbols.map(|it| Symbol::parse("symbols", it)).collect();
        let asked = symbols?.into_iter().map(|symbol| async move {
            let ticker = self.0.ticker(arguments.exchange, &symbol).await?;
            Ok::<_, ToolError>((symbol.to_string(), ticker))
        });
        Ok(Prices {
            exchange: self.0.name(arguments.exchange),
            prices: stream::iter(asked)
                .buffer_unordered(AT_ONCE)
                .try_collect()
                .await?,
            timestamp: self.0.clock().now(),
        })
    }
}

#[async_trait]
impl TypedTool for Ohlcv {
    type Arguments = OhlcvArguments;
    type Output = Candles;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.market.ohlcv",
            Effect::Read,
            "Read candles (open, high, low, close, volume) of a pair, up to now.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: OhlcvArguments, _: &Call) -> Result<Candles, ToolError> {
        let symbol = Symbol::parse("symbol", &arguments.symbol)?;
        let (exchange, timeframe) = (arguments.exchange, arguments.timeframe);
        let candles = self.0.last(exchange, &symbol, timeframe, arguments.limit);
        let candles = candles.await?;
        let last = candles.last().ok_or_else(nothing)?;
        let row = |it: &Candle| {
            [
                it.time as f64,
                it.open,
                it.high,
                it.low,
                it.close,
                it.volume,
            ]
        };
        Ok(Candles {
            symbol: symbol.to_string(),
            timeframe,
            data: candles.iter().map(row).collect(),
            count: candles.len(),
            latest: Latest {
                open: last.open,
                high: last.high,
                low: last.low,
                close: last.close,
                volume: last.volume,
            },
        })
    }
}

fn nothing() -> ToolError {
    ToolError::refused(Code::NotFound, "the exchange has nothing of that pair")
}

#[async_trait]
impl TypedTool for OrderBook {
    type Arguments = BookArguments;
    type Output = Offers;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.market.orderbook",
            Effect::Read,
            "Read who wants to buy and sell a pair at which prices.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: BookArguments, _: &Call) -> Result<Offers, ToolError> {
        let symbol = Symbol::parse("symbol", &arguments.symbol)?;
        let book = self.0.book(arguments.exchange, &symbol, arguments.depth);
        let book = book.await?;
        let (Some([bid, _]), Some([ask, _])) = (book.bids.first(), book.asks.first()) else {
            return Err(nothing());
        };
        Ok(Offers {
            symbol: symbol.to_string(),
            spread: ask - bid,
            mid: f64::midpoint(*ask, *bid),
            bids: book.bids,
            asks: book.asks,
            timestamp: self.0.clock().now(),
        })
    }
}

#[async_trait]
impl TypedTool for Trades {
    type Arguments = TradesArguments;
    type Output = Done;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.market.trades",
            Effect::Read,
            "Read the last trades others made in a pair.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: TradesArguments, _: &Call) -> Result<Done, ToolError> {
        let symbol = Symbol::parse("symbol", &arguments.symbol)?;
        let trades = self.0.trades(arguments.exchange, &symbol, arguments.limit);
        let shown = |trade: Trade| DoneTrade {
            id: trade.id,
            price: trade.price,
            amount: trade.amount,
            side: trade.side,
            timestamp: trade.time,
        };
        let trades: Vec<DoneTrade> = trades.await?.into_iter().map(shown).collect();
        Ok(Done {
            symbol: symbol.to_string(),
            count: trades.len(),
            trades,
        })
    }
}
