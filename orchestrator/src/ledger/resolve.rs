//! Effects nobody knows the outcome of: seen and resolved by people, never run again by themselves.
//!
//! Who may see and resolve them, and the record of it, is the caller's matter.

use super::stored::Stored;
use super::{EntryKey, Ledger};
use crate::store::{Listed, Page, Row, Statement, StoreError, moment};
use jiff::Timestamp;
use serde_json::value::RawValue;
use shared::error::Code;
use shared::tool::{Output, ToolError};

const COLUMNS: &str = "id, organization_id, principal, idempotency_key, tool, arguments_hash, \
     created_at, expires_at";

/// One effect of unknown outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectView {
    /// `eff_…`.
    pub id: String,
    /// Whose it is.
    pub organization: String,
    /// Who made the call.
    pub principal: String,
    /// Its key; of a step of a workflow the run, path and attempt.
    pub key: String,
    /// Canonical id.
    pub tool: String,
    /// See [`shared::arguments::hash`].
    pub arguments_hash: String,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When its key is forgotten, once it is resolved.
    pub expires_at: Timestamp,
}

/// Whose effects are meant.
#[derive(Debug, Clone, Copy)]
pub struct Whose<'a> {
    /// Of this organisation.
    pub organization: &'a str,
    /// Of this principal; `None` means of all.
    pub principal: Option<&'a str>,
}

/// What a person found out.
#[derive(Debug)]
pub enum Resolved {
    /// It took place, and gave this; `None` when nobody knows what.
    Done(Option<Box<RawValue>>),
    /// It took place and failed, for this reason.
    Failed(String),
    /// It did not take place: the key is free again.
    DidNotRun,
}

impl EffectView {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let text = |column| row.text(column).map(str::to_owned);
        Ok(Self {
            id: text("id")?,
            organization: text("organization_id")?,
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
    /// Effects of unknown outcome, newest first.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is safe.
    pub async fn unknown(
        &self,
        whose: Whose<'_>,
        page: Page,
    ) -> Result<Listed<EffectView>, StoreError> {
        const WHERE: &str = "FROM effect_ledger WHERE state = 'unknown' AND organization_id = $1 \
             AND ($2 = '' OR principal = $2)";
        let bound = |sql: String| {
            Statement::generated(sql.into())
                .bind(whose.organization)
                .bind(whose.principal.unwrap_or_default())
        };
        let store = self.instance.store();
        let rows = store
            .read(bound(format!("SELECT COUNT(*) AS total {WHERE}")))
            .await?;
        let total = rows.first().map_or(Ok(0), |row| row.integer("total"))?;
        let select = bound(format!(
            "SELECT {COLUMNS} {WHERE} ORDER BY created_at DESC, id LIMIT $3 OFFSET $4"
        ))
        .bind(page.limit())
        .bind(page.offset());
        let rows = store.read(select).await?;
        Ok(Listed {
            rows: rows.iter().map(EffectView::of).collect::<Result<_, _>>()?,
            total: u64::try_from(total).unwrap_or_default(),
        })
    }

    /// One effect of unknown outcome, by id.
    ///
    /// # Errors
    /// [`StoreError`]; asking again is safe.
    pub async fn unknown_one(
        &self,
        whose: Whose<'_>,
        id: &str,
    ) -> Result<Option<EffectView>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM effect_ledger WHERE id = $1 AND state = 'unknown' \
             AND organization_id = $2 AND ($3 = '' OR principal = $3)"
        );
        let select = Statement::generated(sql.into())
            .bind(id)
            .bind(whose.organization)
            .bind(whose.principal.unwrap_or_default());
        let rows = self.instance.store().read(select).await?;
        rows.first().map(EffectView::of).transpose()
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
        let (state, result) = match resolved {
            Resolved::Done(Some(result)) => {
                ("done", Stored::of_output(&Output::structured(result)))
            }
            Resolved::Done(None) => ("done", Stored::not_kept("a person settled it")),
            Resolved::Failed(why) => {
                let error = ToolError::new(Code::BadGateway, why);
                ("failed", Stored::of_error(&error))
            }
            Resolved::DidNotRun => {
                let sql = "DELETE FROM effect_ledger WHERE principal = $1 AND idempotency_key = $2 \
                           AND state = 'unknown'";
                return self.changed_one(key.bind(Statement::new(sql))).await;
            }
        };
        let sql = "UPDATE effect_ledger SET state = $3, result = $4 \
                   WHERE principal = $1 AND idempotency_key = $2 AND state = 'unknown'";
        let update = key.bind(Statement::new(sql)).bind(state).bind(result);
        self.changed_one(update).await
    }

    async fn changed_one(&self, statement: Statement) -> Result<bool, StoreError> {
        let outcomes = self.instance.store().write(vec![statement]).await?;
        Ok(outcomes.first().is_some_and(|outcome| outcome.touched == 1))
    }
}
