//! The paper account as it is: balance, performance, allocation, history.

use crate::exchange::Markets;
use crate::store::{Holding, START, Settled, Store};
use crate::symbol::Symbol;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;

const DAY: i64 = 86_400;

/// What the tools look at.
#[derive(Clone)]
pub(crate) struct Books {
    pub(crate) markets: Markets,
    pub(crate) store: Store,
}

/// `crypto.portfolio.balance`.
pub(crate) struct Balance(pub(crate) Books);
/// `crypto.portfolio.performance`.
pub(crate) struct Performance(pub(crate) Books);
/// `crypto.portfolio.allocation`.
pub(crate) struct Allocation(pub(crate) Books);
/// `crypto.portfolio.history`.
pub(crate) struct History(pub(crate) Books);

/// What is held, with what it cost.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Position {
    /// The pair.
    symbol: String,
    /// Of the first asset.
    amount: f64,
    /// What one cost with fees, in USDT.
    average_price: f64,
    /// What one costs now, in USDT; null when it was not asked.
    price: Option<f64>,
    /// Worth of all of it minus what it cost, in USDT; null when the price was not asked.
    unrealized_pnl: Option<f64>,
}

/// All of them.
pub(crate) struct Positions(Vec<Position>, BTreeMap<String, f64>);

impl Positions {
    /// Without asking for prices.
    pub(crate) fn at_cost(holdings: &[Holding]) -> Self {
        let none = holdings.iter().map(|holding| (holding, None));
        Self::of(none)
    }

    fn of<'a>(holdings: impl Iterator<Item = (&'a Holding, Option<f64>)>) -> Self {
        let mut positions = Self(Vec::new(), BTreeMap::new());
        for (holding, price) in holdings {
            let worth = price.map(|price| price * holding.amount);
            positions.1.insert(holding.asset.clone(), holding.amount);
            positions.0.push(Position {
                symbol: Symbol::in_usdt(&holding.asset).to_string(),
                amount: holding.amount,
                average_price: holding.cost / holding.amount,
                price,
                unrealized_pnl: worth.map(|worth| worth - holding.cost),
            });
        }
        positions
    }
}

/// The account.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Account {
    /// Amount of each asset; USDT is money.
    balances: BTreeMap<String, f64>,
    /// What is held besides money.
    positions: Vec<Position>,
}

impl Account {
    /// Money and what is held.
    pub(crate) fn new(money: f64, Positions(positions, mut balances): Positions) -> Self {
        balances.insert("USDT".to_owned(), money);
        Self {
            balances,
            positions,
        }
    }
}

impl Books {
    /// Money, and each holding with its price on the default exchange.
    async fn priced(&self) -> Result<(f64, Vec<(Holding, f64)>), ToolError> {
        let (money, holdings) = self.store.account().await?;
        let mut priced = Vec::with_capacity(holdings.len());
        for holding in holdings {
            let symbol = Symbol::in_usdt(&holding.asset);
            let ticker = self.markets.ticker(None, &symbol).await?;
            priced.push((holding, ticker.price));
        }
        Ok((money, priced))
    }
}

/// Arguments of `balance`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BalanceArguments {
    /// Always `paper`: there are no other accounts.
    #[serde(default = "paper")]
    #[schemars(length(min = 1, max = 16))]
    exchange: String,
}

fn paper() -> String {
    "paper".to_owned()
}

/// Result of `balance`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Worth {
    #[serde(flatten)]
    account: Account,
    /// How many positions these are.
    count: usize,
    /// What everything is worth at the default exchange's prices.
    total_value_usdt: f64,
    /// How many trades were made.
    trades_count: i64,
}

#[async_trait]
impl TypedTool for Balance {
    type Arguments = BalanceArguments;
    type Output = Worth;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.portfolio.balance",
            Effect::Read,
            "Read what the paper account holds and what it is worth now.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: BalanceArguments, _: &Call) -> Result<Worth, ToolError> {
        if arguments.exchange != "paper" {
            let words = "only the paper account exists: real ones are not reached from here";
            return Err(ToolError::refused(Code::NotSupported, words));
        }
        let (money, priced) = self.0.priced().await?;
        let (trades_count, _) = self.0.store.gains(0).await?;
        let worth: f64 = priced.iter().map(|(it, price)| it.amount * price).sum();
        let positions = Positions::of(priced.iter().map(|(it, price)| (it, Some(*price))));
        Ok(Worth {
            count: priced.len(),
            account: Account::new(money, positions),
            total_value_usdt: money + worth,
            trades_count,
        })
    }
}

/// How far back, up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Period {
    Day,
    Week,
    Month,
    All,
}

/// Arguments of `performance`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PerformanceArguments {
    /// The last day, week, month (30 days), or all of it.
    #[serde(default = "all")]
    period: Period,
}

const fn all() -> Period {
    Period::All
}

/// Result of `performance`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Gained {
    /// What the sales of that time gained after fees.
    pnl_usdt: f64,
    /// The same in percent of the 10000 USDT the account began with.
    pnl_percent: f64,
    /// Share of sales that gained, in percent; 0 without sales.
    win_rate: f64,
    /// Purchases and sales.
    trades: i64,
    /// Sales that gained.
    winners: usize,
    /// Sales that did not.
    losers: usize,
}

#[async_trait]
impl TypedTool for Performance {
    type Arguments = PerformanceArguments;
    type Output = Gained;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.portfolio.performance",
            Effect::Read,
            "Tell what the sales of the paper account gained.",
        )
        .live()
    }

    async fn run(&self, arguments: PerformanceArguments, _: &Call) -> Result<Gained, ToolError> {
        let now = self.0.markets.clock().now().as_second();
        let since = match arguments.period {
            Period::Day => now - DAY,
            Period::Week => now - 7 * DAY,
            Period::Month => now - 30 * DAY,
            Period::All => 0,
        };
        let (trades, gains) = self.0.store.gains(since).await?;
        let pnl: f64 = gains.iter().sum();
        let winners = gains.iter().filter(|gain| **gain > 0.0).count();
        let rate = match gains.len() {
            0 => 0.0,
            sales => 100.0 * winners as f64 / sales as f64,
        };
        Ok(Gained {
            pnl_usdt: pnl,
            pnl_percent: 100.0 * pnl / START,
            win_rate: rate,
            trades,
            winners,
            losers: gains.len() - winners,
        })
    }
}

/// A tool without parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoArguments {}

/// Result of `allocation`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Shares {
    /// Largest first.
    allocation: Vec<Share>,
    /// How many these are.
    count: usize,
    /// What everything is worth at the default exchange's prices.
    total_value_usdt: f64,
}

/// One asset.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Share {
    asset: String,
    amount: f64,
    value_usdt: f64,
    /// Of everything.
    percent: f64,
}

#[async_trait]
impl TypedTool for Allocation {
    type Arguments = NoArguments;
    type Output = Shares;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.portfolio.allocation",
            Effect::Read,
            "Tell which part of the paper account each asset is.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<Shares, ToolError> {
        let (money, priced) = self.0.priced().await?;
        let mut assets: Vec<(String, f64, f64)> = priced
            .into_iter()
            .map(|(it, price)| (it.asset, it.amount, it.amount * price))
            .collect();
        assets.push(("USDT".to_owned(), money, money));
        let total: f64 = assets.iter().map(|(_, _, value)| value).sum();
        let percent = |value: f64| {
            if total > 0.0 {
                100.0 * value / total
            } else {
                0.0
            }
        };
        let mut allocation: Vec<Share> = assets
            .into_iter()
            .map(|(asset, amount, value_usdt)| Share {
                asset,
                amount,
                value_usdt,
                percent: percent(value_usdt),
            })
            .collect();
        allocation.sort_by(|a, b| b.value_usdt.total_cmp(&a.value_usdt));
        Ok(Shares {
            count: allocation.len(),
            allocation,
            total_value_usdt: total,
        })
    }
}

/// Arguments of `history`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryArguments {
    /// Most trades to give, 1 to 1000.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// `next_cursor` of the page before.
    #[serde(default)]
    #[schemars(length(min = 1, max = 20))]
    cursor: Option<String>,
}

const fn fifty() -> usize {
    50
}

/// Result of `history`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Trades {
    /// Newest first.
    trades: Vec<Settled>,
    /// How many these are.
    count: usize,
    /// Give it as `cursor` for the next page; null on the last one.
    next_cursor: Option<String>,
}

#[async_trait]
impl TypedTool for History {
    type Arguments = HistoryArguments;
    type Output = Trades;

    fn spec(&self) -> Spec {
        Spec::new(
            "crypto.portfolio.history",
            Effect::Read,
            "List the trades of the paper account, newest first.",
        )
        .live()
    }

    async fn run(&self, arguments: HistoryArguments, _: &Call) -> Result<Trades, ToolError> {
        let before = match arguments.cursor.as_deref().map(str::parse::<i64>) {
            None => i64::MAX,
            Some(Ok(number)) if number > 0 => number,
            Some(_) => return Err(ToolError::invalid("cursor", "is not one of ours")),
        };
        let most = i64::try_from(arguments.limit).unwrap_or(1000) + 1;
        let mut trades = self.0.store.history(before, most).await?;
        let more = trades.len() > arguments.limit;
        trades.truncate(arguments.limit);
        let last = trades.last().map(|it| it.number.to_string());
        Ok(Trades {
            count: trades.len(),
            trades,
            next_cursor: last.filter(|_| more),
        })
    }
}
