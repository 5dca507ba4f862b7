//! The paper account: money, holdings, trades.

use super::{Store, StoreError};
use crate::exchange::Side;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// USDT at the begin.
pub(crate) const START: f64 = 10_000.0;
/// What is left of an amount when rounding is all there is.
const DUST: f64 = 1e-9;

/// What shall be traded.
#[derive(Debug, Clone)]
pub(crate) struct NewTrade {
    pub(crate) id: String,
    /// What is bought or sold for USDT.
    pub(crate) asset: String,
    pub(crate) side: Side,
    pub(crate) amount: f64,
    pub(crate) price: f64,
    /// In USDT.
    pub(crate) fee: f64,
    /// Seconds since 1970.
    pub(crate) at: i64,
}

/// Why nothing was traded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// Too little money; what there is.
    #[error("the paper account has {0} USDT only")]
    Money(f64),
    /// Too little of the asset; what there is.
    #[error("the paper account holds {0} of it only")]
    Asset(f64),
    /// The file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What is held of an asset.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Holding {
    pub(crate) asset: String,
    pub(crate) amount: f64,
    /// What it cost with fees, in USDT.
    pub(crate) cost: f64,
}

/// A trade that was made on paper.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Settled {
    /// Of this trade.
    pub(crate) id: String,
    /// The pair.
    pub(crate) symbol: String,
    /// buy or sell.
    pub(crate) side: String,
    /// In the first asset of the pair.
    pub(crate) amount: f64,
    /// In USDT.
    pub(crate) price: f64,
    /// In USDT.
    pub(crate) fee: f64,
    /// What a sale gained after fees, in USDT; null for a purchase.
    pub(crate) profit: Option<f64>,
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) timestamp: jiff::Timestamp,
    #[serde(skip)]
    pub(crate) number: i64,
}

impl Store {
    /// Trades on paper, or says why not; both sides of it are one step.
    pub(crate) async fn trade(&self, trade: &NewTrade) -> Result<Option<f64>, Refusal> {
        // Takes the write lock at once: two trades do not spend the same money.
        let mut step = self.0.begin_with("BEGIN IMMEDIATE").await?;
        let money: f64 = sqlx::query_scalar("SELECT usdt FROM money")
            .fetch_one(&mut *step)
            .await?;
        let held = sqlx::query("SELECT amount, cost FROM holdings WHERE asset = ?")
            .bind(&trade.asset)
            .fetch_optional(&mut *step)
            .await?;
        let held: (f64, f64) = match held {
            Some(row) => (row.try_get(0)?, row.try_get(1)?),
            None => (0.0, 0.0),
        };
        let change = settle(trade, money, held)?;
        sqlx::query("UPDATE money SET usdt = ?")
            .bind(change.money)
            .execute(&mut *step)
            .await?;
        let holding = match change.amount > DUST {
            true => sqlx::query(
                "INSERT INTO holdings (asset, amount, cost) VALUES (?, ?, ?)
                 ON CONFLICT (asset) DO UPDATE SET amount = excluded.amount, cost = excluded.cost",
            ),
            false => sqlx::query("DELETE FROM holdings WHERE asset = ?"),
        };
        let holding = match change.amount > DUST {
            true => holding
                .bind(&trade.asset)
                .bind(change.amount)
                .bind(change.cost),
            false => holding.bind(&trade.asset),
        };
        holding.execute(&mut *step).await?;
        sqlx::query(
            "INSERT INTO trades (id, symbol, side, amount, price, fee, profit, at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&trade.id)
        .bind(format!("{}/USDT", trade.asset))
        .bind(trade.side.as_str())
        .bind(trade.amount)
        .bind(trade.price)
        .bind(trade.fee)
        .bind(change.profit)
        .bind(trade.at)
        .execute(&mut *step)
        .await?;
        step.commit().await?;
        Ok(change.profit)
    }

    /// Money in USDT, and what is held, by asset.
    pub(crate) async fn account(&self) -> Result<(f64, Vec<Holding>), StoreError> {
        let mut step = self.0.begin().await?;
        let money = sqlx::query_scalar("SELECT usdt FROM money")
            .fetch_one(&mut *step)
            .await?;
        let rows = sqlx::query("SELECT asset, amount, cost FROM holdings ORDER BY asset")
            .fetch_all(&mut *step)
            .await?;
        let holding = |row: &SqliteRow| {
            Ok(Holding {
                asset: row.try_get(0)?,
                amount: row.try_get(1)?,
                cost: row.try_get(2)?,
            })
        };
        let holdings: Result<Vec<Holding>, sqlx::Error> = rows.iter().map(holding).collect();
        Ok((money, holdings?))
    }

    /// How many trades there were since then (seconds), and what each sale gained.
    pub(crate) async fn gains(&self, since: i64) -> Result<(i64, Vec<f64>), StoreError> {
        let trades = sqlx::query_scalar("SELECT count(*) FROM trades WHERE at >= ?")
            .bind(since)
            .fetch_one(&self.0)
            .await?;
        let gains = sqlx::query_scalar(
            "SELECT profit FROM trades WHERE at >= ? AND profit IS NOT NULL ORDER BY number",
        )
        .bind(since)
        .fetch_all(&self.0)
        .await?;
        Ok((trades, gains))
    }

    /// Trades with a smaller number, newest first.
    pub(crate) async fn history(&self, before: i64, most: i64) -> Result<Vec<Settled>, StoreError> {
        let rows = sqlx::query(
            "SELECT number, id, symbol, side, amount, price, fee, profit, at FROM trades
             WHERE number < ? ORDER BY number DESC LIMIT ?",
        )
        .bind(before)
        .bind(most)
        .fetch_all(&self.0)
        .await?;
        let settled = |row: &SqliteRow| {
            Ok(Settled {
                number: row.try_get(0)?,
                id: row.try_get(1)?,
                symbol: row.try_get(2)?,
                side: row.try_get(3)?,
                amount: row.try_get(4)?,
                price: row.try_get(5)?,
                fee: row.try_get(6)?,
                profit: row.try_get(7)?,
                timestamp: jiff::Timestamp::from_second(row.try_get(8)?).unwrap_or_default(),
            })
        };
        let settled: Result<Vec<Settled>, sqlx::Error> = rows.iter().map(settled).collect();
        Ok(settled?)
    }
}

struct Change {
    money: f64,
    amount: f64,
    cost: f64,
    profit: Option<f64>,
}

fn settle(trade: &NewTrade, money: f64, (held, cost): (f64, f64)) -> Result<Change, Refusal> {
    let worth = trade.amount * trade.price;
    match trade.side {
        Side::Buy if worth + trade.fee > money => Err(Refusal::Money(money)),
        Side::Buy => Ok(Change {
            money: money - worth - trade.fee,
            amount: held + trade.amount,
            cost: cost + worth + trade.fee,
            profit: None,
        }),
        Side::Sell if trade.amount > held + DUST => Err(Refusal::Asset(held)),
        Side::Sell => {
            let share = cost * (trade.amount / held).min(1.0);
            Ok(Change {
                money: money + worth - trade.fee,
                amount: held - trade.amount,
                cost: cost - share,
                profit: Some(worth - trade.fee - share),
            })
        }
    }
}
