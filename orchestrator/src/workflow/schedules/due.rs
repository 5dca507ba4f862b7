//! Starting what is due: the run and the next date are one commit, so that a date starts one run,
//! whatever is killed and however many hubs look.

use super::super::sensitive::Sensitive;
use super::super::start::{NewRun, request_hash};
use super::super::{Order, WorkflowError, Workflows};
use super::rule::Overlapping;
use super::{COLUMNS, Kept};
use crate::auth::{AuthError, Principal};
use crate::store::{Statement, StoreError, micros, moment};
use jiff::Timestamp;
use serde_json::Value;
use shared::id::CorrelationId;
use std::sync::Arc;
use std::time::Duration;

/// Schedules read in one go.
const PAGE: usize = 100;
/// Runs of a schedule that are looked at.
const RUNS: i64 = 100;
/// Longest sleep.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Longest sleep after something went wrong.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Runs in a row that may fail before a schedule pauses.
const FAILURES: i64 = 3;

/// What a schedule's runs say of whether it may start.
struct Before {
    /// One that is open.
    open: Option<String>,
    /// When the last one ended.
    ended: Option<Timestamp>,
    /// So many of the last ones failed, one after the other.
    failed: i64,
}

impl Workflows {
    /// Starts what is due until the tasks stop.
    pub(in crate::workflow) async fn keep_schedules(self: Arc<Self>) {
        let stop = self.gateway.tasks.token();
        loop {
            let (sleep, ends_matter) = match self.start_due().await {
                Ok(found) => found,
                Err(error) => (not_kept(&error, None), false),
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.schedules.notified() => {}
                () = self.changes.ends.notified(), if ends_matter => {}
                () = tokio::time::sleep(sleep) => {}
            }
        }
    }

    /// Starts what is due: how long nothing will be, and whether the end of a run may change that.
    async fn start_due(self: &Arc<Self>) -> Result<(Duration, bool), WorkflowError> {
        let now = self.now();
        let mut ends_matter = false;
        let mut longest = LOOK_EVERY;
        let mut after = String::new();
        loop {
            let page = self.due_after(&after, now).await?;
            for kept in &page {
                let looked = self.look_at(kept, now).await;
                longest = looked
                    .as_ref()
                    .map_or_else(|error| not_kept(error, Some(&kept.id)), |_| longest);
                ends_matter |= looked.unwrap_or(false);
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after.clone_from(&last.id),
                _ => break,
            }
        }
        let sql = "SELECT MIN(next_at) AS next FROM workflow_schedules WHERE paused IS NULL AND next_at > $1";
        let next = Statement::new(sql).bind(micros(now));
        let next = self.instance.store().read(next).await?;
        let next = next
            .first()
            .map_or(Ok(None), |row| row.optional_integer("next"))?;
        let sleep = next.map_or(longest, |next| {
            let wait = next.saturating_sub(micros(self.now()));
            Duration::from_micros(u64::try_from(wait).unwrap_or(0)).min(longest)
        });
        Ok((sleep, ends_matter))
    }

    /// Some that are due, or wait for the end of a run, in the order of their ids.
    async fn due_after(&self, id: &str, now: Timestamp) -> Result<Vec<Kept>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM workflow_schedules s WHERE s.paused IS NULL AND s.id > $1 \
             AND (s.next_at IS NULL OR s.next_at <= $2) ORDER BY s.id LIMIT $3"
        );
        let due = Statement::generated(sql.into())
            .bind(id)
            .bind(micros(now))
            .bind(i64::try_from(PAGE).unwrap_or(i64::MAX));
        let rows = self.instance.store().read(due).await?;
        rows.iter().map(Kept::of).collect()
    }

    /// One schedule that is due or waits for the end of a run; whether it still waits for one.
    async fn look_at(self: &Arc<Self>, kept: &Kept, now: Timestamp) -> Result<bool, WorkflowError> {
        let before = self.runs_of(kept).await?;
        if before.failed >= FAILURES {
            self.set_paused(kept, Some("its last runs failed")).await?;
            return Ok(false);
        }
        let Some(due) = kept.next_at else {
            if before.open.is_some() {
                return Ok(true);
            }
            let next = before.ended.and_then(|end| kept.rule.after_end(end));
            self.instance
                .store()
                .write(vec![kept.move_to(next.unwrap_or(now))])
                .await?;
            self.schedules.notify_one();
            return Ok(false);
        };
        let could = before
            .ended
            .filter(|_| kept.rule.overlap == Overlapping::Queue);
        let could = could.map_or(due, |ended| ended.max(due));
        if !self.owner_may_act(kept).await? {
            self.set_paused(kept, Some("its owner may not act")).await?;
            return Ok(false);
        }
        match (&before.open, kept.rule.overlap) {
            (Some(_), Overlapping::Queue) => return Ok(true),
            (Some(_), Overlapping::Skip) => return self.pass(kept, due, "one is open").await,
            _ if kept.rule.missed(could, now) => {
                return self.pass(kept, due, "it is too late").await;
            }
            (Some(open), Overlapping::CancelOld) => self.cancel_old(kept, open).await?,
            _ => {}
        }
        self.begin(kept, due, now).await
    }

    async fn owner_may_act(&self, kept: &Kept) -> Result<bool, WorkflowError> {
        match self.gateway.auth.recall(&kept.principal).await {
            Ok(_) => Ok(true),
            Err(error @ AuthError::Unavailable(_)) => Err(error.into()),
            Err(_) => Ok(false),
        }
    }

    /// Leaves a date out.
    async fn pass(&self, kept: &Kept, due: Timestamp, why: &str) -> Result<bool, WorkflowError> {
        tracing::info!(
            event = "schedule_skipped",
            schedule_id = kept.id,
            why,
            "no run was started"
        );
        let now = self.now();
        let next = kept.rule.next(due, now).unwrap_or(now);
        self.instance
            .store()
            .write(vec![kept.move_to(next)])
            .await?;
        Ok(false)
    }

    async fn cancel_old(self: &Arc<Self>, kept: &Kept, open: &str) -> Result<(), WorkflowError> {
        let principal = self.gateway.auth.recall(&kept.principal).await;
        let principal: Arc<Principal> = principal
            .map_err(|error| WorkflowError::Conflict(format!("its owner may not act: {error}")))?;
        let caller = super::caller_of(principal);
        let reason = Some("its schedule started another".to_owned());
        match self.order(&caller, open, Order::Cancel, reason).await {
            // It ended by itself, or is being cancelled.
            Err(WorkflowError::Conflict(_)) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn begin(
        self: &Arc<Self>,
        kept: &Kept,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<bool, WorkflowError> {
        let definition = self.definition(&kept.organization, &kept.digest).await?;
        let input: Value = serde_json::from_str(&kept.input).unwrap_or_default();
        let (id, mut batch) = self.new_run(NewRun {
            organization: Arc::clone(&kept.organization),
            namespace: Arc::clone(&kept.namespace),
            principal: Arc::clone(&kept.principal),
            correlation_id: CorrelationId::fresh().as_str().to_owned(),
            definition: &definition,
            short: false,
            request_hash: request_hash(&definition.digest, &input),
            input: Arc::new(input),
            key: None,
            depth: 0,
            parent: None,
            schedule: Some(kept.id.clone()),
            rerun: None,
            sensitive: Sensitive::default(),
        });
        batch.insert(0, kept.started(kept.rule.next(due, now), &id, now));
        match self.instance.store().write(batch).await {
            Ok(_) => {}
            // Another hub was first.
            Err(StoreError::Unexpected(0)) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        self.gateway.metrics.workflow_started();
        drop(
            self.deliver(&id, super::super::mailbox::Letter::Inbox)
                .await,
        );
        Ok(kept.rule.after_end(now).is_some())
    }

    async fn runs_of(&self, kept: &Kept) -> Result<Before, StoreError> {
        let sql = "SELECT id, status, finished_at FROM workflows WHERE schedule_id = $1 \
                   AND (finished_at IS NULL OR created_at >= $2) ORDER BY created_at DESC LIMIT $3";
        let select = Statement::new(sql)
            .bind(kept.id.as_str())
            .bind(kept.updated_at)
            .bind(RUNS);
        let rows = self.instance.store().read(select).await?;
        let (mut open, mut ended, mut failed, mut counting) = (None, None, 0, true);
        for row in &rows {
            match row.optional_integer("finished_at")? {
                None => open = Some(row.text("id")?.to_owned()),
                Some(end) => {
                    ended = ended.max(Some(moment(end)));
                    counting &= row.text("status")? == "failed";
                    failed += i64::from(counting);
                }
            }
        }
        Ok(Before {
            open,
            ended,
            failed,
        })
    }
}

/// Reports what went wrong; how soon to look again.
fn not_kept(error: &WorkflowError, schedule: Option<&str>) -> Duration {
    tracing::warn!(
        event = "workflow_schedules",
        schedule_id = schedule,
        error = error as &dyn std::error::Error,
        "schedules could not be kept"
    );
    AFTER_FAILURE
}
