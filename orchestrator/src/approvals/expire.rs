//! Time running out: an open request becomes a no.

use super::row::{approval, select};
use super::{Approval, ApprovalError, ApprovalState, Approvals, Recorded, refused};
use crate::store::{Statement, StoreError, micros};
use jiff::Timestamp;
use shared::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;

/// How often the job looks. Readers and deciders never depend on it.
const EVERY: Duration = Duration::from_secs(10);
/// Requests closed in one go.
const PAGE: i64 = 200;

const EXPIRE: &str = "UPDATE approvals SET state = 'expired', updated_at = $1 \
     WHERE id = $2 AND state IN ('pending', 'approved') AND expires_at <= $1";

impl Approvals {
    /// Closes and records what is over. How many.
    ///
    /// # Errors
    /// [`ApprovalError::Store`] or [`ApprovalError::Audit`]; asking again goes on with the rest.
    pub async fn expire(&self) -> Result<usize, ApprovalError> {
        let mut closed = 0;
        loop {
            let now = self.clock.now();
            let over = Statement::new(select!(
                "WHERE state IN ('pending', 'approved') AND expires_at <= $1 \
                 ORDER BY expires_at LIMIT $2"
            ));
            let rows = self.store.read(over.bind(micros(now)).bind(PAGE)).await?;
            for row in &rows {
                closed += usize::from(self.close(&approval(row, now)?, now).await?);
            }
            if rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                return Ok(closed);
            }
        }
    }

    /// Closes one that is over; false when somebody else did.
    async fn close(&self, over: &Approval, now: Timestamp) -> Result<bool, ApprovalError> {
        let id = over.id.as_str();
        let expire = Statement::new(EXPIRE).bind(micros(now)).bind(id).expect(1);
        let record = Recorded {
            action: "approval.expired",
            approval: over,
            actor: "system:hub",
            note: None,
        };
        match self.change(vec![expire], record).await {
            Err(error) if matches!(refused(&error), Some(StoreError::Unexpected(_))) => Ok(false),
            changed => {
                changed?;
                self.announce(id, ApprovalState::Expired);
                Ok(true)
            }
        }
    }

    async fn expire_or_say_why(&self) {
        if let Err(error) = self.expire().await {
            tracing::warn!(event = "approvals_expiry_failed", %error, "will be tried again");
        }
    }

    /// Starts the job that closes what is over, until the tasks stop.
    pub fn start_jobs(self: &Arc<Self>, tasks: &Tasks) {
        let (approvals, stop) = (Arc::clone(self), tasks.token());
        let job = async move {
            let mut ticks = tokio::time::interval(EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                approvals.expire_or_say_why().await;
            }
        };
        drop(tasks.spawn("approvals expiry", job));
    }
}
