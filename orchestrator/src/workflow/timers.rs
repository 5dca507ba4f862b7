//! Timers: rows of the store, one sleeper for all of them.
//!
//! The sleeper knows the earliest date there is and sleeps until then; a commit that adds an earlier one
//! wakes it. It also looks once in half a minute, since a clock that is set does not wake sleepers. The
//! row of a timer goes in the commit that takes it in, never before.

use super::Workflows;
use super::mailbox::Letter;
use crate::store::{Row, Statement, StoreError, micros};
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use workflow::core::TimerKind;

/// Timers handed out in one go.
const PAGE: i64 = 512;
/// Longest sleep.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Pause after the store could not be asked.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// Run, path, kind and date of one timer.
pub(super) type Key = (Arc<str>, String, TimerKind, i64);

/// The sleeper's knowledge.
#[derive(Default)]
pub(super) struct Timers {
    next: Mutex<Option<i64>>,
    /// Handed to their runs and not yet committed.
    handed: Mutex<HashSet<Key>>,
    wake: Notify,
}

impl Timers {
    /// A commit has added a timer that is due then.
    pub(super) fn hint(&self, due: i64) {
        let mut next = self.next.lock();
        if next.is_none_or(|next| due < next) {
            *next = Some(due);
            self.wake.notify_one();
        }
    }

    /// All dates are looked at again.
    pub(super) fn look(&self) {
        self.wake.notify_one();
    }

    /// The run has taken a timer in, or will never.
    pub(super) fn taken(&self, key: &Key) {
        if self.handed.lock().remove(key) {
            self.wake.notify_one();
        }
    }
}

impl Workflows {
    /// Hands out timers as they come due, until the tasks stop.
    pub(super) async fn keep_time(self: Arc<Self>) {
        let stop = self.gateway.tasks.token();
        loop {
            let sleep = match self.fire_due().await {
                Ok(sleep) => sleep,
                Err(error) => {
                    tracing::warn!(event = "workflow_timers", %error, "timers could not be read");
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.timers.wake.notified() => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Hands out what is due; how long nothing will be.
    async fn fire_due(self: &Arc<Self>) -> Result<Duration, StoreError> {
        let now = micros(self.now());
        let owner = self.instance.id().as_ref();
        let handed = i64::try_from(self.timers.handed.lock().len()).unwrap_or(i64::MAX);
        let sql = "SELECT t.workflow_id, t.path, t.timer, t.due FROM workflow_timers t \
                   JOIN workflow_states s ON s.workflow_id = t.workflow_id \
                   WHERE t.due <= $1 AND s.owner = $2 ORDER BY t.due LIMIT $3";
        let due = Statement::new(sql)
            .bind(now)
            .bind(owner)
            .bind(PAGE.saturating_add(handed));
        let mut fresh = 0;
        for row in &self.instance.store().read(due).await? {
            fresh += i64::from(self.hand_out(row, now).await?);
        }
        if fresh >= PAGE {
            return Ok(Duration::ZERO);
        }
        self.until_next(now).await
    }

    /// Hands one timer to its run; whether it was not handed out before.
    async fn hand_out(self: &Arc<Self>, row: &Row, now: i64) -> Result<bool, StoreError> {
        let Some(kind) = TimerKind::from_name(row.text("timer")?) else {
            return Ok(false);
        };
        let id: Arc<str> = row.text("workflow_id")?.into();
        let path = row.text("path")?.to_owned();
        let due = row.integer("due")?;
        let key = (Arc::clone(&id), path.clone(), kind, due);
        if !self.timers.handed.lock().insert(key.clone()) {
            return Ok(false);
        }
        let lag = now.saturating_sub(due);
        self.gateway.metrics.workflow_timer_lag(lag);
        let letter = Letter::Timer { path, kind, due };
        if self.deliver(&id, letter).await.is_err() {
            self.timers.handed.lock().remove(&key);
        }
        Ok(true)
    }

    async fn until_next(&self, now: i64) -> Result<Duration, StoreError> {
        let sql = "SELECT MIN(due) AS due FROM workflow_timers WHERE due > $1";
        // What a commit adds meanwhile is hinted at and wakes the sleeper.
        *self.timers.next.lock() = None;
        let rows = self
            .instance
            .store()
            .read(Statement::new(sql).bind(now))
            .await?;
        let due = rows
            .first()
            .map_or(Ok(None), |row| row.optional_integer("due"))?;
        let Some(due) = due else {
            return Ok(LOOK_EVERY);
        };
        let mut next = self.timers.next.lock();
        *next = Some(next.map_or(due, |hinted| hinted.min(due)));
        let wait = u64::try_from(due.saturating_sub(micros(self.now()))).unwrap_or(0);
        Ok(Duration::from_micros(wait).min(LOOK_EVERY))
    }
}
