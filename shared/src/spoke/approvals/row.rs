//! One approval as a row of the store.

use super::{Approval, State};
use crate::spoke::store::StoreError;
use crate::tool::Check;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

#[derive(Serialize, Deserialize)]
struct StoredCheck {
    name: String,
    ok: bool,
    detail: String,
}

pub(super) fn stored_checks(checks: &[Check]) -> String {
    let stored: Vec<StoredCheck> = checks
        .iter()
        .map(|check| StoredCheck {
            name: check.name.clone(),
            ok: check.ok,
            detail: check.detail.clone(),
        })
        .collect();
    serde_json::to_string(&stored).expect("checks have string keys only")
}

fn read_checks(text: &str) -> Vec<Check> {
    let stored: Vec<StoredCheck> = serde_json::from_str(text).unwrap_or_default();
    stored
        .into_iter()
        .map(|check| Check {
            name: check.name,
            ok: check.ok,
            detail: check.detail,
        })
        .collect()
}

pub(super) fn read(row: &SqliteRow) -> Result<Approval, StoreError> {
    let readiness: Option<String> = row.try_get("readiness")?;
    Ok(Approval {
        id: row.try_get("id")?,
        principal: row.try_get("principal")?,
        tool: row.try_get("tool")?,
        effect: row.try_get("effect")?,
        arguments: row.try_get("arguments")?,
        arguments_hash: row.try_get("arguments_hash")?,
        summary: row.try_get("summary")?,
        readiness: readiness.as_deref().map(read_checks),
        state: State::read(row.try_get("state")?),
        requested_at: row.try_get("requested_at")?,
        expires_at: row.try_get("expires_at")?,
        token: None,
    })
}
