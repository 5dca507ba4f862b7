//! The life of runs told to another system: signed `CloudEvents` by HTTP POST.
//!
//! What is to be told is written in the commit that makes it so, and sent until it is taken: in order, at
//! least once, with the same id each time. Of the hubs of one store the first by name sends. An event
//! that is not taken within three days is given up, with a line in the log. Without an address nothing is
//! written for it.

use super::Workflows;
use super::history::{HistoryEntry, data_of};
use super::lifecycle::cloud_event;
use super::runner::Facts;
use crate::approvals::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign_webhook};
use crate::calls::{Web, WebRequest};
use crate::store::{Statement, StoreError, micros};
use serde_json::{Value, json};
use shared::secret::Secret;
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use workflow::core::{Entry, What};

/// Events sent in one go.
const PAGE: i64 = 100;
/// How often one looks when nothing was said.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Pauses after an event that was not taken.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long an event is tried, in microseconds.
const TRIED_FOR: i64 = 3 * 86_400_000_000;

/// Where events go.
pub struct Hook {
    /// The address.
    pub url: Url,
    /// What they are signed with, as signed decisions are; see [`sign_webhook`].
    pub secret: Secret,
    /// Sends them.
    pub web: Arc<dyn Web>,
}

/// An event that waits.
struct Due {
    seq: i64,
    event: String,
    at: i64,
}

impl Workflows {
    /// Tells `hook` of the life of runs, until the tasks stop.
    pub fn tell_of_runs(self: &Arc<Self>, hook: Hook) {
        if self.hook.set(hook).is_err() {
            tracing::warn!(event = "hook_set_twice", "the webhook was set before");
            return;
        }
        let tasks = &self.gateway.tasks;
        drop(tasks.spawn("workflow webhook", Arc::clone(self).send_events()));
    }

    /// The rows for what the webhook is told of these lines.
    pub(super) fn announced(&self, facts: &Facts, entries: &[Entry]) -> Vec<Statement> {
        if self.hook.get().is_none() {
            return Vec::new();
        }
        let masked = |value: &Value| self.masked(value);
        let told = entries.iter().filter(|entry| is_told(entry));
        let told = told.map(|entry| {
            let line = HistoryEntry {
                seq: entry.seq,
                kind: entry.what.name().to_owned(),
                path: (!entry.path.is_run()).then(|| entry.path.as_str().to_owned()),
                data: data_of(&entry.what, &masked),
                at: entry.at,
            };
            self.pending(facts, cloud_event(&facts.id, &line))
        });
        told.collect()
    }

    /// The row of an event the webhook is to be told.
    pub(super) fn pending(&self, facts: &Facts, mut event: Value) -> Statement {
        if let Some(fields) = event.as_object_mut() {
            fields.insert("workflow".into(), json!(facts.name));
            fields.insert("correlationid".into(), json!(facts.correlation_id));
        }
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let sql = "INSERT INTO workflow_cloudevents (organization_id, id, source, type, subject, workflow_id, \
                   event, at, pending) VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8) \
                   ON CONFLICT (organization_id, source, id) DO NOTHING";
        Statement::new(sql)
            .bind(facts.organization.as_ref())
            .bind(text("id"))
            .bind(text("source"))
            .bind(text("type"))
            .bind(facts.id.as_ref())
            .bind(event.to_string())
            .bind(micros(self.now()))
            .bind(i64::from(self.hook.get().is_some()))
    }

    async fn send_events(self: Arc<Self>) {
        let stop = self.gateway.tasks.token();
        let mut pause = FIRST_PAUSE;
        loop {
            let wait = match self.send_due().await {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    LOOK_EVERY
                }
                Err(error) => {
                    tracing::warn!(
                        event = "workflow_webhook",
                        error,
                        "events wait for the webhook"
                    );
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    // News do not make a receiver well.
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(pause) => continue,
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
                () = self.changes.any.notified() => {}
            }
        }
    }

    async fn send_due(&self) -> Result<(), String> {
        loop {
            let due = self.due_events().await.map_err(|error| error.to_string())?;
            let full = due.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
            for event in due {
                self.deliver_one(&event).await?;
            }
            if !full {
                return Ok(());
            }
        }
    }

    /// Sends one, and takes it off the list unless it is to be tried again.
    async fn deliver_one(&self, event: &Due) -> Result<(), String> {
        if let Err(why) = self.send_one(event).await {
            if micros(self.now()).saturating_sub(event.at) <= TRIED_FOR {
                return Err(why);
            }
            tracing::error!(
                event = "workflow_webhook_lost",
                why,
                "an event was given up"
            );
        }
        let sql = "UPDATE workflow_cloudevents SET pending = 0 WHERE seq = $1";
        let update = Statement::new(sql).bind(event.seq);
        let written = self.instance.store().write(vec![update]).await;
        written.map(drop).map_err(|error| error.to_string())
    }

    /// The next events, when this hub is the one that sends.
    async fn due_events(&self) -> Result<Vec<Due>, StoreError> {
        let sql = "SELECT seq, event, at FROM workflow_cloudevents WHERE pending = 1 \
                   AND $1 = (SELECT MIN(id) FROM hub_instances) ORDER BY seq LIMIT $2";
        let select = Statement::new(sql)
            .bind(self.instance.id().as_ref())
            .bind(PAGE);
        let rows = self.instance.store().read(select).await?;
        let due = rows.iter().map(|row| {
            Ok(Due {
                seq: row.integer("seq")?,
                event: row.text("event")?.to_owned(),
                at: row.integer("at")?,
            })
        });
        due.collect()
    }

    async fn send_one(&self, due: &Due) -> Result<(), String> {
        let Some(hook) = self.hook.get() else {
            return Ok(());
        };
        let now = self.now().as_second();
        let body = due.event.as_bytes();
        let signature = sign_webhook(&hook.secret, now, body);
        let header = |name: &str, value: String| (name.to_owned(), value);
        let request = WebRequest {
            method: "POST".to_owned(),
            url: hook.url.clone(),
            headers: vec![
                header("content-type", "application/cloudevents+json".to_owned()),
                header(TIMESTAMP_HEADER, now.to_string()),
                header(SIGNATURE_HEADER, format!("sha256={signature}")),
            ],
            body: Some(body.to_vec()),
        };
        match tokio::time::timeout(PATIENCE, hook.web.send(request)).await {
            Err(_elapsed) => Err("the webhook does not answer".to_owned()),
            Ok(Err(lost)) => Err(lost.to_string()),
            Ok(Ok(answer)) if (200..300).contains(&answer.status) => Ok(()),
            Ok(Ok(answer)) => Err(format!("the webhook answers with status {}", answer.status)),
        }
    }
}

/// What another system wants to know: how runs begin, stand still, go on and end, and who is waited for.
const fn is_told(entry: &Entry) -> bool {
    matches!(
        entry.what,
        What::RunStarted(_)
            | What::RunPaused(_)
            | What::RunResumed(_)
            | What::RunCancelling(_)
            | What::RunFaulting(_)
            | What::RunEnded(_)
            | What::Suspended(_)
            | What::Unknown { .. }
            | What::Resolved { .. }
            | What::ApprovalRequested { .. }
            | What::Approved { .. }
            | What::Denied { .. }
    )
}
