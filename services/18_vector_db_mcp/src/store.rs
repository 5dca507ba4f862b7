//! Collections and documents in a SQLite file of the spoke, and their vectors.
//!
//! A collection belongs to one organisation: others do not see it. It remembers the model of its
//! vectors. Every write raises its generation, by which readers know what they hold is old.

mod documents;

pub(crate) use documents::{MAX_DOCUMENTS, Row};

use serde_json::{Map, Value};
use shared::error::Code;
use shared::tool::ToolError;
use sqlx::Row as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use std::path::Path;
use std::time::Duration;

const POOL: u32 = 4;
const BUSY: Duration = Duration::from_secs(5);
/// Most collections of an organisation.
pub(crate) const MAX_COLLECTIONS: i64 = 200;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS collections (
  number INTEGER PRIMARY KEY, organization TEXT NOT NULL, name TEXT NOT NULL,
  description TEXT NOT NULL, metadata TEXT NOT NULL, model TEXT NOT NULL, dimension INTEGER NOT NULL,
  generation INTEGER NOT NULL DEFAULT 0, count INTEGER NOT NULL DEFAULT 0,
  UNIQUE (organization, name)
) STRICT;
CREATE TABLE IF NOT EXISTS documents (
  collection INTEGER NOT NULL REFERENCES collections (number) ON DELETE CASCADE,
  id TEXT NOT NULL, document TEXT NOT NULL, metadata TEXT NOT NULL, vector BLOB NOT NULL,
  UNIQUE (collection, id)
) STRICT;
";

/// The file.
#[derive(Debug, Clone)]
pub(crate) struct Store(SqlitePool);

/// A collection without its documents.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Collection {
    /// Its number in the store.
    pub(crate) number: i64,
    /// Its name.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) description: String,
    /// What is noted of it.
    pub(crate) metadata: Map<String, Value>,
    /// Model of its vectors.
    pub(crate) model: String,
    /// Dimensions of its vectors; 0 before the first.
    pub(crate) dimension: usize,
    /// Rises with every write.
    pub(crate) generation: i64,
    /// Its documents.
    pub(crate) count: usize,
}

/// The file could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// SQLite says no.
    #[error("the store of collections cannot be used")]
    Sqlite(#[from] sqlx::Error),
    /// The folder cannot be made.
    #[error("the folder of the store cannot be made")]
    Folder(#[from] std::io::Error),
}

impl From<StoreError> for ToolError {
    fn from(error: StoreError) -> Self {
        tracing::error!(
            event = "vector.store",
            error = &error as &dyn std::error::Error,
            "the store failed"
        );
        let message = "the service's store of collections does not answer";
        Self::refused(Code::ServiceUnavailable, message).retryable()
    }
}

impl Store {
    /// Opens `vectors.db` in `folder`, making both when they are missing.
    pub(crate) async fn open(folder: &Path) -> Result<Self, StoreError> {
        tokio::fs::create_dir_all(folder).await?;
        let options = SqliteConnectOptions::new()
            .filename(folder.join("vectors.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let pool = SqlitePoolOptions::new()
            .max_connections(POOL)
            .acquire_timeout(BUSY)
            .connect_with(options)
            .await?;
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Self(pool))
    }

    /// Whether it answers.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1 FROM collections LIMIT 1")
            .fetch_optional(&self.0)
            .await?;
        Ok(())
    }

    /// The collections of an organisation, by name.
    pub(crate) async fn collections(&self, owner: &str) -> Result<Vec<Collection>, StoreError> {
        let rows = sqlx::query("SELECT * FROM collections WHERE organization = ? ORDER BY name")
            .bind(owner)
            .fetch_all(&self.0)
            .await?;
        let read = rows.iter().map(collection).collect::<Result<_, _>>();
        Ok(read?)
    }

    /// A collection by its name.
    pub(crate) async fn collection(
        &self,
        owner: &str,
        name: &str,
    ) -> Result<Option<Collection>, StoreError> {
        let row = sqlx::query("SELECT * FROM collections WHERE organization = ? AND name = ?")
            .bind(owner)
            .bind(name)
            .fetch_optional(&self.0)
            .await?;
        Ok(row.as_ref().map(collection).transpose()?)
    }

    /// Makes a collection unless there is one of its name, or too many; `true` when it was made.
    /// Its number, generation and count are not looked at.
    pub(crate) async fn create(&self, owner: &str, new: &Collection) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO collections (organization, name, description, metadata, model, dimension)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6
             WHERE (SELECT count(*) FROM collections WHERE organization = ?1) < ?7
             ON CONFLICT (organization, name) DO NOTHING",
        )
        .bind(owner)
        .bind(&new.name)
        .bind(&new.description)
        .bind(text(&new.metadata))
        .bind(&new.model)
        .bind(i64::try_from(new.dimension).unwrap_or(0))
        .bind(MAX_COLLECTIONS)
        .execute(&self.0)
        .await?;
        Ok(done.rows_affected() > 0)
    }
}

fn collection(row: &SqliteRow) -> Result<Collection, sqlx::Error> {
    Ok(Collection {
        number: row.try_get("number")?,
        name: row.try_get("name")?,
        description: row.try_get("description")?,
        metadata: map(&row.try_get::<String, _>("metadata")?),
        model: row.try_get("model")?,
        dimension: unsigned(row.try_get("dimension")?),
        generation: row.try_get("generation")?,
        count: unsigned(row.try_get("count")?),
    })
}

fn text(map: &Map<String, Value>) -> String {
    serde_json::to_string(map).unwrap_or_else(|_unwritable| "{}".to_owned())
}

fn map(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

fn unsigned(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}
