//! The schema, step by step, up and down.
//!
//! The steps are compiled in. Each runs once, in one transaction with its own record, under a lock
//! that a second process waits for; so two hubs may start on one store at the same time.

mod steps;

use super::connection::{ATTEMPTS, Connection, PAUSE, Pools};
use super::engine::Durability;
use super::fault::{classify, is_transient};
use super::statement::Statement;
use super::{DatabaseUrl, StoreError, micros, moment};
use shared::clock::{Clock, SystemClock};
use std::collections::BTreeMap;
use steps::{STEPS, Step};

/// One step and whether it has been taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepState {
    /// Position, from 1.
    pub version: i64,
    /// Its name, such as `api_keys`.
    pub name: &'static str,
    /// When it was taken; `None` when it was not.
    pub applied_at: Option<jiff::Timestamp>,
}

/// Takes at most `limit` steps that are missing; gives back the versions taken.
///
/// # Errors
/// [`StoreError::Migration`] when the store holds steps this build does not know or knows
/// differently, or a step fails; the schema is then as it was.
pub async fn up(url: &DatabaseUrl, limit: usize) -> Result<Vec<i64>, StoreError> {
    let pools = Pools::open(url, 2, Durability::Full).await?;
    let result = match pools.writer().await {
        Ok(mut connection) => up_on(&mut connection, limit).await,
        Err(error) => Err(classify(error)),
    };
    pools.close().await;
    result
}

/// Takes back at most `limit` steps, latest first; gives back the versions taken back. Their data is
/// lost. After the last one no table of ours is left.
///
/// # Errors
/// As [`up`].
pub async fn down(url: &DatabaseUrl, limit: usize) -> Result<Vec<i64>, StoreError> {
    let pools = Pools::open(url, 2, Durability::Full).await?;
    let result = match pools.writer().await {
        Ok(mut connection) => locked(&mut connection, Direction::Down, limit).await,
        Err(error) => Err(classify(error)),
    };
    pools.close().await;
    result
}

/// Every step this build knows, and whether it has been taken. Changes nothing.
///
/// # Errors
/// As [`up`].
pub async fn status(url: &DatabaseUrl) -> Result<Vec<StepState>, StoreError> {
    let pools = Pools::open(url, 2, Durability::Full).await?;
    let result = match pools.writer().await {
        Ok(mut connection) => states(&mut connection).await,
        Err(error) => Err(classify(error)),
    };
    pools.close().await;
    result
}

pub(in crate::store) async fn up_on(
    connection: &mut Connection,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    locked(connection, Direction::Up, limit).await
}

#[derive(Clone, Copy)]
enum Direction {
    Up,
    Down,
}

async fn locked(
    connection: &mut Connection,
    direction: Direction,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    let mut attempt = 1;
    loop {
        match transaction(connection, direction, limit).await {
            Err(StoreError::Refused(error)) if is_transient(&error) && attempt < ATTEMPTS => {
                attempt += 1;
            }
            result => return result,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn transaction(
    connection: &mut Connection,
    direction: Direction,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    connection.begin().await.map_err(classify)?;
    let result = match direction {
        Direction::Up => climb(connection, limit).await,
        Direction::Down => descend(connection, limit).await,
    };
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = connection.run(&Statement::new(end)).await;
    if ended.is_err() {
        connection.discard();
    }
    let versions = result?;
    ended.map_err(classify)?;
    Ok(versions)
}

async fn climb(connection: &mut Connection, limit: usize) -> Result<Vec<i64>, StoreError> {
    lock(connection).await?;
    let create = "CREATE TABLE IF NOT EXISTS schema_migrations (\
                  version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, \
                  checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)";
    run(connection, Statement::new(create)).await?;
    let applied = applied(connection).await?;
    let missing = STEPS
        .iter()
        .filter(|step| !applied.contains_key(&step.version));
    let mut taken = Vec::new();
    for step in missing.take(limit) {
        script(connection, step, step.sql(connection.is_postgres()).up).await?;
        let insert = "INSERT INTO schema_migrations (version, name, checksum, applied_at) \
                      VALUES ($1, $2, $3, $4)";
        let record = Statement::new(insert)
            .bind(step.version)
            .bind(step.name)
            .bind(step.checksum(connection.is_postgres()))
            .bind(micros(SystemClock.now()));
        run(connection, record).await?;
        taken.push(step.version);
    }
    Ok(taken)
}

async fn descend(connection: &mut Connection, limit: usize) -> Result<Vec<i64>, StoreError> {
    lock(connection).await?;
    if !exists(connection).await? {
        return Ok(Vec::new());
    }
    let applied = applied(connection).await?;
    let present = STEPS
        .iter()
        .rev()
        .filter(|step| applied.contains_key(&step.version));
    let mut taken = Vec::new();
    for step in present.take(limit) {
        script(connection, step, step.sql(connection.is_postgres()).down).await?;
        let delete = "DELETE FROM schema_migrations WHERE version = $1";
        run(connection, Statement::new(delete).bind(step.version)).await?;
        taken.push(step.version);
    }
    if taken.len() == applied.len() {
        run(connection, Statement::new("DROP TABLE schema_migrations")).await?;
    }
    Ok(taken)
}

async fn states(connection: &mut Connection) -> Result<Vec<StepState>, StoreError> {
    let applied = match exists(connection).await? {
        true => applied(connection).await?,
        false => BTreeMap::new(),
    };
    let state = |step: &Step| StepState {
        version: step.version,
        name: step.name,
        applied_at: applied.get(&step.version).copied().map(moment),
    };
    Ok(STEPS.iter().map(state).collect())
}

/// SQLite is locked by the transaction itself.
async fn lock(connection: &mut Connection) -> Result<(), StoreError> {
    if connection.is_postgres() {
        // Any number will do, as long as nobody else uses it; waiting is bounded by `lock_timeout`.
        let sql = "SELECT pg_advisory_xact_lock(7761796761746501)";
        connection.script(sql).await.map_err(classify)?;
    }
    Ok(())
}

async fn exists(connection: &mut Connection) -> Result<bool, StoreError> {
    let sql = if connection.is_postgres() {
        "SELECT 1 AS found FROM pg_tables \
         WHERE tablename = 'schema_migrations' AND schemaname = current_schema()"
    } else {
        "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'"
    };
    let outcome = connection
        .run(&Statement::new(sql))
        .await
        .map_err(classify)?;
    Ok(!outcome.rows.is_empty())
}

/// Versions taken, with the time; refuses a schema that is not this build's.
async fn applied(connection: &mut Connection) -> Result<BTreeMap<i64, i64>, StoreError> {
    let sql = "SELECT version, name, checksum, applied_at FROM schema_migrations";
    let outcome = connection
        .run(&Statement::new(sql))
        .await
        .map_err(classify)?;
    let mut applied = BTreeMap::new();
    for row in &outcome.rows {
        let version = row.integer("version")?;
        let Some(step) = STEPS.iter().find(|step| step.version == version) else {
            return Err(StoreError::Migration(format!(
                "the store is newer than this build: it holds step {version} ({})",
                row.text("name")?
            )));
        };
        if row.text("checksum")? != step.checksum(connection.is_postgres()) {
            return Err(StoreError::Migration(format!(
                "step {version} ({}) was taken in another form",
                step.name
            )));
        }
        applied.insert(version, row.integer("applied_at")?);
    }
    Ok(applied)
}

async fn run(connection: &mut Connection, statement: Statement) -> Result<(), StoreError> {
    let done = connection.run(&statement).await;
    done.map(drop).map_err(classify)
}

async fn script(
    connection: &mut Connection,
    step: &Step,
    sql: &'static str,
) -> Result<(), StoreError> {
    let done = connection.script(sql).await;
    done.map_err(|error| {
        StoreError::Migration(format!("step {} ({}): {error}", step.version, step.name))
    })
}
