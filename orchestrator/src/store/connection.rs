//! One connection of either database: runs statements, turns rows into [`Row`]s.

use super::address::Place;
use super::batch::{self, Checked, Stopped};
use super::engine::{Durability, PoolStats};
use super::fault::{classify, is_transient};
use super::statement::{Argument, Outcome, Row, Statement};
use super::{DatabaseUrl, StoreError};
use futures::{StreamExt, TryStreamExt};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteRow, SqliteSynchronous,
};
use sqlx::{Column, Either, Executor, Postgres, Row as _, Sqlite, TypeInfo, Value, ValueRef};
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

/// How long one waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long SQLite waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often something is tried while another process is in the way, and the pause in between.
pub(in crate::store) const ATTEMPTS: u32 = 100;
pub(in crate::store) const PAUSE: Duration = Duration::from_millis(50);
/// Statements SQLite keeps ready; a batch counts as one, and batches have many shapes.
const STATEMENTS: usize = 256;
/// Connections that read a SQLite file; each is a thread.
const SQLITE_READERS: u32 = 8;

/// A query with the arguments of a statement, for either database.
macro_rules! bound {
    ($query:expr, $statement:expr) => {{
        let mut query = $query;
        for argument in &$statement.arguments {
            query = match argument.clone() {
                Argument::Null => query.bind(None::<String>),
                Argument::NullInteger => query.bind(None::<i64>),
                Argument::Text(text) => query.bind(text),
                Argument::Shared(text) => query.bind(text),
                Argument::Integer(value) => query.bind(value),
                Argument::Bytes(bytes) => query.bind(bytes),
            };
        }
        query
    }};
}

/// Connections for readers and for the writer.
#[derive(Clone)]
pub(in crate::store) enum Pools {
    /// One connection writes, others read.
    Sqlite { read: SqlitePool, write: SqlitePool },
    /// All connections do both.
    Postgres(PgPool),
}

impl Pools {
    pub(in crate::store) async fn open(
        url: &DatabaseUrl,
        size: u32,
        durability: Durability,
    ) -> Result<Self, StoreError> {
        match &url.0 {
            Place::Memory => {
                let options = sqlite_options().in_memory(true);
                let write = sqlite_pool(1, options).await?;
                let read = write.clone();
                Ok(Self::Sqlite { read, write })
            }
            Place::File(path) => {
                make_file(path)?;
                let options = sqlite_options()
                    .filename(path)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(match durability {
                        Durability::Full => SqliteSynchronous::Full,
                        Durability::Process => SqliteSynchronous::Normal,
                    });
                let write = sqlite_pool(1, options.clone()).await?;
                let readers = size.clamp(1, SQLITE_READERS);
                let read = sqlite_pool(readers, options.pragma("query_only", "ON")).await?;
                Ok(Self::Sqlite { read, write })
            }
            Place::Postgres(options) => {
                let options = options
                    .as_ref()
                    .clone()
                    .application_name("waygate")
                    .options([
                        ("statement_timeout", "30000"),
                        ("lock_timeout", "5000"),
                        ("idle_in_transaction_session_timeout", "30000"),
                    ]);
                let pool = PgPoolOptions::new()
                    .max_connections(size.max(2))
                    .acquire_timeout(ACQUIRE_TIMEOUT)
                    .connect_with(options)
                    .await
                    .map_err(classify)?;
                Ok(Self::Postgres(pool))
            }
        }
    }

    pub(in crate::store) async fn reader(&self) -> Result<Connection, sqlx::Error> {
        match self {
            Self::Sqlite { read, .. } => read.acquire().await.map(Connection::Sqlite),
            Self::Postgres(pool) => pool.acquire().await.map(Connection::Postgres),
        }
    }

    pub(in crate::store) async fn writer(&self) -> Result<Connection, sqlx::Error> {
        match self {
            Self::Sqlite { write, .. } => write.acquire().await.map(Connection::Sqlite),
            Self::Postgres(pool) => pool.acquire().await.map(Connection::Postgres),
        }
    }

    pub(in crate::store) fn stats(&self) -> PoolStats {
        let count = |idle: usize| u32::try_from(idle).unwrap_or(u32::MAX);
        match self {
            Self::Sqlite { read, .. } => PoolStats {
                open: read.size(),
                idle: count(read.num_idle()),
                max: read.options().get_max_connections(),
            },
            Self::Postgres(pool) => PoolStats {
                open: pool.size(),
                idle: count(pool.num_idle()),
                max: pool.options().get_max_connections(),
            },
        }
    }

    pub(in crate::store) async fn close(&self) {
        match self {
            Self::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

fn sqlite_options() -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(STATEMENTS)
        // What a savepoint may have to put back stays in memory instead of a file of its own.
        .pragma("temp_store", "MEMORY")
        .thread_name(|n| format!("sqlite-{n}"))
}

/// Another process that opens or closes the file at the same moment may be in the way, and SQLite
/// does not wait for every lock it takes while a file becomes a write-ahead one.
async fn sqlite_pool(size: u32, options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    let pool = SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(size)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // An in-memory database lives as long as its connection.
        .idle_timeout(None)
        .max_lifetime(None);
    let mut attempt = 1;
    loop {
        match pool.clone().connect_with(options.clone()).await {
            Err(error) if is_transient(&error) && attempt < ATTEMPTS => attempt += 1,
            result => return result.map_err(classify),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Makes the file and its folder, readable by the owner only.
fn make_file(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::OpenOptionsExt;
    let unavailable = |error| StoreError::Unavailable(Some(sqlx::Error::Io(error)));
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(unavailable)?;
    }
    let opened = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path);
    opened.map(drop).map_err(unavailable)
}

/// A connection taken from a pool; goes back when dropped.
pub(in crate::store) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Connection {
    /// Runs one statement.
    pub(in crate::store) async fn run(
        &mut self,
        statement: &Statement,
    ) -> Result<Outcome, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => run_sqlite(connection, statement).await,
            Self::Postgres(connection) => run_postgres(connection, statement).await,
        }
    }

    /// Runs statements one after the other, `controls` first, until one fails or touches other rows than
    /// it expects. On SQLite they are one order to its thread, which costs more than most statements do.
    pub(in crate::store) async fn run_all(
        &mut self,
        controls: &[&'static str],
        statements: &[Statement],
    ) -> Result<Vec<Outcome>, Stopped> {
        let mut checked = Checked::new(controls.len(), statements);
        match self {
            Self::Sqlite(connection) => {
                let mut controls = controls;
                for some in statements.chunks(batch::TOGETHER) {
                    let joined = batch::joined(controls, some);
                    run_joined(connection, &joined, &mut checked).await?;
                    controls = &[];
                }
            }
            Self::Postgres(connection) => {
                for control in controls {
                    run_postgres(connection, &Statement::new(control)).await?;
                    checked.done(0);
                }
                for statement in statements {
                    let outcome = run_postgres(connection, statement).await;
                    checked.take(outcome.map_err(|error| checked.failed(error))?);
                }
            }
        }
        checked.outcomes()
    }

    /// Runs text without arguments; several statements are allowed.
    pub(in crate::store) async fn script(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(connection) => sqlx::raw_sql(sql)
                .execute(&mut **connection)
                .await
                .map(drop),
            Self::Postgres(connection) => sqlx::raw_sql(sql)
                .execute(&mut **connection)
                .await
                .map(drop),
        }
    }

    /// Begins a transaction that may write.
    pub(in crate::store) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        let sql = match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Postgres(_) => "BEGIN",
        };
        self.run(&Statement::new(sql)).await.map(drop)
    }

    /// Gives the connection up instead of back: its state is not known.
    pub(in crate::store) fn discard(&mut self) {
        match self {
            Self::Sqlite(connection) => connection.close_on_drop(),
            Self::Postgres(connection) => connection.close_on_drop(),
        }
    }

    pub(in crate::store) const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }
}

/// The same steps for either database: bind, run, gather.
macro_rules! runner {
    ($name:ident, $connection:ty, $row:ident) => {
        async fn $name(
            connection: &mut $connection,
            statement: &Statement,
        ) -> Result<Outcome, sqlx::Error> {
            let query = bound!(sqlx::query(statement.sql()), statement);
            let mut outcome = Outcome::default();
            let mut parts = connection.fetch_many(query);
            while let Some(part) = parts.try_next().await? {
                match part {
                    Either::Left(result) => outcome.touched += result.rows_affected(),
                    Either::Right(row) => outcome.rows.push($row(&row)?),
                }
            }
            Ok(outcome)
        }
    };
}

/// Runs several statements as one order.
async fn run_joined(
    connection: &mut SqliteConnection,
    joined: &Statement,
    checked: &mut Checked<'_>,
) -> Result<(), Stopped> {
    let query = bound!(sqlx::query(joined.sql()), joined);
    let mut parts = connection.fetch_many(query);
    while let Some(part) = parts.next().await {
        match part.map_err(|error| checked.failed(error))? {
            Either::Left(done) => checked.done(done.rows_affected()),
            Either::Right(row) => checked.row(sqlite_row(&row)?),
        }
    }
    Ok(())
}

runner!(run_sqlite, SqliteConnection, sqlite_row);
runner!(run_postgres, PgConnection, postgres_row);

fn sqlite_row(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    let mut values = HashMap::with_capacity(row.len());
    for column in row.columns() {
        let value = row.try_get_raw(column.ordinal())?.to_owned();
        let kind = value.type_info().name().to_owned();
        let argument = if value.is_null() {
            Argument::Null
        } else {
            match kind.as_str() {
                "INTEGER" | "BOOLEAN" => Argument::Integer(row.try_get(column.ordinal())?),
                "BLOB" => Argument::Bytes(row.try_get(column.ordinal())?),
                _ => Argument::Text(row.try_get_unchecked(column.ordinal())?),
            }
        };
        values.insert(column.name().to_owned(), argument);
    }
    Ok(Row(values))
}

fn postgres_row(row: &PgRow) -> Result<Row, sqlx::Error> {
    let mut values = HashMap::with_capacity(row.len());
    for column in row.columns() {
        let at = column.ordinal();
        let argument = if row.try_get_raw(at)?.is_null() {
            Argument::Null
        } else {
            match column.type_info().name() {
                "INT8" => Argument::Integer(row.try_get(at)?),
                "INT4" => Argument::Integer(i64::from(row.try_get::<i32, _>(at)?)),
                "BOOL" => Argument::Integer(i64::from(row.try_get::<bool, _>(at)?)),
                "BYTEA" => Argument::Bytes(row.try_get(at)?),
                _ => Argument::Text(row.try_get(at)?),
            }
        };
        values.insert(column.name().to_owned(), argument);
    }
    Ok(Row(values))
}
