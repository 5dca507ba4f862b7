//! What the spoke remembers, in a SQLite file of its own: the paper account and alerts.
//!
//! There is one paper account. It begins with 10000 USDT, pays with USDT only and never owes.

mod account;
mod alerts;

pub(crate) use account::{Holding, NewTrade, Refusal, START, Settled};
#[cfg(test)]
pub(crate) use alerts::Op;
pub(crate) use alerts::{Alert, Condition, Metric};

use shared::error::Code;
use shared::tool::ToolError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use std::path::Path;
use std::time::Duration;

const POOL: u32 = 2;
const BUSY: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS trades (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, symbol TEXT NOT NULL,
  side TEXT NOT NULL CHECK (side IN ('buy','sell')), amount REAL NOT NULL, price REAL NOT NULL,
  fee REAL NOT NULL, profit REAL, at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS trades_at ON trades (at);
CREATE TABLE IF NOT EXISTS holdings (
  asset TEXT PRIMARY KEY, amount REAL NOT NULL, cost REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS money (
  one INTEGER PRIMARY KEY CHECK (one = 1), usdt REAL NOT NULL
) STRICT;
INSERT OR IGNORE INTO money (one, usdt) VALUES (1, 10000);
CREATE TABLE IF NOT EXISTS alerts (
  id TEXT PRIMARY KEY, principal TEXT NOT NULL, symbol TEXT NOT NULL, metric TEXT NOT NULL,
  op TEXT NOT NULL, value REAL NOT NULL, created_at INTEGER NOT NULL, previous REAL,
  triggered_at INTEGER, triggered_value REAL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alerts_principal ON alerts (principal, created_at);
";

/// The file.
#[derive(Debug, Clone)]
pub(crate) struct Store(SqlitePool);

/// The file could not be used.
#[derive(Debug, thiserror::Error)]
#[error("the store of the paper account and of alerts cannot be used")]
pub(crate) struct StoreError(#[from] sqlx::Error);

impl From<StoreError> for ToolError {
    fn from(error: StoreError) -> Self {
        tracing::error!(
            event = "crypto.store",
            error = &error as &dyn std::error::Error,
            "the store failed"
        );
        let message = "the service's store of trades and alerts does not answer";
        Self::refused(Code::ServiceUnavailable, message).retryable()
    }
}

impl Store {
    /// Opens `crypto.db` in `folder`, making it when it is missing.
    pub(crate) async fn open(folder: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(folder.join("crypto.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
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
        sqlx::query("SELECT 1 FROM money")
            .fetch_optional(&self.0)
            .await?;
        Ok(())
    }
}
