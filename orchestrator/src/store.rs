//! The durable store: SQLite by default, PostgreSQL at scale, one SQL text for both.
//!
//! Callers hand over statements and get rows; they never see a pool. All writes go through one
//! queue: batches that wait together commit together (group commit), each batch all or nothing.

mod statement;

pub use statement::{Argument, Outcome, Row, Statement};

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached or is stopping; nothing was written.
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
    /// The database refused a statement.
    #[error("the database refused a statement")]
    Refused(#[source] sqlx::Error),
    /// A column holds something else than expected.
    #[error("column {0} does not hold what was expected")]
    Column(&'static str),
    /// A migration cannot be applied.
    #[error("the schema could not be brought up to date: {0}")]
    Migration(String),
}
