//! The audit trail: what was meant before, what came of it after, in a chain nobody can change
//! unseen.
//!
//! A change waits until its intent is on disk; a read is queued, and refused only when the queue
//! cannot take it. One task gives every record its place and its hash (SHA-256 over the hash before
//! and the record) and signs how far the chain reaches, in the transaction that writes the records.
//! The last signature is also kept in a file outside the database. A whole chain put back to an older
//! state together with that file is beyond what one machine can notice.

mod chain;
mod checkpoint;
mod list;
mod notes;
mod record;
mod trail;
mod verify;
mod writer;

pub use list::{AuditRow, Exported, Filter, export, list};
pub use record::{AuditOutcome, Event, Intent, Phase};
pub use trail::{Audit, Record};
pub use verify::{Bad, Report, verify, verify_with_file};

use crate::store::StoreError;
use std::sync::Arc;

/// Outcome code of an intent whose call was given up without an answer.
pub const ABANDONED: &str = "ABANDONED";
/// Outcome code of an intent whose hub was killed: it may or may not have had its effect.
pub const IN_DOUBT: &str = "IN_DOUBT";

/// Why something was not recorded. Whatever it was about must not be done.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Too many records wait to be written.
    #[error("too many audit records are waiting")]
    Overloaded,
    /// The trail is closed.
    #[error("the audit trail is closed")]
    Closed,
    /// The record did not get to the disk in time; it may still get there.
    #[error("the audit record was not written in time")]
    TimedOut,
    /// The store refused.
    #[error("the audit record could not be written")]
    NotWritten(#[source] Arc<StoreError>),
    /// The store could not be read.
    #[error("the audit trail could not be read")]
    Store(#[from] StoreError),
    /// The file with the signed checkpoint cannot be read.
    #[error("the checkpoint file could not be read")]
    File(#[source] std::io::Error),
}
