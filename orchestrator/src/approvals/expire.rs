//! Time running out: an open request becomes a no.

use super::{ApprovalError, ApprovalState, Approvals};
use crate::store::{Statement, micros};
use shared::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;

/// How often the job looks. Readers and deciders never depend on it.
const EVERY: Duration = Duration::from_secs(10);
/// Requests closed in one go.
const PAGE: i64 = 200;

const EXPIRE: &str = "UPDATE approvals SET state = 'expired', updated_at = $1 \
     WHERE state IN ('pending', 'approved') AND expires_at <= $1 AND id IN \
     (SELECT id FROM approvals WHERE state IN ('pending', 'approved') AND expires_at <= $1 \
      ORDER BY expires_at LIMIT $2) RETURNING id";

impl Approvals {
    /// Closes and records what is over. How many.
    ///
    /// # Errors
    /// [`ApprovalError::Store`] or [`ApprovalError::Audit`]; asking again goes on with the rest.
    pub async fn expire(&self) -> Result<usize, ApprovalError> {
        let mut closed = 0;
        loop {
            let now = self.clock.now();
            let expire = Statement::new(EXPIRE).bind(micros(now)).bind(PAGE);
            let outcomes = self.store.write(vec![expire]).await?;
            let rows = outcomes.into_iter().flat_map(|outcome| outcome.rows);
            let mut page = 0;
            for row in rows {
                page += 1;
                let id = row.text("id")?;
                let approval = self.by_id(id, now).await?.ok_or(ApprovalError::NotFound)?;
                self.record("approval.expired", &approval, "system:hub", None)
                    .await?;
                self.announce(id, ApprovalState::Expired);
            }
            closed += page;
            if page < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                return Ok(closed);
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
