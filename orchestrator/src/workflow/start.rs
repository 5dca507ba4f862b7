//! Starting a run, once per idempotency key: its rows and its first event in one commit.

use super::mailbox::Letter;
use super::rows::{COLUMNS, RunRow};
use super::sensitive::Sensitive;
use super::{WorkflowError, Workflows};
use crate::caller::Caller;
use crate::store::{Statement, StoreError, micros};
use serde_json::{Value, json};
use std::sync::Arc;
use workflow::core::{Event, Reuse, Run, RunSettings};
use workflow::dsl::model::Definition;

/// Longest idempotency key, in bytes.
const MAX_KEY: usize = 200;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct StartRequest {
    /// The document: DSL or short form, JSON or YAML text.
    pub source: String,
    /// Input; null is an empty object.
    pub input: Value,
    /// The same key starts the same run.
    pub idempotency_key: Option<String>,
    /// The step of another run that asks, by its key (`wf_…:path#attempt`); limits the depth.
    pub asked_by: Option<String>,
}

/// A run that was asked for.
#[derive(Debug, Clone)]
pub struct Started {
    /// Its id.
    pub id: Arc<str>,
    /// It had been started before with the same key.
    pub known: bool,
}

/// The outputs of another run that a new one takes over.
pub(super) struct Repeat {
    pub(super) of: Arc<str>,
    pub(super) reuse: Reuse,
}

/// Everything a run begins with.
pub(super) struct NewRun<'a> {
    pub(super) organization: Arc<str>,
    pub(super) namespace: Arc<str>,
    pub(super) principal: Arc<str>,
    pub(super) correlation_id: String,
    pub(super) definition: &'a Definition,
    pub(super) short: bool,
    pub(super) input: Arc<Value>,
    pub(super) key: Option<String>,
    pub(super) request_hash: String,
    pub(super) depth: u32,
    /// Run, path and attempt there, and whether that run waits for the end.
    pub(super) parent: Option<(Arc<str>, String, bool)>,
    pub(super) schedule: Option<String>,
    pub(super) rerun: Option<Repeat>,
    /// What it must not show from its beginning.
    pub(super) sensitive: Sensitive,
}

impl Workflows {
    /// Starts a run as `caller`; durable when this returns.
    ///
    /// # Errors
    /// [`WorkflowError::Wrong`] with every complaint about the document, [`WorkflowError::Conflict`] when
    /// the key stands for another request.
    pub async fn start(
        self: &Arc<Self>,
        caller: &Caller,
        request: StartRequest,
    ) -> Result<Started, WorkflowError> {
        if self.gateway.tasks.is_stopping() {
            return Err(WorkflowError::Stopping);
        }
        let principal = &caller.principal;
        let key = request.idempotency_key.clone();
        if key
            .as_ref()
            .is_some_and(|key| key.is_empty() || key.len() > MAX_KEY || key.contains('\0'))
        {
            return Err(WorkflowError::invalid("idempotency_key", "1 to 200 bytes"));
        }
        let input = if request.input.is_null() {
            json!({})
        } else {
            request.input.clone()
        };
        if input.to_string().len() > self.config.input_bytes {
            let rule = format!("at most {} bytes", self.config.input_bytes);
            return Err(WorkflowError::invalid("input", rule));
        }
        let definition = match (self.read(&request.source), &key) {
            (Ok(definition), _) => definition,
            // What was started with this key stands, whichever tools there are by now.
            (Err(error), Some(key)) => {
                let known = self.by_key(&principal.id, key).await?.ok_or(error)?;
                let definition = self.read_without_tools(&request.source)?;
                return same(known, &request_hash(&definition.digest, &input));
            }
            (Err(error), None) => return Err(error),
        };
        let hash = request_hash(&definition.digest, &input);
        if let Some(key) = &key
            && let Some(known) = self.by_key(&principal.id, key).await?
        {
            return same(known, &hash);
        }
        let depth = self
            .depth_below(&principal.id, request.asked_by.as_deref())
            .await?;
        let new = NewRun {
            organization: Arc::clone(&principal.organization),
            namespace: Arc::clone(&principal.namespace),
            principal: Arc::clone(&principal.id),
            correlation_id: caller.correlation_id.as_str().to_owned(),
            short: is_short(&request.source),
            definition: &definition,
            input: Arc::new(input),
            key: key.clone(),
            request_hash: hash.clone(),
            depth,
            parent: None,
            schedule: None,
            rerun: None,
            sensitive: Sensitive::default(),
        };
        match self.launch(new).await {
            Ok(id) => Ok(Started { id, known: false }),
            Err(WorkflowError::Store(StoreError::Exists(_))) if key.is_some() => {
                let key = key.unwrap_or_default();
                let known = self.by_key(&principal.id, &key).await?;
                same(known.ok_or(WorkflowError::NotFound)?, &hash)
            }
            Err(error) => Err(error),
        }
    }

    /// Writes a run down and lets it begin.
    pub(super) async fn launch(
        self: &Arc<Self>,
        new: NewRun<'_>,
    ) -> Result<Arc<str>, WorkflowError> {
        let keep = self.keep(&new.organization, &new.principal, new.definition);
        let (id, mut batch) = self.new_run(new);
        batch.insert(0, keep);
        self.instance.store().write(batch).await?;
        self.gateway.metrics.workflow_started();
        // A hub that stops now finds the run at its next start.
        drop(self.deliver(&id, Letter::Inbox).await);
        Ok(id)
    }

    /// The rows of a run that begins, and its id.
    pub(super) fn new_run(&self, new: NewRun<'_>) -> (Arc<str>, Vec<Statement>) {
        let id: Arc<str> = format!("wf_{}", uuid::Uuid::now_v7().simple()).into();
        let (rerun_of, reuse) = match new.rerun {
            Some(repeat) => (Some(repeat.of.to_string()), repeat.reuse),
            None => (None, Reuse::default()),
        };
        let settings = RunSettings {
            starter: new.principal.to_string(),
            depth: new.depth,
            effects: self.effects(new.definition),
            reuse,
            limits: self.config.limits.clone(),
        };
        let definition = Arc::new(new.definition.clone());
        let expressions = Arc::clone(&self.expressions);
        let input = Value::clone(&new.input);
        let run = Run::new(&id, definition, expressions, input, settings);
        let now = micros(self.now());
        let (parent_id, parent_path) = match new.parent {
            Some((id, path, true)) => (Some(id.to_string()), Some(path)),
            // Nobody waits for its end, but a cancelled parent still finds it by its place.
            Some((id, _, false)) => (Some(id.to_string()), None),
            None => (None, None),
        };
        let sql = "INSERT INTO workflows (id, organization_id, namespace_id, name, digest, form, input, status, \
                   phase, correlation_id, principal, idempotency_key, request_hash, depth, parent_id, \
                   parent_path, schedule_id, rerun_of, created_at, updated_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', 'pending', $8, $9, $10, $11, $12, $13, \
                   $14, $15, $16, $17, $17)";
        let row = Statement::new(sql)
            .bind(id.as_ref())
            .bind(new.organization.as_ref())
            .bind(new.namespace.as_ref())
            .bind(new.definition.id())
            .bind(new.definition.digest.as_str())
            .bind(if new.short { "short" } else { "dsl" })
            .bind(self.closed(&id, new.input.to_string(), &new.sensitive))
            .bind(new.correlation_id)
            .bind(new.principal.as_ref())
            .bind(new.key)
            .bind(new.request_hash)
            .bind(i64::from(new.depth))
            .bind(parent_id)
            .bind(parent_path)
            .bind(new.schedule)
            .bind(rerun_of)
            .bind(now);
        let sql =
            "INSERT INTO workflow_states (workflow_id, state, seq, owner) VALUES ($1, $2, 0, $3)";
        let state = String::from_utf8_lossy(&run.save()).into_owned();
        let state = Statement::new(sql)
            .bind(id.as_ref())
            .bind(self.closed(&id, state, &new.sensitive))
            .bind(self.instance.id().as_ref());
        let batch = [row, state]
            .into_iter()
            .chain(self.post(&id, &Event::Started));
        (Arc::clone(&id), batch.collect())
    }

    /// The run a principal started with this key.
    pub(super) async fn by_key(
        &self,
        principal: &str,
        key: &str,
    ) -> Result<Option<RunRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM workflows w WHERE w.principal = $1 AND w.idempotency_key = $2"
        );
        let select = Statement::generated(sql.into()).bind(principal).bind(key);
        let rows = self.instance.store().read(select).await?;
        rows.first().map(RunRow::of).transpose()
    }

    /// How deep a run is that a step of another asks for.
    async fn depth_below(&self, principal: &str, step: Option<&str>) -> Result<u32, WorkflowError> {
        let Some((run, _)) = step.and_then(|step| step.split_once(':')) else {
            return Ok(0);
        };
        let Some(above) = self
            .row(run)
            .await?
            .filter(|row| *row.principal == *principal)
        else {
            return Ok(0);
        };
        if above.depth >= self.config.limits.depth {
            return Err(WorkflowError::Conflict(
                "workflows are nested too deeply".into(),
            ));
        }
        Ok(above.depth + 1)
    }
}

fn same(known: RunRow, hash: &str) -> Result<Started, WorkflowError> {
    if known.request_hash == hash {
        Ok(Started {
            id: known.id,
            known: true,
        })
    } else {
        Err(WorkflowError::Conflict(
            "the idempotency key was used for another workflow".into(),
        ))
    }
}

/// What makes two requests the same.
pub(super) fn request_hash(digest: &str, input: &Value) -> String {
    let input = shared::arguments::hash(input);
    super::step_rows::sha256(&format!("{digest}\n{input}"))
}

/// Whether the text was the short form.
fn is_short(source: &str) -> bool {
    let text: Result<Value, _> = serde_yaml_ng::from_str(source);
    text.is_ok_and(|document| workflow::dsl::compact::is_compact(&document))
}
