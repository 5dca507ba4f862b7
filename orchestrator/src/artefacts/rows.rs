//! The statements behind kept results.

use super::Owner;
use crate::store::{Statement, micros};
use jiff::Timestamp;

/// A text to be kept.
pub(super) struct New<'a> {
    pub(super) id: &'a str,
    pub(super) tool: &'a str,
    /// Sealed.
    pub(super) body: String,
    pub(super) now: Timestamp,
    pub(super) expires_at: Timestamp,
}

/// Enters a text, drops what is over and the oldest of the owner's fifty.
pub(super) fn insert(owner: Owner<'_>, new: New<'_>) -> Vec<Statement> {
    let over = Statement::new("DELETE FROM artefacts WHERE expires_at <= $1").bind(micros(new.now));
    let oldest = Statement::new(
        "DELETE FROM artefacts WHERE organization_id = $1 AND principal = $2 AND id NOT IN \
         (SELECT id FROM artefacts WHERE organization_id = $1 AND principal = $2 \
         ORDER BY created_at DESC, id DESC LIMIT 49)",
    )
    .bind(owner.organization)
    .bind(owner.principal);
    let insert = Statement::new(
        "INSERT INTO artefacts (id, organization_id, principal, tool, body, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(new.id)
    .bind(owner.organization)
    .bind(owner.principal)
    .bind(new.tool)
    .bind(new.body)
    .bind(micros(new.now))
    .bind(micros(new.expires_at));
    vec![over, oldest, insert]
}

/// A text of this owner that is not over.
pub(super) fn select(owner: Owner<'_>, id: &str, now: Timestamp) -> Statement {
    Statement::new(
        "SELECT body FROM artefacts WHERE id = $1 AND organization_id = $2 AND principal = $3 \
         AND expires_at > $4",
    )
    .bind(id)
    .bind(owner.organization)
    .bind(owner.principal)
    .bind(micros(now))
}
