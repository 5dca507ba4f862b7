//! Approvals of a spoke that is used without a hub: asked for over MCP, decided on its host.
//!
//! The same rules as the hub's: bound to principal, tool and argument hash, 15 minutes to decide, a
//! one-use token good for five, and no timer ever says yes. Here the approver is whoever may run the
//! spoke's binary on its own files.

mod row;

use super::store::StoreError;
use crate::redact::Redactor;
use crate::tool::{Check, Effect};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use row::{read, stored_checks};
use serde_json::Value;
use sqlx::sqlite::SqlitePool;

/// Requests of one spoke that may wait at once; a flood must not fill the disk.
const MAX_PENDING: i64 = 1000;
/// How long a request is kept, in seconds.
const KEPT: i64 = 365 * 24 * 60 * 60;
/// Bytes of arguments kept for display.
const MAX_SHOWN: usize = 16 * 1024;

/// Where a request for approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody decided yet.
    Pending,
    /// A person said yes; the token may be used.
    Approved,
    /// A person said no.
    Rejected,
    /// Its time is over.
    Expired,
    /// The token was used.
    Consumed,
}

impl State {
    const ALL: [Self; 5] = [
        Self::Pending,
        Self::Approved,
        Self::Rejected,
        Self::Expired,
        Self::Consumed,
    ];

    /// The word of the catalogue.
    #[must_use]
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Consumed => "consumed",
        }
    }

    fn read(word: &str) -> Self {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == word);
        known.unwrap_or(Self::Expired)
    }
}

/// One request, as its requester and its approver see it.
#[derive(Debug, Clone)]
pub(super) struct Approval {
    pub(super) id: String,
    pub(super) principal: String,
    pub(super) tool: String,
    pub(super) effect: String,
    /// Canonical JSON, secrets masked.
    pub(super) arguments: String,
    pub(super) arguments_hash: String,
    pub(super) summary: String,
    /// `None` when there was nothing to check.
    pub(super) readiness: Option<Vec<Check>>,
    pub(super) state: State,
    /// Unix seconds.
    pub(super) requested_at: i64,
    /// Unix seconds; of the token once approved.
    pub(super) expires_at: i64,
    /// Only for the requester, once approved; another one is made each time it is asked for.
    pub(super) token: Option<String>,
}

/// The call an approval is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct ApprovedCall<'a> {
    pub(super) principal: &'a str,
    pub(super) tool: &'a str,
    pub(super) arguments_hash: &'a str,
    pub(super) effect: Effect,
    /// Idempotency key; empty when absent. A resend of a consumed call may pass with the same key,
    /// the ledger then decides.
    pub(super) key: &'a str,
}

/// What is shown to the approver.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) arguments: &'a Value,
    pub(super) summary: &'a str,
    pub(super) checks: &'a [Check],
}

/// How long things last, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lives {
    pub(super) decide: i64,
    pub(super) token: i64,
}

/// The approvals of one spoke. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Approvals {
    pool: SqlitePool,
    lives: Lives,
}

/// Why an approval was not opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("too many approvals are waiting for a decision")]
    TooMany,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Approvals {
    pub(super) const fn new(pool: SqlitePool, lives: Lives) -> Self {
        Self { pool, lives }
    }

    /// The open request for this call, with a token once it is approved; a new one when there is none.
    pub(super) async fn open(
        &self,
        call: ApprovedCall<'_>,
        shown: Shown<'_>,
        now: i64,
    ) -> Result<Approval, OpenError> {
        self.expire(now).await?;
        let open = sqlx::query(
            "SELECT * FROM approvals WHERE principal = $1 AND tool = $2 AND arguments_hash = $3
             AND effect_rank >= $4 AND state IN ('pending','approved')
             ORDER BY requested_at DESC LIMIT 1",
        )
        .bind(call.principal)
        .bind(call.tool)
        .bind(call.arguments_hash)
        .bind(rank(call.effect))
        .fetch_optional(&self.pool)
        .await?;
        let mut approval = match open {
            Some(row) => read(&row)?,
            None => return self.ask(call, shown, now).await,
        };
        if approval.state == State::Approved {
            approval.token = self.token(&approval.id).await?;
        }
        Ok(approval)
    }

    async fn ask(
        &self,
        call: ApprovedCall<'_>,
        shown: Shown<'_>,
        now: i64,
    ) -> Result<Approval, OpenError> {
        let pending: i64 =
            sqlx::query_scalar("SELECT count(*) FROM approvals WHERE state = 'pending'")
                .fetch_one(&self.pool)
                .await?;
        if pending >= MAX_PENDING {
            return Err(OpenError::TooMany);
        }
        sqlx::query("DELETE FROM approvals WHERE requested_at < $1")
            .bind(now.saturating_sub(KEPT))
            .execute(&self.pool)
            .await?;
        let approval = Approval {
            id: format!("apr_{}", uuid::Uuid::now_v7().simple()),
            principal: call.principal.to_owned(),
            tool: call.tool.to_owned(),
            effect: call.effect.as_str().to_owned(),
            arguments: masked(shown.arguments),
            arguments_hash: call.arguments_hash.to_owned(),
            summary: shown.summary.to_owned(),
            readiness: (!shown.checks.is_empty()).then(|| shown.checks.to_vec()),
            state: State::Pending,
            requested_at: now,
            expires_at: now.saturating_add(self.lives.decide),
            token: None,
        };
        sqlx::query(
            "INSERT INTO approvals (id, principal, tool, effect, effect_rank, arguments,
             arguments_hash, summary, readiness, state, requested_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending', $10, $11)",
        )
        .bind(&approval.id)
        .bind(&approval.principal)
        .bind(&approval.tool)
        .bind(&approval.effect)
        .bind(rank(call.effect))
        .bind(&approval.arguments)
        .bind(&approval.arguments_hash)
        .bind(&approval.summary)
        .bind(approval.readiness.as_deref().map(stored_checks))
        .bind(approval.requested_at)
        .bind(approval.expires_at)
        .execute(&self.pool)
        .await?;
        Ok(approval)
    }

    async fn token(&self, id: &str) -> Result<Option<String>, StoreError> {
        let mut random = [0_u8; 32];
        rand::fill(&mut random);
        let token = format!("wat_{}", URL_SAFE_NO_PAD.encode(random));
        let stored = sqlx::query(
            "UPDATE approvals SET token_hash = $2 WHERE id = $1 AND state = 'approved'",
        )
        .bind(id)
        .bind(hash(&token))
        .execute(&self.pool)
        .await?;
        Ok((stored.rows_affected() == 1).then_some(token))
    }

    /// Uses a token up. `false`: it does not fit this call, was used, or is over.
    pub(super) async fn redeem(
        &self,
        token: &str,
        call: ApprovedCall<'_>,
        now: i64,
    ) -> Result<bool, StoreError> {
        let used = sqlx::query(
            "UPDATE approvals SET state = 'consumed', consumed_key = $6
             WHERE token_hash = $1 AND principal = $2 AND tool = $3 AND arguments_hash = $4
             AND effect_rank >= $5
             AND ((state = 'approved' AND expires_at > $7)
               OR (state = 'consumed' AND consumed_key = $6 AND $6 <> ''))",
        )
        .bind(hash(token))
        .bind(call.principal)
        .bind(call.tool)
        .bind(call.arguments_hash)
        .bind(rank(call.effect))
        .bind(call.key)
        .bind(now)
        .execute(&self.pool)
        .await?;
        Ok(used.rows_affected() == 1)
    }

    /// Requests in `state`, oldest first, at most `limit`.
    pub(super) async fn list(
        &self,
        state: State,
        limit: i64,
        now: i64,
    ) -> Result<Vec<Approval>, StoreError> {
        self.expire(now).await?;
        let rows = sqlx::query(
            "SELECT * FROM approvals WHERE state = $1 ORDER BY requested_at, id LIMIT $2",
        )
        .bind(state.as_str())
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Decides a pending request. `Err` holds the state it is in instead; `None` when there is none
    /// of this id.
    pub(super) async fn decide(
        &self,
        id: &str,
        decision: Decision<'_>,
        now: i64,
    ) -> Result<Result<(), Option<State>>, StoreError> {
        self.expire(now).await?;
        let (state, expires) = match decision.approve {
            true => (State::Approved, Some(now.saturating_add(self.lives.token))),
            false => (State::Rejected, None),
        };
        let decided = sqlx::query(
            "UPDATE approvals SET state = $2, decided_at = $3, note = $4,
             expires_at = coalesce($5, expires_at) WHERE id = $1 AND state = 'pending'",
        )
        .bind(id)
        .bind(state.as_str())
        .bind(now)
        .bind(decision.note)
        .bind(expires)
        .execute(&self.pool)
        .await?;
        if decided.rows_affected() == 1 {
            return Ok(Ok(()));
        }
        let state: Option<String> = sqlx::query_scalar("SELECT state FROM approvals WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await?;
        Ok(Err(state.map(|word| State::read(&word))))
    }

    async fn expire(&self, now: i64) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE approvals SET state = 'expired'
             WHERE state IN ('pending','approved') AND expires_at <= $1",
        )
        .bind(now)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// What the person at the spoke's host said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decision<'a> {
    pub(crate) approve: bool,
    pub(crate) note: Option<&'a str>,
}

const fn rank(effect: Effect) -> i64 {
    match effect {
        Effect::Read => 0,
        Effect::MutateOwn => 1,
        Effect::Mutate => 2,
        Effect::Critical => 3,
    }
}

fn hash(token: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    hex::encode(digest)
}

fn masked(arguments: &Value) -> String {
    let mut shown = arguments.clone();
    Redactor::new().redact_json(&mut shown);
    let mut text = shown.to_string();
    if text.len() > MAX_SHOWN {
        text.truncate(text.floor_char_boundary(MAX_SHOWN));
        text.push('…');
    }
    text
}
