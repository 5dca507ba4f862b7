//! [`Store`]: opening, reading, writing, closing.

use super::connection::Pools;
use super::fault::{classify, is_transient};
use super::statement::{Outcome, Row, Statement};
use super::writer::{self, Job};
use super::{DatabaseUrl, StoreError, migrate};
use shared::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Batches that may wait for the writer.
const QUEUE: usize = 4096;
/// How long a batch waits for a place in the queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a read is tried when another process is in the way.
const READ_ATTEMPTS: u32 = 10;
/// Pause between two of these.
const READ_PAUSE: Duration = Duration::from_millis(10);
/// How long [`Store::close`] waits for the queue to empty.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Where the store is and how many connections it may have.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The address.
    pub url: DatabaseUrl,
    /// Most connections at once; at least 2 on PostgreSQL, at most 8 readers and 1 writer on SQLite.
    pub pool_size: u32,
}

/// What a commit to a SQLite file survives; PostgreSQL has settings of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: it is on disk when it returns.
    Full,
    /// The end of the process only. For measuring, never for a hub.
    Process,
}

/// Connections of this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStats {
    /// Open, idle ones included.
    pub open: u32,
    /// Open and not in use.
    pub idle: u32,
    /// Most there may be.
    pub max: u32,
}

/// The store. Cheap to clone; clones share connections and the writer.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    pools: Pools,
    queue: mpsc::Sender<Job>,
    tasks: Tasks,
}

impl Store {
    /// Opens the store, brings its schema up to date and starts its writer. Several processes may do
    /// so at once.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it cannot be reached, [`StoreError::Migration`] when its
    /// schema is not one of ours.
    pub async fn open(config: StoreConfig) -> Result<Self, StoreError> {
        Self::open_as(config, Durability::Full).await
    }

    /// [`Store::open`] with less durability.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_as(config: StoreConfig, durability: Durability) -> Result<Self, StoreError> {
        let pools = Pools::open(&config.url, config.pool_size, durability).await?;
        let mut connection = pools.writer().await.map_err(classify)?;
        migrate::up_on(&mut connection, usize::MAX).await?;
        drop(connection);
        let (queue, jobs) = mpsc::channel(QUEUE);
        // Its own tasks: the writer stops after everybody else, when the store is closed.
        let tasks = Tasks::new();
        tasks.spawn(
            "store writer",
            writer::run(pools.clone(), jobs, tasks.token()),
        );
        Ok(Self(Arc::new(Inner {
            pools,
            queue,
            tasks,
        })))
    }

    /// Runs one statement that changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Refused`]; asking again is safe.
    pub async fn read(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut connection = self.0.pools.reader().await.map_err(classify)?;
            match connection.run(&statement).await {
                Ok(outcome) => return Ok(outcome.rows),
                Err(error) if is_transient(&error) && attempt < READ_ATTEMPTS => {
                    tokio::time::sleep(READ_PAUSE).await;
                }
                Err(error) => return Err(classify(error)),
            }
        }
    }

    /// Runs the statements as one batch, all or nothing; durable when this returns `Ok`. Once the
    /// batch is queued it is carried out even if this future is dropped.
    ///
    /// # Errors
    /// [`StoreError`]; the batch was rolled back, see [`StoreError::Unavailable`] for the exception.
    pub async fn write(&self, statements: Vec<Statement>) -> Result<Vec<Outcome>, StoreError> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        let job = Job {
            statements,
            reply: Some(reply),
        };
        match self.0.queue.send_timeout(job, QUEUE_TIMEOUT).await {
            Ok(()) => {}
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => return Err(StoreError::Overloaded),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => {
                return Err(StoreError::Unavailable(None));
            }
        }
        answer.await.unwrap_or(Err(StoreError::Unavailable(None)))
    }

    /// Queues one batch and does not wait for it. What becomes of it is only logged.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] when the queue is full, [`StoreError::Unavailable`] when the store
    /// is closed; nothing was queued.
    pub fn try_write_later(&self, statements: Vec<Statement>) -> Result<(), StoreError> {
        let job = Job {
            statements,
            reply: None,
        };
        self.0.queue.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => StoreError::Unavailable(None),
        })
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is none.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(Statement::new("SELECT 1 AS alive"))
            .await
            .map(drop)
    }

    /// Connections of this moment.
    #[must_use]
    pub fn pool_stats(&self) -> PoolStats {
        self.0.pools.stats()
    }

    /// Whether one hub at most uses this store, because it is a file or in memory.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        matches!(self.0.pools, Pools::Sqlite { .. })
    }

    /// Writes what is queued, then closes every connection. Later calls fail.
    pub async fn close(&self) {
        let leftover = self.0.tasks.shutdown(CLOSE_TIMEOUT).await;
        if !leftover.is_empty() {
            tracing::error!(
                event = "store_close",
                "the queue of writes did not empty in time"
            );
        }
        self.0.pools.close().await;
    }
}
