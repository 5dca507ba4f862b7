//! Alerts: what somebody wants to be told. Each belongs to the principal who made it.

use super::{Store, StoreError};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

/// Most alerts of one principal.
pub(crate) const MOST: i64 = 200;
const COLUMNS: &str =
    "id, symbol, metric, op, value, created_at, previous, triggered_at, triggered_value";

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    /// Price of the last trade.
    Price,
    /// Change within a day, in percent.
    #[serde(rename = "change_24h")]
    Change24h,
    /// Volume within a day, in the first asset of the pair.
    #[serde(rename = "volume_24h")]
    Volume24h,
    /// RSI (14) of hourly candles.
    Rsi,
}

/// How it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Op {
    /// Is greater.
    Gt,
    /// Is less.
    Lt,
    /// Was not greater when looked at before, and is now.
    CrossUp,
    /// Was not less when looked at before, and is now.
    CrossDown,
}

impl Op {
    /// Whether `now` fulfils it, after `before`.
    pub(crate) fn holds(self, before: Option<f64>, now: f64, value: f64) -> bool {
        match self {
            Self::Gt => now > value,
            Self::Lt => now < value,
            Self::CrossUp => before.is_some_and(|it| it <= value) && now > value,
            Self::CrossDown => before.is_some_and(|it| it >= value) && now < value,
        }
    }
}

/// What an alert waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Condition {
    /// A pair such as BTC/USDT, on the default exchange.
    #[schemars(length(min = 3, max = 25))]
    pub(crate) symbol: String,
    /// What is looked at: price, `change_24h`, `volume_24h` or rsi.
    pub(crate) metric: Metric,
    /// How it is compared: gt, lt, `cross_up` or `cross_down`.
    pub(crate) op: Op,
    /// With what.
    pub(crate) value: f64,
}

/// An alert.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alert {
    pub(crate) id: String,
    pub(crate) condition: Condition,
    pub(crate) created_at: Timestamp,
    /// The value when it was looked at before.
    pub(crate) previous: Option<f64>,
    /// When it came true; `None` while it waits.
    pub(crate) triggered_at: Option<Timestamp>,
    /// The value then.
    pub(crate) triggered_value: Option<f64>,
}

fn word<T: Serialize>(value: T) -> Option<String> {
    serde_json::to_value(value)
        .ok()?
        .as_str()
        .map(str::to_owned)
}

fn parsed<T: serde::de::DeserializeOwned>(text: String) -> Result<T, sqlx::Error> {
    let value = serde_json::Value::String(text);
    serde_json::from_value(value).map_err(|error| sqlx::Error::Decode(error.into()))
}

fn alert(row: &SqliteRow) -> Result<Alert, sqlx::Error> {
    let time = |seconds: i64| Timestamp::from_second(seconds).unwrap_or_default();
    let triggered: Option<i64> = row.try_get(7)?;
    Ok(Alert {
        id: row.try_get(0)?,
        condition: Condition {
            symbol: row.try_get(1)?,
            metric: parsed(row.try_get(2)?)?,
            op: parsed(row.try_get(3)?)?,
            value: row.try_get(4)?,
        },
        created_at: time(row.try_get(5)?),
        previous: row.try_get(6)?,
        triggered_at: triggered.map(time),
        triggered_value: row.try_get(8)?,
    })
}

impl Store {
    /// Keeps an alert; `false` when the principal has as many as one may have.
    pub(crate) async fn add_alert(
        &self,
        principal: &str,
        alert: &Alert,
    ) -> Result<bool, StoreError> {
        let condition = &alert.condition;
        let done = sqlx::query(
            "INSERT INTO alerts (id, principal, symbol, metric, op, value, created_at)
             SELECT ?, ?, ?, ?, ?, ?, ?
             WHERE (SELECT count(*) FROM alerts WHERE principal = ?) < ?",
        )
        .bind(&alert.id)
        .bind(principal)
        .bind(&condition.symbol)
        .bind(word(condition.metric))
        .bind(word(condition.op))
        .bind(condition.value)
        .bind(alert.created_at.as_second())
        .bind(principal)
        .bind(MOST)
        .execute(&self.0)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Alerts of a principal, oldest first.
    pub(crate) async fn alerts(
        &self,
        principal: &str,
        waiting_only: bool,
    ) -> Result<Vec<Alert>, StoreError> {
        let text = format!(
            "SELECT {COLUMNS} FROM alerts WHERE principal = ? AND (NOT ? OR triggered_at IS NULL)
             ORDER BY created_at, id LIMIT {MOST}"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .bind(principal)
            .bind(waiting_only)
            .fetch_all(&self.0)
            .await?;
        let alerts: Result<Vec<Alert>, sqlx::Error> = rows.iter().map(alert).collect();
        Ok(alerts?)
    }

    /// Removes an alert of a principal; whether there was one.
    pub(crate) async fn delete_alert(&self, principal: &str, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM alerts WHERE principal = ? AND id = ?")
            .bind(principal)
            .bind(id)
            .execute(&self.0)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Alerts of everybody that wait, by pair; at most a thousand.
    pub(crate) async fn waiting(&self) -> Result<Vec<Alert>, StoreError> {
        let text = format!(
            "SELECT {COLUMNS} FROM alerts WHERE triggered_at IS NULL ORDER BY symbol, id LIMIT 1000"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(text))
            .fetch_all(&self.0)
            .await?;
        let alerts: Result<Vec<Alert>, sqlx::Error> = rows.iter().map(alert).collect();
        Ok(alerts?)
    }

    /// Notes what was seen; `triggered` when that is what was waited for.
    pub(crate) async fn seen(
        &self,
        id: &str,
        value: f64,
        triggered: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let at = triggered.map(Timestamp::as_second);
        sqlx::query(
            "UPDATE alerts SET previous = ?, triggered_at = ?, triggered_value = ?
             WHERE id = ? AND triggered_at IS NULL",
        )
        .bind(value)
        .bind(at)
        .bind(at.map(|_| value))
        .bind(id)
        .execute(&self.0)
        .await?;
        Ok(())
    }
}
