//! State that somebody keeps under the id of a workflow, as JSON: one value for the whole, one for each
//! step. It is theirs: no run reads it, and it goes when it was not changed for as long as runs are kept.

use super::{WorkflowError, Workflows};
use crate::auth::Principal;
use crate::store::{Statement, StoreError, micros};
use serde_json::{Value, json};

/// Longest id and name of a step, in bytes.
const MAX_NAME: usize = 200;
/// What stands for the whole.
const WHOLE: &str = "";

impl Workflows {
    /// Keeps a value under an id, in place of an earlier one; durable when this returns.
    ///
    /// # Errors
    /// [`WorkflowError::Invalid`] when the id is empty or something is too long.
    pub async fn save_workflow_state(&self, id: &str, state: &Value) -> Result<(), WorkflowError> {
        self.put(id, WHOLE, state).await
    }

    /// The value kept under an id; `None` when there is none.
    ///
    /// # Errors
    /// [`WorkflowError::Store`]; asking again is safe.
    pub async fn load_workflow_state(&self, id: &str) -> Result<Option<Value>, WorkflowError> {
        self.get(id, WHOLE).await
    }

    /// Keeps a value for a step, in place of an earlier one; durable when this returns.
    ///
    /// # Errors
    /// [`WorkflowError::Invalid`] when a name is empty or something is too long.
    pub async fn save_checkpoint(
        &self,
        id: &str,
        step: &str,
        state: &Value,
    ) -> Result<(), WorkflowError> {
        if step.is_empty() {
            return Err(WorkflowError::invalid("step", "1 to 200 bytes"));
        }
        self.put(id, step, state).await
    }

    /// The value kept for a step; `None` when there is none.
    ///
    /// # Errors
    /// [`WorkflowError::Store`]; asking again is safe.
    pub async fn restore_from_checkpoint(
        &self,
        id: &str,
        step: &str,
    ) -> Result<Option<Value>, WorkflowError> {
        self.get(id, step).await
    }

    /// Keeps a value for a step of a run that a caller may see: the checkpoint as JSON.
    ///
    /// # Errors
    /// [`WorkflowError::NotFound`] also for a run of another organisation.
    pub async fn checkpoint(
        &self,
        caller: &Principal,
        (id, step): (&str, &str),
        state: &Value,
    ) -> Result<Value, WorkflowError> {
        self.run(caller, id).await?;
        self.save_checkpoint(id, step, state).await?;
        Ok(shown(id, step, state))
    }

    /// A checkpoint of a run that a caller may see, as JSON.
    ///
    /// # Errors
    /// [`WorkflowError::NotFound`] when there is no such run or checkpoint.
    pub async fn checkpoint_by_id(
        &self,
        caller: &Principal,
        (id, checkpoint): (&str, &str),
    ) -> Result<Value, WorkflowError> {
        self.run(caller, id).await?;
        let step = checkpoint
            .strip_prefix(id)
            .and_then(|rest| rest.strip_prefix(':'))
            .ok_or(WorkflowError::NotFound)?;
        let state = self.restore_from_checkpoint(id, step).await?;
        Ok(shown(id, step, &state.ok_or(WorkflowError::NotFound)?))
    }

    async fn put(&self, id: &str, step: &str, state: &Value) -> Result<(), WorkflowError> {
        let text = state.to_string();
        if id.is_empty() || id.len() > MAX_NAME || step.len() > MAX_NAME {
            return Err(WorkflowError::invalid("id", "names have 1 to 200 bytes"));
        }
        if text.len() > self.config.input_bytes {
            let rule = format!("at most {} bytes", self.config.input_bytes);
            return Err(WorkflowError::invalid("state", rule));
        }
        let sql = "INSERT INTO workflow_checkpoints (workflow_id, step, state, created_at) \
                   VALUES ($1, $2, $3, $4) ON CONFLICT (workflow_id, step) \
                   DO UPDATE SET state = excluded.state, created_at = excluded.created_at";
        let upsert = Statement::new(sql)
            .bind(id)
            .bind(step)
            .bind(text)
            .bind(micros(self.now()));
        self.instance.store().write(vec![upsert]).await?;
        Ok(())
    }

    async fn get(&self, id: &str, step: &str) -> Result<Option<Value>, WorkflowError> {
        let sql = "SELECT state FROM workflow_checkpoints WHERE workflow_id = $1 AND step = $2";
        let select = Statement::new(sql).bind(id).bind(step);
        let rows = self.instance.store().read(select).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let state = serde_json::from_str(row.text("state")?);
        Ok(Some(state.or(Err(StoreError::Column("state")))?))
    }
}

fn shown(id: &str, step: &str, state: &Value) -> Value {
    json!({
        "checkpoint_id": format!("{id}:{step}"),
        "workflow_id": id,
        "step": step,
        "state": state,
    })
}
