//! Which approvals of the hub were used here: each nonce is good for one call.

use super::store::StoreError;
use crate::grant::Grant;
use sqlx::sqlite::SqlitePool;

/// The used grants of one spoke. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct UsedGrants(SqlitePool);

impl UsedGrants {
    pub(super) const fn new(pool: SqlitePool) -> Self {
        Self(pool)
    }

    /// Uses a verified grant up. `false` when it was used before, unless by the same principal under
    /// the same idempotency key (`key`, empty when absent): such a resend is the ledger's to judge.
    pub(super) async fn redeem(
        &self,
        grant: &Grant,
        key: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        sqlx::query("DELETE FROM used_grants WHERE expires_at <= $1")
            .bind(now)
            .execute(&self.0)
            .await?;
        let first = sqlx::query(
            "INSERT INTO used_grants (nonce, principal, key, expires_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
        )
        .bind(&grant.nonce)
        .bind(&grant.principal)
        .bind(key)
        .bind(grant.expires_at)
        .execute(&self.0)
        .await?;
        if first.rows_affected() == 1 {
            return Ok(true);
        }
        let resend: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM used_grants
             WHERE nonce = $1 AND principal = $2 AND key = $3 AND key <> ''",
        )
        .bind(&grant.nonce)
        .bind(&grant.principal)
        .bind(key)
        .fetch_one(&self.0)
        .await?;
        Ok(resend == 1)
    }
}
