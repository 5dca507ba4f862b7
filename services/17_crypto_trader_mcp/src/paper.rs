//! Trades on paper. Nothing here can reach an account: exchanges are asked for prices only.

use crate::config::Paper;
use crate::exchange::{Markets, Name, Side};
use crate::portfolio::{Account, Positions};
use crate::store::{NewTrade, Refusal, Store};
use crate::symbol::Symbol;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use uuid::Uuid;

/// Share of a trade's worth that is taken as fee.
const FEE: f64 = 0.001;

/// `crypto.trade.simulate`.
pub(crate) struct Simulate {
    pub(crate) markets: Markets,
    pub(crate) store: Store,
    pub(crate) paper: Paper,
}

/// Arguments of `simulate`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// A pair paid with USDT, such as BTC/USDT.
    #[schemars(length(min = 3, max = 25))]
    symbol: String,
    /// buy or sell.
    side: Side,
    /// How much of the first asset.
    #[schemars(range(min = 0.000_000_01, max = 1_000_000_000_000.0))]
    amount: f64,
    /// Price at which the trade is assumed to be made; leave out for the market's price now.
    #[serde(default)]
    #[schemars(range(min = 0.000_000_000_001, max = 1_000_000_000_000.0))]
    price: Option<f64>,
    /// Whose price: binance, kraken or coinbase; leave out for the default one.
    #[serde(default)]
    exchange: Option<Name>,
}

/// Result of `simulate`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Simulated {
    /// The trade.
    trade: Made,
    /// The paper account after it.
    portfolio: Account,
}

/// One trade on paper.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Made {
    /// Of this trade.
    id: String,
    /// The pair.
    symbol: String,
    /// buy or sell.
    side: Side,
    /// In the first asset of the pair.
    amount: f64,
    /// In USDT.
    price: f64,
    /// In USDT.
    fee: f64,
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    timestamp: jiff::Timestamp,
}

impl Simulate {
    fn checked(&self, arguments: &Arguments) -> Result<Symbol, ToolError> {
        if !self.paper.enabled {
            return Err(ToolError::not_configured("ENABLE_PAPER_TRADING=true"));
        }
        let symbol = Symbol::parse("symbol", &arguments.symbol)?;
        match symbol.quote == "USDT" {
            true => Ok(symbol),
            false => Err(ToolError::invalid(
                "symbol",
                "the paper account pays with USDT only",
            )),
        }
    }

    const fn effect(&self) -> Effect {
        match self.paper.require_approval {
            true => Effect::Mutate,
            false => Effect::MutateOwn,
        }
    }

    async fn price(&self, arguments: &Arguments, symbol: &Symbol) -> Result<f64, ToolError> {
        if let Some(price) = arguments.price {
            return Ok(price);
        }
        let ticker = self.markets.ticker(arguments.exchange, symbol).await;
        // Nothing was traded yet.
        let ticker = ticker.map_err(|error| ToolError {
            did_not_run: true,
            ..error
        })?;
        Ok(match arguments.side {
            Side::Buy => ticker.ask,
            Side::Sell => ticker.bid,
        })
    }
}

#[async_trait]
impl TypedTool for Simulate {
    type Arguments = Arguments;
    type Output = Simulated;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.trade.simulate",
            self.effect(),
            "Buy or sell on paper for USDT, at the market's price or an assumed one, with a fee of \
             0.1 %. No exchange is told: real orders do not exist here.",
        )
        .open_world()
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        let symbol = self.checked(arguments)?;
        let price = match arguments.price {
            Some(price) => format!("at an assumed price of {price} USDT"),
            None => "at the market's price then".to_owned(),
        };
        let (side, amount) = (arguments.side.as_str(), arguments.amount);
        let summary = format!("Paper trade, no real money: {side} {amount} {symbol} {price}");
        Ok(Assessment::of(self.effect(), summary))
    }

    async fn run(&self, arguments: Arguments, _: &Call) -> Result<Simulated, ToolError> {
        let symbol = self.checked(&arguments)?;
        let price = self.price(&arguments, &symbol).await?;
        let timestamp = self.markets.clock().now();
        let (side, amount) = (arguments.side, arguments.amount);
        let trade = NewTrade {
            id: Uuid::now_v7().to_string(),
            asset: symbol.base.clone(),
            side,
            amount,
            price,
            fee: amount * price * FEE,
            at: timestamp.as_second(),
        };
        self.store.trade(&trade).await.map_err(refused)?;
        let (money, holdings) = self.store.account().await?;
        Ok(Simulated {
            trade: Made {
                id: trade.id,
                symbol: symbol.to_string(),
                side,
                amount,
                price,
                fee: trade.fee,
                timestamp,
            },
            portfolio: Account::new(money, Positions::at_cost(&holdings)),
        })
    }
}

fn refused(refusal: Refusal) -> ToolError {
    match refusal {
        Refusal::Store(error) => error.into(),
        short => ToolError::refused(Code::Conflict, short.to_string()),
    }
}
