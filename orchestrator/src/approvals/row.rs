//! Rows of the tables `approvals` and `approval_votes`.

use super::{Approval, ApprovalState, Approvals, Verdict, Vote};
use crate::store::{Row, Statement, StoreError, moment};
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::id::ToolId;
use shared::tool::{Check, Effect};
use std::sync::Arc;

/// Columns of an [`Approval`], for every `SELECT`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, principal, requester, requester_person, tool, service, effect, rule, arguments, \
             arguments_hash, summary, readiness, required, roles, self_approval, state, expires_at, \
             decided_at, consumed_at, correlation_id, created_at, form, reason_required FROM approvals ",
            $rest
        )
    };
}
pub(super) use select;

impl Approvals {
    /// The first row with its votes, as it stands at `now`.
    pub(super) async fn first(
        &self,
        statement: Statement,
        now: Timestamp,
    ) -> Result<Option<Approval>, StoreError> {
        let rows = self.store.read(statement).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let mut approval = approval(row, now)?;
        approval.votes = self.votes(&approval.id).await?;
        Ok(Some(approval))
    }

    pub(super) async fn by_id(
        &self,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<Approval>, StoreError> {
        let statement = Statement::new(select!("WHERE id = $1")).bind(id);
        self.first(statement, now).await
    }

    pub(super) async fn votes(&self, id: &str) -> Result<Vec<Vote>, StoreError> {
        let sql = "SELECT approver, decision, note, at, form FROM approval_votes WHERE approval_id = $1 \
                   ORDER BY at, approver";
        let rows = self.store.read(Statement::new(sql).bind(id)).await?;
        rows.iter()
            .map(|row| {
                Ok(Vote {
                    approver: row.text("approver")?.to_owned(),
                    verdict: Verdict::parse(row.text("decision")?)
                        .ok_or(StoreError::Column("decision"))?,
                    note: row.optional_text("note")?.map(str::to_owned),
                    form: optional_value(row, "form")?,
                    at: moment(row.integer("at")?),
                })
            })
            .collect()
    }
}

/// One row without its votes. What is over counts as expired before the job has said so.
pub(super) fn approval(row: &Row, now: Timestamp) -> Result<Approval, StoreError> {
    let text = |column| row.text(column).map(str::to_owned);
    let optional = |column| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.optional_integer(column)?.map(moment))
    };
    let expires_at = moment(row.integer("expires_at")?);
    let stored = ApprovalState::parse(row.text("state")?).ok_or(StoreError::Column("state"))?;
    let open = matches!(stored, ApprovalState::Pending | ApprovalState::Approved);
    Ok(Approval {
        id: text("id")?,
        organization: Arc::from(row.text("organization_id")?),
        requester: Arc::from(row.text("principal")?),
        requester_name: text("requester")?,
        requester_person: row.optional_text("requester_person")?.map(Arc::from),
        tool: ToolId::parse(row.text("tool")?).or(Err(StoreError::Column("tool")))?,
        service: Arc::from(row.text("service")?),
        effect: Effect::parse(row.text("effect")?).ok_or(StoreError::Column("effect"))?,
        rule: text("rule")?,
        arguments: value(row, "arguments")?,
        arguments_hash: Arc::from(row.text("arguments_hash")?),
        summary: text("summary")?,
        checks: checks(&value(row, "readiness")?).ok_or(StoreError::Column("readiness"))?,
        state: if open && expires_at <= now {
            ApprovalState::Expired
        } else {
            stored
        },
        required: u32::try_from(row.integer("required")?)
            .or(Err(StoreError::Column("required")))?,
        roles: serde_json::from_value(value(row, "roles")?).or(Err(StoreError::Column("roles")))?,
        self_approval: row.integer("self_approval")? != 0,
        form: optional_value(row, "form")?,
        reason_required: row.integer("reason_required")? != 0,
        votes: Vec::new(),
        requested_at: moment(row.integer("created_at")?),
        expires_at,
        decided_at: optional("decided_at")?,
        consumed_at: optional("consumed_at")?,
        correlation_id: text("correlation_id")?,
    })
}

fn value(row: &Row, column: &'static str) -> Result<Value, StoreError> {
    serde_json::from_str(row.text(column)?).or(Err(StoreError::Column(column)))
}

fn optional_value(row: &Row, column: &'static str) -> Result<Option<Value>, StoreError> {
    let text = row.optional_text(column)?;
    let read = text.map(serde_json::from_str).transpose();
    read.or(Err(StoreError::Column(column)))
}

/// Checks as they stand in the store and on the wire.
pub(super) fn checks_json(checks: &[Check]) -> Value {
    checks
        .iter()
        .map(|check| json!({"name": check.name, "ok": check.ok, "detail": check.detail}))
        .collect()
}

fn checks(value: &Value) -> Option<Vec<Check>> {
    let text = |item: &Value, field: &str| Some(item.get(field)?.as_str()?.to_owned());
    value
        .as_array()?
        .iter()
        .map(|item| {
            Some(Check {
                name: text(item, "name")?,
                ok: item.get("ok")?.as_bool()?,
                detail: text(item, "detail")?,
            })
        })
        .collect()
}
