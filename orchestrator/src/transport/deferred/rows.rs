//! The statements behind deferred calls.

use crate::auth::Principal;
use crate::store::{Row, Statement, StoreError, micros};
use jiff::Timestamp;

/// Where a deferred call stands in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// It runs, or waits for somebody.
    Working,
    /// It ended with a result, which may tell of an error of the tool.
    Completed,
    /// It ended with an error of the protocol.
    Failed,
    /// Its caller ended it.
    Cancelled,
}

impl Status {
    /// MCP's word.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [
            Self::Working,
            Self::Completed,
            Self::Failed,
            Self::Cancelled,
        ]
        .into_iter()
        .find(|status| status.as_str() == word)
    }
}

/// A deferred call as it stands in the store.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) status: Status,
    /// Sealed; `None` while there is no answer.
    pub(super) answer: Option<String>,
    /// The hub that makes the call.
    pub(super) instance: String,
    /// Microseconds since 1970.
    pub(super) created_at: i64,
    /// Microseconds since 1970.
    pub(super) updated_at: i64,
    /// Whether that hub is still at work.
    pub(super) alive: bool,
}

/// When a call was deferred, and until when it is kept.
#[derive(Clone, Copy)]
pub(super) struct Life {
    pub(super) now: Timestamp,
    pub(super) over: Timestamp,
}

/// Enters a call, and drops what is over.
pub(super) fn insert(
    id: &str,
    principal: &Principal,
    instance: &str,
    life: Life,
) -> Vec<Statement> {
    let now = micros(life.now);
    let over = Statement::new("DELETE FROM deferred_calls WHERE expires_at <= $1").bind(now);
    let insert = Statement::new(
        "INSERT INTO deferred_calls (id, organization_id, principal, status, instance, created_at, \
         updated_at, expires_at) VALUES ($1, $2, $3, 'working', $4, $5, $5, $6)",
    )
    .bind(id)
    .bind(&*principal.organization)
    .bind(&*principal.id)
    .bind(instance)
    .bind(now)
    .bind(micros(life.over));
    vec![over, insert]
}

/// One call of one principal.
pub(super) fn select(id: &str, principal: &Principal, now: Timestamp) -> Statement {
    Statement::new(
        "SELECT d.status, d.answer, d.instance, d.created_at, d.updated_at, \
         (SELECT COUNT(*) FROM hub_instances h WHERE h.id = d.instance) AS alive \
         FROM deferred_calls d WHERE d.id = $1 AND d.organization_id = $2 AND d.principal = $3 \
         AND d.expires_at > $4",
    )
    .bind(id)
    .bind(&*principal.organization)
    .bind(&*principal.id)
    .bind(micros(now))
}

/// Ends a call that has not ended.
pub(super) fn settle(
    id: &str,
    status: Status,
    answer: Option<String>,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "UPDATE deferred_calls SET status = $2, answer = CAST($3 AS TEXT), updated_at = $4 \
         WHERE id = $1 AND status = 'working'",
    )
    .bind(id)
    .bind(status.as_str())
    .bind(answer)
    .bind(micros(now))
}

pub(super) fn kept(row: &Row) -> Result<Kept, StoreError> {
    Ok(Kept {
        status: Status::parse(row.text("status")?).ok_or(StoreError::Column("status"))?,
        answer: row.optional_text("answer")?.map(str::to_owned),
        instance: row.text("instance")?.to_owned(),
        created_at: row.integer("created_at")?,
        updated_at: row.integer("updated_at")?,
        alive: row.integer("alive")? > 0,
    })
}
