//! Schedules: definitions that start by themselves, by cron, at intervals, or after their last run.
//!
//! A schedule belongs to who made it, and its runs are theirs. Dates are rows; the next one is written in
//! the commit that starts a run. Starting on events is not done.

mod due;
mod rule;

use super::{WorkflowError, Workflows};
use crate::auth::Principal;
use crate::caller::Caller;
use crate::store::{Row, Statement, StoreError, micros, moment};
use jiff::Timestamp;
use rule::Rule;
use serde_json::{Value, json};
use shared::id::CorrelationId;
use std::sync::Arc;

const COLUMNS: &str = "s.id, s.organization_id, s.namespace_id, s.name, s.digest, s.input, s.rule, s.principal, \
     s.paused, s.next_at, s.last_at, s.last_run, s.created_at, s.updated_at";
/// Longest name, in bytes.
const MAX_NAME: usize = 200;
/// Schedules of one organisation.
const MOST: i64 = 1000;

/// One row.
struct Kept {
    id: String,
    organization: Arc<str>,
    namespace: Arc<str>,
    name: String,
    digest: String,
    input: String,
    rule: Rule,
    principal: Arc<str>,
    paused: Option<String>,
    next_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
    last_run: Option<String>,
    updated_at: i64,
}

impl Kept {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let text = |column| row.text(column).map(str::to_owned);
        let optional = |column| Ok::<_, StoreError>(row.optional_text(column)?.map(str::to_owned));
        let date = |column| Ok::<_, StoreError>(row.optional_integer(column)?.map(moment));
        Ok(Self {
            id: text("id")?,
            organization: row.text("organization_id")?.into(),
            namespace: row
                .optional_text("namespace_id")?
                .unwrap_or("default")
                .into(),
            name: text("name")?,
            digest: text("digest")?,
            input: text("input")?,
            rule: serde_json::from_str(row.text("rule")?).or(Err(StoreError::Column("rule")))?,
            principal: row.text("principal")?.into(),
            paused: optional("paused")?,
            next_at: date("next_at")?,
            last_at: date("last_at")?,
            last_run: optional("last_run")?,
            updated_at: row.integer("updated_at")?,
        })
    }

    /// The next date, unless another hub has changed it meanwhile.
    fn move_to(&self, next: Timestamp) -> Statement {
        let sql = "UPDATE workflow_schedules SET next_at = $3 WHERE id = $1 \
                   AND COALESCE(next_at, -1) = $2";
        Statement::new(sql)
            .bind(self.id.as_str())
            .bind(self.next_at.map_or(-1, micros))
            .bind(micros(next))
    }

    /// A run was started for the date that is due; refused when another hub did.
    fn started(&self, next: Option<Timestamp>, run: &str, now: Timestamp) -> Statement {
        let sql = "UPDATE workflow_schedules SET next_at = $3, last_at = $4, last_run = $5 \
                   WHERE id = $1 AND COALESCE(next_at, -1) = $2 AND paused IS NULL";
        Statement::new(sql)
            .bind(self.id.as_str())
            .bind(self.next_at.map_or(-1, micros))
            .bind(next.map(micros))
            .bind(micros(now))
            .bind(run)
            .expect(1)
    }

    fn to_json(&self) -> Value {
        json!({
            "schedule_id": self.id,
            "name": self.name,
            "digest": self.digest,
            "rule": self.rule,
            "principal": &*self.principal,
            "paused": self.paused,
            "next_at": self.next_at.map(|at| at.to_string()),
            "last_at": self.last_at.map(|at| at.to_string()),
            "last_run": self.last_run,
        })
    }
}

impl Workflows {
    /// Keeps a document that starts by itself from now on, as `caller`: the schedule as JSON.
    ///
    /// # Errors
    /// [`WorkflowError::Wrong`] and [`WorkflowError::Invalid`] say what is wrong with it,
    /// [`WorkflowError::Conflict`] that the name is taken.
    pub async fn schedule(
        &self,
        caller: &Caller,
        name: Option<&str>,
        (source, input): (&str, &Value),
    ) -> Result<Value, WorkflowError> {
        let definition = self.read(source)?;
        let id = format!("ws_{}", uuid::Uuid::now_v7().simple());
        let rule = Rule::of(definition.schedule.as_ref(), &id)?;
        let name = name.map_or_else(|| definition.id(), str::to_owned);
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(WorkflowError::invalid("name", "1 to 200 bytes"));
        }
        let input = if input.is_null() {
            json!({})
        } else {
            input.clone()
        };
        let principal = &caller.principal;
        let organization = principal.organization.as_ref();
        self.room_for_another(organization).await?;
        let now = self.now();
        let sql = "INSERT INTO workflow_schedules (id, organization_id, namespace_id, name, digest, input, rule, \
                   principal, next_at, created_at, updated_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)";
        let insert = Statement::new(sql)
            .bind(id.as_str())
            .bind(organization)
            .bind(principal.namespace.as_ref())
            .bind(name)
            .bind(definition.digest.as_str())
            .bind(input.to_string())
            .bind(json!(rule).to_string())
            .bind(principal.id.as_ref())
            .bind(rule.first(now).map(micros))
            .bind(micros(now));
        let keep = self.keep(organization, &principal.id, &definition);
        self.record(caller, "workflow.scheduled", &id, json!({}))
            .await?;
        match self.instance.store().write(vec![keep, insert]).await {
            Ok(_) => {}
            Err(StoreError::Exists(_)) => {
                return Err(WorkflowError::Conflict("a schedule has this name".into()));
            }
            Err(error) => return Err(error.into()),
        }
        self.schedules.notify_one();
        Ok(self.kept_schedule(principal, &id).await?.to_json())
    }

    async fn room_for_another(&self, organization: &str) -> Result<(), WorkflowError> {
        let sql = "SELECT COUNT(*) AS total FROM workflow_schedules WHERE organization_id = $1";
        let rows = self
            .instance
            .store()
            .read(Statement::new(sql).bind(organization))
            .await?;
        let total = rows.first().map_or(Ok(0), |row| row.integer("total"))?;
        if total >= MOST {
            return Err(WorkflowError::Conflict(
                "there are 1000 schedules already".into(),
            ));
        }
        Ok(())
    }

    /// One schedule.
    ///
    /// # Errors
    /// [`WorkflowError::NotFound`] also for one of another organisation.
    pub async fn schedule_by_id(
        &self,
        reader: &Principal,
        id: &str,
    ) -> Result<Value, WorkflowError> {
        Ok(self.kept_schedule(reader, id).await?.to_json())
    }

    /// Every schedule of the reader's organisation, by name.
    ///
    /// # Errors
    /// [`WorkflowError::Store`]; asking again is safe.
    pub async fn schedules(&self, reader: &Principal) -> Result<Vec<Value>, WorkflowError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM workflow_schedules s WHERE s.organization_id = $1 ORDER BY s.name LIMIT $2"
        );
        let select = Statement::generated(sql.into())
            .bind(reader.organization.as_ref())
            .bind(MOST);
        let rows = self.instance.store().read(select).await?;
        let shown = rows.iter().map(|row| Ok(Kept::of(row)?.to_json()));
        shown.collect()
    }

    /// Holds a schedule, or lets it go on from now: the schedule as JSON.
    ///
    /// # Errors
    /// [`WorkflowError::NotFound`] also for one of another organisation.
    pub async fn hold_schedule(
        &self,
        caller: &Caller,
        id: &str,
        reason: Option<&str>,
    ) -> Result<Value, WorkflowError> {
        let kept = self.kept_schedule(&caller.principal, id).await?;
        let action = match reason {
            Some(_) => "workflow.schedule_paused",
            None => "workflow.schedule_resumed",
        };
        self.record(caller, action, id, json!({"reason": reason}))
            .await?;
        self.set_paused(&kept, reason).await?;
        Ok(self.kept_schedule(&caller.principal, id).await?.to_json())
    }

    /// Removes a schedule; its runs stay.
    ///
    /// # Errors
    /// [`WorkflowError::NotFound`] also for one of another organisation.
    pub async fn unschedule(&self, caller: &Caller, id: &str) -> Result<(), WorkflowError> {
        self.kept_schedule(&caller.principal, id).await?;
        self.record(caller, "workflow.unscheduled", id, json!({}))
            .await?;
        let delete = Statement::new("DELETE FROM workflow_schedules WHERE id = $1").bind(id);
        self.instance.store().write(vec![delete]).await?;
        Ok(())
    }

    /// Looks at all dates again, at once: for a clock that was set. Without it half a minute may pass.
    pub fn clock_was_set(&self) {
        self.timers.look();
        self.schedules.notify_one();
    }

    async fn kept_schedule(&self, reader: &Principal, id: &str) -> Result<Kept, WorkflowError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM workflow_schedules s WHERE s.id = $1 AND s.organization_id = $2"
        );
        let select = Statement::generated(sql.into())
            .bind(id)
            .bind(reader.organization.as_ref());
        let rows = self.instance.store().read(select).await?;
        let row = rows.first().ok_or(WorkflowError::NotFound)?;
        Ok(Kept::of(row)?)
    }

    /// A schedule that goes on looks forward only.
    async fn set_paused(&self, kept: &Kept, reason: Option<&str>) -> Result<(), WorkflowError> {
        let now = self.now();
        let sql = "UPDATE workflow_schedules SET paused = $2, next_at = $3, updated_at = $4 WHERE id = $1";
        let update = Statement::new(sql)
            .bind(kept.id.as_str())
            .bind(reason.map(str::to_owned))
            .bind(kept.rule.first(now).map(micros))
            .bind(micros(now));
        self.instance.store().write(vec![update]).await?;
        if let Some(reason) = reason {
            tracing::warn!(
                event = "schedule_paused",
                schedule_id = kept.id,
                reason,
                "a schedule is held"
            );
        }
        self.schedules.notify_one();
        Ok(())
    }
}

/// The owner of a schedule as a caller.
fn caller_of(principal: Arc<Principal>) -> Caller {
    Caller {
        principal,
        correlation_id: CorrelationId::fresh(),
        request_id: format!("req_{}", uuid::Uuid::now_v7().simple()).into(),
        traceparent: None,
        address: None,
        door: super::invoke::DOOR,
        depth: 0,
        http: None,
    }
}
