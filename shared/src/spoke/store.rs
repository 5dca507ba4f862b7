//! The spoke's own database: one `SQLite` file for the ledger, used grants and local approvals.
//!
//! WAL with full synchronisation: what was committed survives a power cut. One process serves from a
//! file; the command line may open it beside the server to decide approvals.

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use std::path::Path;
use std::time::Duration;

/// Connections at once; `SQLite` writes one at a time anyway.
const POOL: u32 = 4;
const BUSY: Duration = Duration::from_secs(5);
const ACQUIRE: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS ledger (
  principal TEXT NOT NULL, key TEXT NOT NULL, tool TEXT NOT NULL, arguments_hash TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('intent','done','unknown')), result TEXT,
  expires_at INTEGER NOT NULL, PRIMARY KEY (principal, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ledger_expires ON ledger (expires_at);
CREATE TABLE IF NOT EXISTS used_grants (
  nonce TEXT PRIMARY KEY, principal TEXT NOT NULL, key TEXT NOT NULL, expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS approvals (
  id TEXT PRIMARY KEY, principal TEXT NOT NULL, tool TEXT NOT NULL, effect TEXT NOT NULL,
  effect_rank INTEGER NOT NULL, arguments TEXT NOT NULL, arguments_hash TEXT NOT NULL,
  summary TEXT NOT NULL, readiness TEXT,
  state TEXT NOT NULL CHECK (state IN ('pending','approved','rejected','expired','consumed')),
  requested_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, decided_at INTEGER, note TEXT,
  token_hash TEXT UNIQUE, consumed_key TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS approvals_call ON approvals (principal, tool, arguments_hash, state);
";

/// The database could not be used.
#[derive(Debug, thiserror::Error)]
#[error("the spoke's store cannot be used")]
pub struct StoreError(#[from] sqlx::Error);

/// Opens `ledger.db` in `folder`, making it when it is missing.
pub(super) async fn open(folder: &Path) -> Result<SqlitePool, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("ledger.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY);
    let pool = SqlitePoolOptions::new()
        .max_connections(POOL)
        .acquire_timeout(ACQUIRE)
        .connect_with(options)
        .await?;
    sqlx::raw_sql(SCHEMA).execute(&pool).await?;
    Ok(pool)
}

/// Whether the store answers.
pub(super) async fn ping(pool: &SqlitePool) -> Result<(), StoreError> {
    sqlx::query("SELECT 1 FROM ledger LIMIT 1")
        .fetch_optional(pool)
        .await?;
    Ok(())
}
