//! Reading the trail: pages with a filter, and everything in order for export.

use super::AuditError;
use super::chain::{Entry, Head};
use super::record::Phase;
use crate::store::{Argument, Listed, Page, Statement, Store, StoreError, micros, moment};
use jiff::Timestamp;

/// Most records exported at once.
const MAX_EXPORT: u32 = 1000;

/// Which records are wanted; what is `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Id of the organisation. Set it unless the reader is an operator of the installation.
    pub organization: Option<String>,
    /// Such as `tool.call` or `key.created`.
    pub action: Option<String>,
    /// Such as a canonical tool id.
    pub resource_id: Option<String>,
    /// Principal.
    pub actor: Option<String>,
    /// Correlation id.
    pub correlation_id: Option<String>,
    /// Kind of record.
    pub phase: Option<Phase>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// One record, for readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Place in the chain, from 1.
    pub seq: i64,
    /// Joins an intent and its outcome.
    pub id: String,
    /// Kind of record.
    pub phase: Phase,
    /// Id of the organisation.
    pub organization: String,
    /// Id of the namespace; `None` for events.
    pub namespace: Option<String>,
    /// What.
    pub action: String,
    /// To what kind of thing.
    pub resource_type: String,
    /// To which one.
    pub resource_id: String,
    /// Principal.
    pub actor: String,
    /// Address of the client; `None` when there was none.
    pub address: Option<String>,
    /// Outcome code; `None` for intents and events.
    pub code: Option<String>,
    /// A JSON object.
    pub metadata: String,
    /// `None` for the hub's own doings.
    pub correlation_id: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Hash of this record, hex.
    pub hash: String,
}

/// One record for export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Place in the chain.
    pub seq: i64,
    /// `{"hash", "prev_hash", "record"}` on one line: SHA-256 over the text of `prev_hash` and the
    /// bytes of `record` is `hash`.
    pub json: String,
}

/// One page of records, newest first.
///
/// # Errors
/// [`AuditError::Store`]; asking again is safe.
pub async fn list(
    store: &Store,
    filter: &Filter,
    page: Page,
) -> Result<Listed<AuditRow>, AuditError> {
    let (condition, arguments) = condition(filter);
    let count = format!("SELECT COUNT(*) AS total FROM audit_logs{condition}");
    let rows = store.read(bound(count, &arguments)).await?;
    let total = rows.first().map_or(Ok(0), |row| row.integer("total"))?;
    let n = arguments.len();
    let select = format!(
        "SELECT * FROM audit_logs{condition} ORDER BY seq DESC LIMIT ${} OFFSET ${}",
        n + 1,
        n + 2
    );
    let select = bound(select, &arguments)
        .bind(page.limit())
        .bind(page.offset());
    let rows = store.read(select).await?;
    let entries: Vec<Entry> = rows.iter().map(Entry::of_row).collect::<Result<_, _>>()?;
    Ok(Listed {
        rows: entries.into_iter().map(AuditRow::from).collect(),
        total: u64::try_from(total).unwrap_or_default(),
    })
}

/// The records after place `after`, oldest first, at most `limit` (1 to 1000) of them.
///
/// # Errors
/// [`AuditError::Store`]; asking again is safe.
pub async fn export(store: &Store, after: i64, limit: u32) -> Result<Vec<Exported>, AuditError> {
    let entries = entries_after(store, after, i64::from(limit.clamp(1, MAX_EXPORT))).await?;
    let line = |entry: &Entry| Exported {
        seq: entry.seq,
        json: format!(
            "{{\"hash\":\"{}\",\"prev_hash\":\"{}\",\"record\":{}}}",
            entry.hash,
            entry.prev_hash,
            String::from_utf8_lossy(&entry.canonical())
        ),
    };
    Ok(entries.iter().map(line).collect())
}

pub(in crate::audit) async fn entries_after(
    store: &Store,
    after: i64,
    limit: i64,
) -> Result<Vec<Entry>, StoreError> {
    let sql = "SELECT * FROM audit_logs WHERE seq > $1 ORDER BY seq LIMIT $2";
    let rows = store
        .read(Statement::new(sql).bind(after).bind(limit))
        .await?;
    rows.iter().map(Entry::of_row).collect()
}

/// The end of the chain.
pub(in crate::audit) async fn head(store: &Store) -> Result<Head, StoreError> {
    let sql = "SELECT seq, hash FROM audit_logs ORDER BY seq DESC LIMIT 1";
    let rows = store.read(Statement::new(sql)).await?;
    let Some(row) = rows.first() else {
        return Ok(Head::start());
    };
    Ok(Head {
        seq: row.integer("seq")?,
        hash: row.text("hash")?.to_owned(),
    })
}

/// The hash of one record; `None` when there is none in that place.
pub(in crate::audit) async fn hash_at(
    store: &Store,
    seq: i64,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT hash FROM audit_logs WHERE seq = $1";
    let rows = store.read(Statement::new(sql).bind(seq)).await?;
    let hash = |row: &crate::store::Row| row.text("hash").map(str::to_owned);
    rows.first().map(hash).transpose()
}

impl From<Entry> for AuditRow {
    fn from(entry: Entry) -> Self {
        let draft = entry.draft;
        Self {
            seq: entry.seq,
            id: draft.id.to_string(),
            phase: draft.phase,
            organization: draft.organization.to_string(),
            namespace: draft.namespace.as_deref().map(str::to_owned),
            action: draft.action.to_string(),
            resource_type: draft.resource_type.to_string(),
            resource_id: draft.resource_id.to_string(),
            actor: draft.actor.to_string(),
            address: draft.address.as_deref().map(str::to_owned),
            code: draft.code.as_deref().map(str::to_owned),
            metadata: draft.metadata.to_string(),
            correlation_id: draft.correlation_id.as_deref().map(str::to_owned),
            at: moment(draft.at),
            hash: entry.hash,
        }
    }
}

/// The `WHERE` of a filter, made of parts of the program, and its arguments.
fn condition(filter: &Filter) -> (String, Vec<Argument>) {
    let text = |value: &Option<String>| value.clone().map(Argument::Text);
    let date = |value: Option<Timestamp>| value.map(|at| Argument::Integer(micros(at)));
    let phase = filter.phase.map(|phase| Argument::from(phase.as_str()));
    let parts = [
        ("organization_id =", text(&filter.organization)),
        ("action =", text(&filter.action)),
        ("resource_id =", text(&filter.resource_id)),
        ("actor_id =", text(&filter.actor)),
        ("correlation_id =", text(&filter.correlation_id)),
        ("phase =", phase),
        ("created_at >=", date(filter.since)),
        ("created_at <", date(filter.until)),
    ];
    let mut conditions = Vec::new();
    let mut arguments = Vec::new();
    for (part, argument) in parts {
        let Some(argument) = argument else { continue };
        arguments.push(argument);
        conditions.push(format!("{part} ${}", arguments.len()));
    }
    if conditions.is_empty() {
        return (String::new(), arguments);
    }
    (format!(" WHERE {}", conditions.join(" AND ")), arguments)
}

fn bound(sql: String, arguments: &[Argument]) -> Statement {
    let statement = Statement::generated(sql.into());
    arguments.iter().cloned().fold(statement, Statement::bind)
}
