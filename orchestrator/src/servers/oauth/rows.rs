//! The statements behind tokens of servers.

use crate::store::{Statement, micros};
use jiff::Timestamp;

pub(super) fn select(server: &str) -> Statement {
    Statement::new("SELECT body FROM server_tokens WHERE server = $1").bind(server)
}

/// Keeps what is known of a server, in the place of what was known.
pub(super) fn put(server: &str, issuer: &str, body: String, now: Timestamp) -> Vec<Statement> {
    let insert = Statement::new(
        "INSERT INTO server_tokens (server, issuer, body, updated_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(server)
    .bind(issuer)
    .bind(body)
    .bind(micros(now));
    vec![forget(server), insert]
}

/// Drops what is known of a server.
pub(in crate::servers) fn forget(server: &str) -> Statement {
    Statement::new("DELETE FROM server_tokens WHERE server = $1").bind(server)
}
