//! `CloudEvents`: which runs listen for which, and bringing each event to them.
//!
//! Rows choose by literal type only; whether an event fits is judged by the run. An event is kept once
//! per source and id before anybody hears of it, so that a repetition changes nothing.

use super::mailbox::Letter;
use super::runner::Facts;
use super::{WorkflowError, Workflows};
use crate::auth::Principal;
use crate::store::{Statement, StoreError, micros};
use serde_json::{Value, json};
use std::sync::Arc;
use workflow::core::{Event, TaskPath};

/// Bytes of one event.
const MAX_EVENT: usize = 512 * 1024;
/// Runs that hear one event.
const MAX_LISTENERS: i64 = 10_000;

/// The run listens from this commit on; an empty type stands for all.
pub(super) fn listen(facts: &Facts, path: &TaskPath, types: &[Option<String>]) -> Vec<Statement> {
    let sql = "INSERT INTO workflow_awaits (workflow_id, path, organization_id, event_type) \
               VALUES ($1, $2, $3, $4) ON CONFLICT (workflow_id, path, event_type) DO NOTHING";
    let rows = types.iter().map(|kind| {
        Statement::new(sql)
            .bind(facts.id.as_ref())
            .bind(path.as_str())
            .bind(facts.organization.as_ref())
            .bind(kind.as_deref().unwrap_or_default())
    });
    std::iter::once(deaf(&facts.id, path)).chain(rows).collect()
}

/// The run listens no more.
pub(super) fn deaf(run: &str, path: &TaskPath) -> Statement {
    Statement::new("DELETE FROM workflow_awaits WHERE workflow_id = $1 AND path = $2")
        .bind(run)
        .bind(path.as_str())
}

impl Workflows {
    /// Takes a `CloudEvent` in: durable when this returns; how many runs may hear it. One that was seen
    /// before is heard by nobody again.
    ///
    /// # Errors
    /// [`WorkflowError::Invalid`] names the attribute that is missing or wrong.
    pub async fn publish(
        self: &Arc<Self>,
        by: &Principal,
        mut event: Value,
    ) -> Result<usize, WorkflowError> {
        check(&mut event)?;
        let organization = by.organization.as_ref();
        let listeners = self.listeners(organization, &event).await?;
        let mut batch = vec![self.kept_event(organization, &event, None).expect(1)];
        let shared = Arc::new(event.clone());
        for (id, path) in &listeners {
            let received = Event::Received {
                path: TaskPath::new(path),
                event: Arc::clone(&shared),
            };
            batch.extend(self.post(id, &received));
        }
        match self.instance.store().write(batch).await {
            Ok(_) => {}
            Err(StoreError::Unexpected(_)) => return Ok(0),
            Err(error) => return Err(error.into()),
        }
        for (id, _) in &listeners {
            drop(self.deliver(id, Letter::Inbox).await);
        }
        Ok(listeners.len())
    }

    /// Brings an event a run has published to those who listen.
    pub(super) async fn route_quietly(self: &Arc<Self>, organization: &Arc<str>, event: &Value) {
        let routed = async {
            let listeners = self.listeners(organization, event).await?;
            let shared = Arc::new(event.clone());
            let mut batch = Vec::with_capacity(listeners.len());
            for (id, path) in &listeners {
                let received = Event::Received {
                    path: TaskPath::new(path),
                    event: Arc::clone(&shared),
                };
                batch.extend(self.post(id, &received));
            }
            self.instance.store().write(batch).await?;
            for (id, _) in &listeners {
                drop(self.deliver(id, Letter::Inbox).await);
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = routed.await {
            tracing::error!(event = "workflow_event_lost", %error, "an event reached nobody");
        }
    }

    /// The row of an event a run publishes.
    pub(super) fn published(&self, facts: &Facts, event: &Value) -> Statement {
        self.kept_event(&facts.organization, event, Some(&facts.id))
    }

    fn kept_event(&self, organization: &str, event: &Value, run: Option<&str>) -> Statement {
        let text = |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned);
        let sql = "INSERT INTO workflow_cloudevents (organization_id, id, source, type, subject, workflow_id, \
                   event, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                   ON CONFLICT (organization_id, source, id) DO NOTHING";
        Statement::new(sql)
            .bind(organization)
            .bind(text("id").unwrap_or_default())
            .bind(text("source").unwrap_or_default())
            .bind(text("type").unwrap_or_default())
            .bind(text("subject"))
            .bind(run.map(str::to_owned))
            .bind(event.to_string())
            .bind(micros(self.now()))
    }

    /// Runs that may want an event, with the step that listens.
    async fn listeners(
        &self,
        organization: &str,
        event: &Value,
    ) -> Result<Vec<(Arc<str>, String)>, StoreError> {
        let sql = "SELECT DISTINCT workflow_id, path FROM workflow_awaits \
                   WHERE organization_id = $1 AND event_type IN ('', $2) \
                   ORDER BY workflow_id, path LIMIT $3";
        let kind = event
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let select = Statement::new(sql)
            .bind(organization)
            .bind(kind)
            .bind(MAX_LISTENERS);
        let rows = self.instance.store().read(select).await?;
        let found = rows.iter().map(|row| {
            let id: Arc<str> = row.text("workflow_id")?.into();
            Ok((id, row.text("path")?.to_owned()))
        });
        found.collect()
    }
}

/// The attributes every event has; what may be left out is filled in.
fn check(event: &mut Value) -> Result<(), WorkflowError> {
    if event.to_string().len() > MAX_EVENT {
        return Err(WorkflowError::invalid("event", "at most 512 KiB"));
    }
    let Some(fields) = event.as_object_mut() else {
        return Err(WorkflowError::invalid(
            "event",
            "must be a CloudEvent, a JSON object",
        ));
    };
    for name in ["id", "source", "type"] {
        let given = fields.get(name).and_then(Value::as_str).unwrap_or_default();
        if given.is_empty() || given.len() > 1024 {
            return Err(WorkflowError::invalid(
                name,
                "must be a text of 1 to 1024 bytes",
            ));
        }
    }
    let version = fields.entry("specversion").or_insert_with(|| json!("1.0"));
    if version != "1.0" {
        return Err(WorkflowError::invalid("specversion", "must be 1.0"));
    }
    Ok(())
}
