//! Checking the chain: every record against the one before it, the end against the signatures.

use super::AuditError;
use super::chain::{Entry, Head};
use super::checkpoint::Checkpoint;
use super::list::{entries_after, hash_at, head};
use crate::store::Store;
use std::path::Path;

/// Action of the record that says that a starting hub found the chain changed.
pub(in crate::audit) const GAP: &str = "audit.gap";
/// Records read at once.
const PAGE: i64 = 1000;
/// How often the end is looked at again while records are added.
const ROUNDS: u32 = 20;

/// What the check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Records that are in order, up to the first bad one.
    pub records: u64,
    /// The first place where the chain is not what was written; `None` when it is whole.
    pub first_bad: Option<Bad>,
}

/// A place where the chain is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// The place, from 1.
    pub seq: i64,
    /// What is wrong there.
    pub reason: String,
}

/// Checks the chain against itself and its signature. `public_key` is the hub's (32 bytes); with
/// `None` signatures are not checked.
///
/// # Errors
/// [`AuditError::Store`] when the chain cannot be read; a broken one is a [`Report`].
pub async fn verify(store: &Store, public_key: Option<&[u8]>) -> Result<Report, AuditError> {
    let mut walk = Walk {
        head: Head::start(),
    };
    for _ in 0..ROUNDS {
        let covered = walk.head.seq;
        let Some(checkpoint) = Checkpoint::load(store).await? else {
            let some = head(store).await?.seq > 0;
            return Ok(walk.report(some.then(|| bad(1, "the signed checkpoint is missing"))));
        };
        let found = walk.to(store, checkpoint.seq).await?;
        let problem = found.or_else(|| walk.problem_with(&checkpoint, public_key));
        if problem.is_some() {
            return Ok(walk.report(problem));
        }
        if head(store).await?.seq <= walk.head.seq {
            return Ok(walk.report(None));
        }
        // Records and checkpoint are written together: if there is more, the checkpoint has moved.
        if covered > 0 && checkpoint.seq <= covered {
            let reason = "the record is not covered by the signed checkpoint";
            return Ok(walk.report(Some(bad(covered + 1, reason))));
        }
    }
    Ok(walk.report(None))
}

/// As [`verify`], and against the last signature kept in a file outside the database, which also
/// shows a database put back to an older state.
///
/// # Errors
/// [`AuditError::Store`] or [`AuditError::File`].
pub async fn verify_with_file(
    store: &Store,
    public_key: &[u8],
    file: &Path,
) -> Result<Report, AuditError> {
    // Read first: what is added meanwhile is no contradiction.
    let kept = Checkpoint::read(file).await?;
    let mut report = verify(store, Some(public_key)).await?;
    if report.first_bad.is_none() {
        // Without a file there is nothing to hold the end against: the first start has none yet.
        if let Some(kept) = kept {
            report.first_bad = file_problem(store, &kept, public_key, report.records).await?;
        }
    }
    Ok(report)
}

async fn file_problem(
    store: &Store,
    kept: &Checkpoint,
    public_key: &[u8],
    records: u64,
) -> Result<Option<Bad>, AuditError> {
    if !kept.is_signed_by(public_key) {
        return Ok(Some(bad(
            kept.seq,
            "the checkpoint file is not signed by this hub",
        )));
    }
    if kept.seq == 0 {
        return Ok(None);
    }
    Ok(match hash_at(store, kept.seq).await? {
        Some(hash) if hash == kept.hash => None,
        Some(_) => Some(bad(
            kept.seq,
            "the record is not the one the checkpoint file speaks of",
        )),
        None => {
            let end = i64::try_from(records).unwrap_or(i64::MAX);
            Some(bad(end.saturating_add(1), "records are missing at the end"))
        }
    })
}

/// A walk along the chain; everything up to its head is in order.
struct Walk {
    head: Head,
}

impl Walk {
    /// Goes on to place `last`; gives back the first bad place.
    async fn to(&mut self, store: &Store, last: i64) -> Result<Option<Bad>, AuditError> {
        while self.head.seq < last {
            let limit = PAGE.min(last - self.head.seq);
            let entries = entries_after(store, self.head.seq, limit).await?;
            if entries.is_empty() {
                return Ok(Some(bad(
                    self.head.seq + 1,
                    "records are missing at the end",
                )));
            }
            if let Some(found) = self.over(entries) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn over(&mut self, entries: Vec<Entry>) -> Option<Bad> {
        for entry in entries {
            if let Some(reason) = self.problem(&entry) {
                return Some(bad(self.head.seq + 1, reason));
            }
            self.head = Head {
                seq: entry.seq,
                hash: entry.hash,
            };
        }
        None
    }

    fn problem(&self, entry: &Entry) -> Option<&'static str> {
        if entry.seq != self.head.seq + 1 {
            Some("the record is missing")
        } else if entry.prev_hash != self.head.hash {
            Some("the record does not follow the one before it")
        } else if entry.hash != entry.computed_hash() {
            Some("the record was changed")
        } else if *entry.draft.action == *GAP {
            Some("the hub found the trail changed when it started here")
        } else {
            None
        }
    }

    /// What is wrong with a checkpoint that speaks of the head or of a record before it.
    fn problem_with(&self, checkpoint: &Checkpoint, public_key: Option<&[u8]>) -> Option<Bad> {
        let forged = public_key.is_some_and(|key| !checkpoint.is_signed_by(key));
        if forged {
            Some(bad(
                checkpoint.seq,
                "the checkpoint is not signed by this hub",
            ))
        } else if checkpoint.seq == self.head.seq && checkpoint.hash != self.head.hash {
            Some(bad(
                checkpoint.seq,
                "the record is not the one that was signed",
            ))
        } else {
            None
        }
    }

    fn report(&self, first_bad: Option<Bad>) -> Report {
        Report {
            records: u64::try_from(self.head.seq).unwrap_or_default(),
            first_bad,
        }
    }
}

fn bad(seq: i64, reason: &str) -> Bad {
    Bad {
        seq,
        reason: reason.to_owned(),
    }
}
