//! Large trades among the last ones.

use crate::exchange::{Markets, Name, Side, Trade};
use crate::symbol::Symbol;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};

/// `crypto.monitor.whale`.
pub(crate) struct Whale(pub(crate) Markets);

/// Arguments of `whale`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhaleArguments {
    /// A pair such as BTC/USDT.
    #[schemars(length(min = 3, max = 25))]
    symbol: String,
    /// Smallest worth of a trade, in the second asset of the pair.
    #[serde(default = "million")]
    #[schemars(range(min = 0.0))]
    min_notional_usd: f64,
    /// How far back, 1 to 1440 minutes; of the exchange's last 1000 trades.
    #[serde(default = "sixty")]
    #[schemars(range(min = 1, max = 1440))]
    window_minutes: i64,
    /// binance, kraken or coinbase; leave out for the default one.
    #[serde(default)]
    exchange: Option<Name>,
}

const fn million() -> f64 {
    1_000_000.0
}

const fn sixty() -> i64 {
    60
}

/// Result of `whale`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Large {
    /// The pair.
    symbol: String,
    /// Newest first.
    trades: Vec<LargeTrade>,
    /// How many these are.
    count: usize,
}

/// One large trade.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LargeTrade {
    price: f64,
    /// In the first asset of the pair.
    amount: f64,
    /// Price times amount.
    notional_usd: f64,
    /// Whether the one who came second bought or sold.
    side: Side,
    #[schemars(with = "String", extend("format" = "date-time"))]
    timestamp: Timestamp,
}

#[async_trait]
impl TypedTool for Whale {
    type Arguments = WhaleArguments;
    type Output = Large;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.monitor.whale",
            Effect::Read,
            "Find large trades among the last thousand of a pair.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: WhaleArguments, _: &Call) -> Result<Large, ToolError> {
        let symbol = Symbol::parse("symbol", &arguments.symbol)?;
        let trades = self.0.trades(arguments.exchange, &symbol, 1000).await?;
        let window = SignedDuration::from_mins(arguments.window_minutes);
        let since = self.0.clock().now() - window;
        let worth = |trade: &Trade| trade.price * trade.amount;
        let large =
            |trade: &Trade| trade.time >= since && worth(trade) >= arguments.min_notional_usd;
        let shown = |trade: Trade| LargeTrade {
            price: trade.price,
            amount: trade.amount,
            notional_usd: worth(&trade),
            side: trade.side,
            timestamp: trade.time,
        };
        let trades: Vec<LargeTrade> = trades.into_iter().filter(large).map(shown).collect();
        Ok(Large {
            symbol: symbol.to_string(),
            count: trades.len(),
            trades,
        })
    }
}
