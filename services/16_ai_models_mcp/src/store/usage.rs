//! What calls used and cost.

use super::{Store, StoreError, signed, unsigned};
use crate::prices::Tokens;
use crate::provider::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::Row;

const DAY: i64 = 86_400;
/// How long usage is kept, in seconds.
const KEPT: i64 = 400 * DAY;
/// Most groups of one answer.
const MAX_GROUPS: i64 = 1000;

/// One call that was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent<'a> {
    pub(crate) principal: &'a str,
    pub(crate) kind: Kind,
    pub(crate) model: &'a str,
    pub(crate) tokens: Tokens,
    /// `None`: the model has no price.
    pub(crate) cost: Option<f64>,
}

/// How far back, up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Period {
    Hour,
    Day,
    Week,
    Month,
    All,
}

impl Period {
    const fn seconds(self) -> i64 {
        match self {
            Self::Hour => 3600,
            Self::Day => DAY,
            Self::Week => 7 * DAY,
            Self::Month => 30 * DAY,
            Self::All => KEPT,
        }
    }
}

/// What is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GroupBy {
    Model,
    Provider,
    Principal,
}

/// Usage added up.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Group {
    /// The model, provider or principal.
    pub(crate) key: String,
    /// Calls that were answered.
    pub(crate) requests: u64,
    /// Tokens sent.
    pub(crate) input_tokens: u64,
    /// Tokens received, thinking included.
    pub(crate) output_tokens: u64,
    /// US dollars, of the calls whose model has a price.
    pub(crate) cost_usd: f64,
}

impl Store {
    /// Writes down a call, and forgets those of long ago.
    pub(crate) async fn spend(&self, spent: Spent<'_>, now: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM usage WHERE at < ?")
            .bind(now.saturating_sub(KEPT))
            .execute(&self.0)
            .await?;
        sqlx::query(
            "INSERT INTO usage (at, principal, provider, model, input_tokens, output_tokens, cost_usd) \
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(now)
        .bind(spent.principal)
        .bind(spent.kind.word())
        .bind(spent.model)
        .bind(signed(spent.tokens.input))
        .bind(signed(spent.tokens.output))
        .bind(spent.cost)
        .execute(&self.0)
        .await?;
        Ok(())
    }

    /// Usage by group, the dearest first; of one principal, or of all.
    pub(crate) async fn usage(
        &self,
        principal: Option<&str>,
        (period, by): (Period, GroupBy),
        now: i64,
    ) -> Result<Vec<Group>, StoreError> {
        let since = now.saturating_sub(period.seconds());
        let rows = sqlx::query(
            "SELECT CASE ?1 WHEN 'model' THEN model WHEN 'provider' THEN provider \
               ELSE principal END AS name, COUNT(*) AS requests, SUM(input_tokens) AS input, \
               SUM(output_tokens) AS output, COALESCE(SUM(cost_usd), 0.0) AS cost \
             FROM usage WHERE at > ?2 AND (?3 IS NULL OR principal = ?3) \
             GROUP BY name ORDER BY cost DESC, requests DESC, name LIMIT ?4",
        )
        .bind(match by {
            GroupBy::Model => "model",
            GroupBy::Provider => "provider",
            GroupBy::Principal => "principal",
        })
        .bind(since)
        .bind(principal)
        .bind(MAX_GROUPS)
        .fetch_all(&self.0)
        .await?;
        let group = |row: &sqlx::sqlite::SqliteRow| {
            Ok(Group {
                key: row.try_get("name")?,
                requests: unsigned(row.try_get("requests")?),
                input_tokens: unsigned(row.try_get("input")?),
                output_tokens: unsigned(row.try_get("output")?),
                cost_usd: row.try_get("cost")?,
            })
        };
        rows.iter().map(group).collect()
    }

    /// US dollars a principal spent in the last 24 hours, as far as prices are known.
    pub(crate) async fn spent_today(&self, principal: &str, now: i64) -> Result<f64, StoreError> {
        let row = sqlx::query(
            "SELECT COALESCE(SUM(cost_usd), 0.0) AS cost FROM usage WHERE at > ? AND principal = ?",
        )
        .bind(now.saturating_sub(DAY))
        .bind(principal)
        .fetch_one(&self.0)
        .await?;
        Ok(row.try_get("cost")?)
    }
}
