//! Rows of the table `workflows`: what is known of a run without its state.

use super::{WorkflowError, Workflows};
use crate::auth::Principal;
use crate::store::{Listed, Page, Row, Statement, StoreError, moment};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// Columns of a [`RunRow`].
pub(super) const COLUMNS: &str = "w.id, w.organization_id, w.namespace_id, w.name, w.digest, w.form, w.input, w.output, \
     w.status, w.phase, w.current_step, w.waits, w.error, w.correlation_id, w.principal, w.idempotency_key, \
     w.request_hash, w.depth, w.parent_id, w.parent_path, w.schedule_id, w.rerun_of, w.created_at, \
     w.updated_at, w.finished_at";

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// `wf_…`.
    pub id: Arc<str>,
    /// Id of the organisation.
    pub organization: Arc<str>,
    /// Id of the starter's namespace.
    pub namespace: Arc<str>,
    /// `namespace/name` of its definition.
    pub name: String,
    /// Digest of its definition.
    pub digest: String,
    /// It was given in the short form.
    pub short: bool,
    /// JSON.
    pub input: String,
    /// JSON; `None` until it is completed.
    pub output: Option<String>,
    /// pending, running, waiting, completed, failed or cancelled.
    pub status: String,
    /// The phase of the language.
    pub phase: String,
    /// Path of the step it is at; `None` before the first and after the last.
    pub current_step: Option<String>,
    /// What it waits for.
    pub waits: Value,
    /// JSON of the problem it ended with.
    pub error: Option<String>,
    /// In every call, log line and record of the run.
    pub correlation_id: String,
    /// Who started it.
    pub principal: Arc<str>,
    /// The starter's key.
    pub idempotency_key: Option<String>,
    /// Hash of what was asked, to tell another request with the same key.
    pub request_hash: String,
    /// 0 unless another run started it.
    pub depth: u32,
    /// The run that started it, with path and attempt there (`/do/0/child#1`).
    pub parent: Option<(Arc<str>, String)>,
    /// The schedule that started it.
    pub schedule: Option<String>,
    /// The run it repeats.
    pub rerun_of: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last went on.
    pub updated_at: Timestamp,
    /// When it ended; `None` while it is open.
    pub finished_at: Option<Timestamp>,
}

/// Which runs are wanted.
#[derive(Debug, Clone, Default)]
pub struct ListRuns {
    /// Only with this status word.
    pub status: Option<String>,
    /// Only in this phase.
    pub phase: Option<String>,
    /// Only of this definition, `namespace/name`.
    pub name: Option<String>,
    /// Only with this search attribute and its value as text.
    pub attribute: Option<(String, String)>,
}

impl RunRow {
    pub(super) fn of(row: &Row) -> Result<Self, StoreError> {
        let text = |column| row.text(column).map(str::to_owned);
        let optional = |column| Ok::<_, StoreError>(row.optional_text(column)?.map(str::to_owned));
        let parent = match (
            row.optional_text("parent_id")?,
            row.optional_text("parent_path")?,
        ) {
            (Some(id), Some(path)) => Some((id.into(), path.to_owned())),
            _ => None,
        };
        Ok(Self {
            id: row.text("id")?.into(),
            organization: row.text("organization_id")?.into(),
            namespace: row
                .optional_text("namespace_id")?
                .unwrap_or("default")
                .into(),
            name: text("name")?,
            digest: text("digest")?,
            short: row.text("form")? == "short",
            input: text("input")?,
            output: optional("output")?,
            status: text("status")?,
            phase: text("phase")?,
            current_step: optional("current_step")?,
            waits: serde_json::from_str(row.text("waits")?).or(Err(StoreError::Column("waits")))?,
            error: optional("error")?,
            correlation_id: text("correlation_id")?,
            principal: row.text("principal")?.into(),
            idempotency_key: optional("idempotency_key")?,
            request_hash: text("request_hash")?,
            depth: u32::try_from(row.integer("depth")?).or(Err(StoreError::Column("depth")))?,
            parent,
            schedule: optional("schedule_id")?,
            rerun_of: optional("rerun_of")?,
            created_at: moment(row.integer("created_at")?),
            updated_at: moment(row.integer("updated_at")?),
            finished_at: row.optional_integer("finished_at")?.map(moment),
        })
    }

    /// Whether it is over.
    #[must_use]
    pub const fn finished(&self) -> bool {
        self.finished_at.is_some()
    }
}

impl Workflows {
    /// One run of the reader's organisation.
    ///
    /// # Errors
    /// [`WorkflowError::NotFound`] also for a run of another organisation.
    pub async fn run(&self, reader: &Principal, id: &str) -> Result<RunRow, WorkflowError> {
        let row = self.row(id).await?.ok_or(WorkflowError::NotFound)?;
        if row.organization == reader.organization {
            Ok(row)
        } else {
            Err(WorkflowError::NotFound)
        }
    }

    /// One run, whoever asks.
    pub(super) async fn row(&self, id: &str) -> Result<Option<RunRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM workflows w WHERE w.id = $1");
        let select = Statement::generated(sql.into()).bind(id);
        let rows = self.instance.store().read(select).await?;
        rows.first().map(RunRow::of).transpose()
    }

    /// Runs of the reader's organisation, newest first.
    ///
    /// # Errors
    /// [`WorkflowError::Store`]; asking again is safe.
    pub async fn list(
        &self,
        reader: &Principal,
        wanted: &ListRuns,
        page: Page,
    ) -> Result<Listed<RunRow>, WorkflowError> {
        const WHERE: &str = "WHERE w.organization_id = $1 AND ($2 = '' OR w.status = $2) \
             AND ($3 = '' OR w.phase = $3) AND ($4 = '' OR w.name = $4) \
             AND ($5 = '' OR EXISTS (SELECT 1 FROM workflow_attributes a WHERE a.workflow_id = w.id \
             AND a.name = $5 AND a.value = $6))";
        let word = |text: &Option<String>| text.clone().unwrap_or_default();
        let (name, value) = wanted.attribute.clone().unwrap_or_default();
        let bound = |sql: String| {
            Statement::generated(sql.into())
                .bind(reader.organization.as_ref())
                .bind(word(&wanted.status))
                .bind(word(&wanted.phase))
                .bind(word(&wanted.name))
                .bind(name.clone())
                .bind(value.clone())
        };
        let store = self.instance.store();
        let count = bound(format!("SELECT COUNT(*) AS total FROM workflows w {WHERE}"));
        let rows = store.read(count).await?;
        let total = rows.first().map_or(Ok(0), |row| row.integer("total"))?;
        let select = bound(format!(
            "SELECT {COLUMNS} FROM workflows w {WHERE} \
             ORDER BY w.created_at DESC, w.id DESC LIMIT $7 OFFSET $8"
        ))
        .bind(page.limit())
        .bind(page.offset());
        let rows = store.read(select).await?;
        Ok(Listed {
            rows: rows.iter().map(RunRow::of).collect::<Result<_, _>>()?,
            total: u64::try_from(total).unwrap_or_default(),
        })
    }
}
