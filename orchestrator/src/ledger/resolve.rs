//! Effects nobody knows the outcome of: seen and resolved by people, never run again by themselves.

use super::stored::Stored;
use super::{EntryKey, Ledger};
use crate::store::{Listed, Page, Row, Statement, StoreError, moment};
use jiff::Timestamp;
use serde_json::value::RawValue;
use shared::tool::Output;

/// One effect of unknown outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectView {
    /// Who made the call.
    pub principal: String,
    /// Its key.
    pub key: String,
    /// Canonical id.
    pub tool: String,
    /// See [`shared::arguments::hash`].
    pub arguments_hash: String,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When its key is forgotten.
    pub expires_at: Timestamp,
}

/// What a person found out.
#[derive(Debug)]
pub enum Resolved {
    /// It took place, and gave this.
    Done(Box<RawValue>),
    /// It did not: the key is free again.
    DidNotRun,
}

impl EffectView {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let text = |column| row.text(column).map(str::to_owned);
        Ok(Self {
            principal: text("principal")?,
            key: text("idempotency_key")?,
            tool: text("tool")?,
            arguments_hash: text("arguments_hash")?,
            created_at: moment(row.integer("created_at")?),
            expires_at: moment(row.integer("expires_at")?),
        })
    }
}

impl Ledger {
    /// Effects of unknown outcome, newest first; of one principal, or of all when `principal` is `None`.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is safe.
    pub async fn unknown(
        &self,
        principal: Option<&str>,
        page: Page,
    ) -> Result<Listed<EffectView>, StoreError> {
        const WHERE: &str =
            "FROM effect_ledger WHERE state = 'unknown' AND ($1 = '' OR principal = $1)";
        let bound =
            |sql: String| Statement::generated(sql.into()).bind(principal.unwrap_or_default());
        let store = self.instance.store();
        let rows = store
            .read(bound(format!("SELECT COUNT(*) AS total {WHERE}")))
            .await?;
        let total = rows.first().map_or(Ok(0), |row| row.integer("total"))?;
        let columns = "principal, idempotency_key, tool, arguments_hash, created_at, expires_at";
        let select = bound(format!(
            "SELECT {columns} {WHERE} ORDER BY created_at DESC, idempotency_key LIMIT $2 OFFSET $3"
        ))
        .bind(page.limit())
        .bind(page.offset());
        let rows = store.read(select).await?;
        Ok(Listed {
            rows: rows.iter().map(EffectView::of).collect::<Result<_, _>>()?,
            total: u64::try_from(total).unwrap_or_default(),
        })
    }

    /// Writes down what a person found out; whether there was such an effect of unknown outcome.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed.
    pub async fn resolve(
        &self,
        principal: &str,
        key: &str,
        resolved: Resolved,
    ) -> Result<bool, StoreError> {
        let key = EntryKey::new(principal, key);
        let statement = match resolved {
            Resolved::Done(result) => {
                let sql = "UPDATE effect_ledger SET state = 'done', result = $3 \
                           WHERE principal = $1 AND idempotency_key = $2 AND state = 'unknown'";
                let stored = Stored::of_output(&Output::structured(result));
                key.bind(Statement::new(sql)).bind(stored)
            }
            Resolved::DidNotRun => key.bind(Statement::new(
                "DELETE FROM effect_ledger WHERE principal = $1 AND idempotency_key = $2 \
                 AND state = 'unknown'",
            )),
        };
        let outcomes = self.instance.store().write(vec![statement]).await?;
        Ok(outcomes.first().is_some_and(|outcome| outcome.touched == 1))
    }
}
