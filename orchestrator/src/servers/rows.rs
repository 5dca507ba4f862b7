//! Registrations in the store.

use super::Specification;
use crate::caller::Caller;
use crate::store::{Row, Statement, Store, StoreError, micros, moment};
use jiff::Timestamp;

/// One registration.
#[derive(Debug, Clone)]
pub struct Registered {
    /// `srv_…`, or the name for those of the settings.
    pub id: String,
    /// Whose it is; `None` for those of the settings, which everybody may use.
    pub organization: Option<String>,
    /// What was registered.
    pub specification: Specification,
    /// Principal.
    pub created_by: String,
    /// Principal.
    pub updated_by: String,
    /// When.
    pub created_at: Timestamp,
    /// When.
    pub updated_at: Timestamp,
}

const ALL: &str = "SELECT id, organization_id, specification, created_by, updated_by, created_at, \
    updated_at FROM mcp_servers ORDER BY name";
const ONE: &str = "SELECT id, organization_id, specification, created_by, updated_by, created_at, \
    updated_at FROM mcp_servers WHERE id = $1 OR name = $1";

impl Registered {
    pub(super) fn new(specification: Specification, by: &Caller, now: Timestamp) -> Self {
        Self {
            id: format!("srv_{}", uuid::Uuid::now_v7().simple()),
            organization: Some(by.principal.organization.to_string()),
            specification,
            created_by: by.principal.id.to_string(),
            updated_by: by.principal.id.to_string(),
            created_at: now,
            updated_at: now,
        }
    }

    pub(super) fn of_settings(specification: Specification, now: Timestamp) -> Self {
        Self {
            id: specification.name.clone(),
            organization: None,
            specification,
            created_by: "settings".into(),
            updated_by: "settings".into(),
            created_at: now,
            updated_at: now,
        }
    }

    pub(super) fn is_for(&self, organization: &str) -> bool {
        self.organization
            .as_deref()
            .is_none_or(|own| own == organization)
    }

    fn document(&self) -> String {
        serde_json::to_string(&self.specification).expect("a specification has text keys only")
    }
}

pub(super) async fn all(store: &Store) -> Result<Vec<Registered>, StoreError> {
    let rows = store.read(Statement::new(ALL)).await?;
    rows.iter().map(read).collect()
}

pub(super) async fn find(store: &Store, id: &str) -> Result<Option<Registered>, StoreError> {
    let rows = store.read(Statement::new(ONE).bind(id)).await?;
    rows.first().map(read).transpose()
}

pub(super) async fn insert(store: &Store, registered: &Registered) -> Result<(), StoreError> {
    let statement = Statement::new(
        "INSERT INTO mcp_servers (id, organization_id, namespace_id, name, specification, created_by, \
         updated_by, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(registered.id.as_str())
    .bind(registered.organization.clone())
    .bind(registered.specification.namespace_id.clone())
    .bind(registered.specification.name.as_str())
    .bind(registered.document())
    .bind(registered.created_by.as_str())
    .bind(registered.updated_by.as_str())
    .bind(micros(registered.created_at))
    .bind(micros(registered.updated_at));
    store.write(vec![statement]).await.map(drop)
}

pub(super) async fn update(store: &Store, registered: &Registered) -> Result<(), StoreError> {
    let statement = Statement::new(
        "UPDATE mcp_servers SET specification = $1, updated_by = $2, updated_at = $3 WHERE id = $4",
    )
    .bind(registered.document())
    .bind(registered.updated_by.as_str())
    .bind(micros(registered.updated_at))
    .bind(registered.id.as_str())
    .expect(1);
    store.write(vec![statement]).await.map(drop)
}

pub(super) async fn delete(store: &Store, id: &str) -> Result<(), StoreError> {
    let statement = Statement::new("DELETE FROM mcp_servers WHERE id = $1").bind(id);
    store.write(vec![statement]).await.map(drop)
}

fn read(row: &Row) -> Result<Registered, StoreError> {
    let specification = serde_json::from_str(row.text("specification")?);
    Ok(Registered {
        id: row.text("id")?.to_owned(),
        organization: Some(row.text("organization_id")?.to_owned()),
        specification: specification.or(Err(StoreError::Column("specification")))?,
        created_by: row.text("created_by")?.to_owned(),
        updated_by: row.text("updated_by")?.to_owned(),
        created_at: moment(row.integer("created_at")?),
        updated_at: moment(row.integer("updated_at")?),
    })
}
