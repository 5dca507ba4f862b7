//! Reading requests, and waiting for one.

use super::row::{approval, select};
use super::{Approval, ApprovalError, ApprovalState, Approvals, sees_all};
use crate::auth::Principal;
use crate::store::{Statement, micros};
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::time::Instant;

/// How often a waiting reader looks for itself: another hub on the same store may have changed it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Longest wait.
const MAX_WAIT: Duration = Duration::from_secs(300);
/// Most requests of a list.
const MAX_LISTED: u32 = 200;

impl Approvals {
    /// One request, for its requester or for who may see the organisation's.
    ///
    /// # Errors
    /// [`ApprovalError::NotFound`] when there is none the reader may see.
    pub async fn get(&self, id: &str, reader: &Principal) -> Result<Approval, ApprovalError> {
        let found = self.by_id(id, self.clock.now()).await?;
        found
            .filter(|approval| {
                approval.organization == reader.organization
                    && (approval.requester == reader.id || sees_all(reader))
            })
            .ok_or(ApprovalError::NotFound)
    }

    /// The newest requests the reader may see; `state` `None` means every state, `limit` is brought
    /// into 1 to 200.
    ///
    /// # Errors
    /// [`ApprovalError::Store`].
    pub async fn list(
        &self,
        reader: &Principal,
        state: Option<ApprovalState>,
        limit: u32,
    ) -> Result<Vec<Approval>, ApprovalError> {
        let now = self.clock.now();
        // What is over counts as expired before the job has said so.
        let statement = Statement::new(select!(
            "WHERE organization_id = $1 AND ($2 = 1 OR principal = $3) AND ($4 = '' \
             OR (state = $4 AND (state NOT IN ('pending', 'approved') OR expires_at > $5)) \
             OR ($4 = 'expired' AND state IN ('pending', 'approved') AND expires_at <= $5)) \
             ORDER BY created_at DESC, id LIMIT $6"
        ))
        .bind(reader.organization.as_ref())
        .bind(sees_all(reader))
        .bind(reader.id.as_ref())
        .bind(state.map_or("", ApprovalState::as_str))
        .bind(micros(now))
        .bind(i64::from(limit.clamp(1, MAX_LISTED)));
        let rows = self.store.read(statement).await?;
        let mut listed = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut approval = approval(row, now)?;
            approval.votes = self.votes(&approval.id).await?;
            listed.push(approval);
        }
        Ok(listed)
    }

    /// How many requests wait, in every organisation.
    ///
    /// # Errors
    /// [`ApprovalError::Store`].
    pub async fn pending(&self) -> Result<i64, ApprovalError> {
        let sql =
            "SELECT COUNT(*) AS waiting FROM approvals WHERE state = 'pending' AND expires_at > $1";
        let statement = Statement::new(sql).bind(micros(self.clock.now()));
        let rows = self.store.read(statement).await?;
        Ok(rows.first().map_or(Ok(0), |row| row.integer("waiting"))?)
    }

    /// The request as soon as it is no longer pending, or as it is when `timeout` (at most 5 min) is
    /// over. Dropping the future is fine.
    ///
    /// # Errors
    /// [`ApprovalError::NotFound`] when there is none the reader may see.
    pub async fn wait(
        &self,
        id: &str,
        reader: &Principal,
        timeout: Duration,
    ) -> Result<Approval, ApprovalError> {
        let deadline = Instant::now() + timeout.min(MAX_WAIT);
        let mut changes = self.changes();
        loop {
            let approval = self.get(id, reader).await?;
            if approval.state != ApprovalState::Pending || Instant::now() >= deadline {
                return Ok(approval);
            }
            let look = deadline.min(Instant::now() + LOOK_EVERY);
            // Whether it was told or looks for itself makes no difference.
            drop(tokio::time::timeout_at(look, changed(&mut changes, id)).await);
        }
    }
}

/// Returns when `id` changed, or may have. Without a sender, never.
async fn changed(changes: &mut Receiver<super::Change>, id: &str) {
    use tokio::sync::broadcast::error::RecvError;
    loop {
        match changes.recv().await {
            Ok(change) if *change.id != *id => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
