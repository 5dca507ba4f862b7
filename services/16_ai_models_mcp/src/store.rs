//! What the spoke remembers, in a SQLite file of its own: conversations and what calls cost.
//!
//! A conversation is one principal's; nobody else's calls see it. Both tables are bounded: the oldest
//! turns and conversations go first, usage after four hundred days.

mod conversations;
mod usage;

pub(crate) use conversations::{Kept, Listed, Said};
pub(crate) use usage::{Group, GroupBy, Period, Spent};

use shared::error::Code;
use shared::tool::ToolError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use std::path::Path;
use std::time::Duration;

/// Connections at once; SQLite writes one at a time anyway.
const POOL: u32 = 4;
const BUSY: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS conversations (
  principal TEXT NOT NULL, id TEXT NOT NULL, provider TEXT NOT NULL, updated_at INTEGER NOT NULL,
  PRIMARY KEY (principal, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS conversations_updated ON conversations (principal, updated_at);
CREATE TABLE IF NOT EXISTS turns (
  number INTEGER PRIMARY KEY, principal TEXT NOT NULL, conversation TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('user','assistant')), content TEXT NOT NULL,
  tokens INTEGER NOT NULL, at INTEGER NOT NULL,
  FOREIGN KEY (principal, conversation) REFERENCES conversations (principal, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX IF NOT EXISTS turns_conversation ON turns (principal, conversation, number);
CREATE TABLE IF NOT EXISTS usage (
  number INTEGER PRIMARY KEY, at INTEGER NOT NULL, principal TEXT NOT NULL, provider TEXT NOT NULL,
  model TEXT NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_usd REAL
) STRICT;
CREATE INDEX IF NOT EXISTS usage_at ON usage (at);
";

/// The file.
#[derive(Debug, Clone)]
pub(crate) struct Store(SqlitePool);

/// The file could not be used.
#[derive(Debug, thiserror::Error)]
#[error("the store of conversations and usage cannot be used")]
pub(crate) struct StoreError(#[from] sqlx::Error);

impl From<StoreError> for ToolError {
    fn from(error: StoreError) -> Self {
        tracing::error!(
            event = "ai.store",
            error = &error as &dyn std::error::Error,
            "the store failed"
        );
        let message = "the service's store of conversations and usage does not answer";
        Self::refused(Code::ServiceUnavailable, message).retryable()
    }
}

impl Store {
    /// Opens `ai.db` in `folder`, making it when it is missing.
    pub(crate) async fn open(folder: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(folder.join("ai.db"))
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
        sqlx::query("SELECT 1 FROM usage LIMIT 1")
            .fetch_optional(&self.0)
            .await?;
        Ok(())
    }
}

/// SQLite counts with signs; nothing counted here comes near the end.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
