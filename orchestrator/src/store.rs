//! The durable store: SQLite by default, PostgreSQL at scale, one SQL text for both.
//!
//! Callers hand over statements and get rows; they never see a pool. All writes go through one
//! queue: batches that wait together commit together (group commit), each batch all or nothing.
//!
//! Conventions of the schema: ids are text, times are integers (microseconds since 1970), JSON is
//! text, booleans are 0 and 1. Statements use `$1 … $n` and keep to what both databases know:
//! `INSERT … ON CONFLICT …`, `RETURNING`, common table expressions, window functions.

mod address;
mod batch;
mod connection;
mod engine;
mod fault;
pub mod instance;
pub mod migrate;
mod page;
mod statement;
mod writer;

pub use address::{DatabaseUrl, InvalidAddress};
pub use engine::{Durability, PoolStats, Store, StoreConfig};
pub use page::{Listed, Page};
pub use statement::{Argument, Outcome, Row, Statement};

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached or is stopping. Nothing was written, unless the connection was
    /// lost during the commit itself.
    #[error("the store is unavailable")]
    Unavailable(#[source] Option<sqlx::Error>),
    /// A statement of the batch found other rows than it expected; the batch was rolled back.
    #[error("statement {0} of the batch did not find what it expected")]
    Unexpected(usize),
    /// A unique rule was broken; the batch was rolled back.
    #[error("the row exists already")]
    Exists(#[source] sqlx::Error),
    /// The queue is full; nothing was written.
    #[error("too many writes are waiting")]
    Overloaded,
    /// The database refused a statement; the batch was rolled back.
    #[error("the database refused a statement")]
    Refused(#[source] sqlx::Error),
    /// A column holds something else than expected.
    #[error("column {0} does not hold what was expected")]
    Column(&'static str),
    /// A migration cannot be applied.
    #[error("the schema could not be brought up to date: {0}")]
    Migration(String),
}

/// The date as the store keeps it: microseconds since 1970.
#[must_use]
pub fn micros(moment: jiff::Timestamp) -> i64 {
    moment.as_microsecond()
}

/// The date a column holds; the nearest one there is when the number is out of range.
#[must_use]
pub fn moment(micros: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 {
        jiff::Timestamp::MIN
    } else {
        jiff::Timestamp::MAX
    })
}
