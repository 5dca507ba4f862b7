//! The statements behind sessions.

use super::{Client, Session, micros, moment};
use crate::auth::Principal;
use crate::store::{Row, Statement, StoreError};
use crate::transport::methods;
use crate::transport::revision::Revision;
use crate::upstream::offers::HostAbilities;
use parking_lot::Mutex;
use serde_json::Value;
use serde_json::value::RawValue;
use shared::tool::LogLevel;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

/// Sessions one principal may have; the ones unused longest go first.
const MAX_PER_PRINCIPAL: i64 = 200;

pub(super) fn insert(
    session: &Session,
    principal: &Principal,
    client: &Client,
    now: i64,
) -> Vec<Statement> {
    let insert = Statement::new(
        "INSERT INTO mcp_sessions (id, organization_id, namespace_id, principal, protocol, client, \
         created_at, last_activity, expires_at, capabilities) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(session.id.as_str())
    .bind(&*principal.organization)
    .bind(&*principal.namespace)
    .bind(&*principal.id)
    .bind(session.revision.as_str())
    .bind(client.about.as_str())
    .bind(now)
    .bind(now)
    .bind(micros(session.expires_at))
    .bind(client.capabilities.as_str());
    let surplus = Statement::new(
        "DELETE FROM mcp_sessions WHERE principal = $1 AND id NOT IN (SELECT id FROM mcp_sessions \
         WHERE principal = $2 ORDER BY last_activity DESC, id LIMIT $3)",
    )
    .bind(&*principal.id)
    .bind(&*principal.id)
    .bind(MAX_PER_PRINCIPAL);
    vec![insert, surplus]
}

pub(super) fn select(id: &str) -> Statement {
    Statement::new(
        "SELECT principal, protocol, log_level, last_activity, expires_at, capabilities, watched \
         FROM mcp_sessions WHERE id = $1",
    )
    .bind(id)
}

pub(super) fn session(id: &str, row: &Row) -> Result<Session, StoreError> {
    let revision = Revision::parse(row.text("protocol")?).ok_or(StoreError::Column("protocol"))?;
    let level = row.optional_text("log_level")?.and_then(log_level);
    Ok(Session {
        principal: Arc::from(row.text("principal")?),
        expires_at: moment(row.integer("expires_at")?),
        touched: AtomicI64::new(row.integer("last_activity")?),
        log_level: Mutex::new(level),
        abilities: abilities(row.text("capabilities")?),
        remembered: Mutex::new(serde_json::from_str(row.text("watched")?).unwrap_or_default()),
        ..Session::new(id.to_owned(), Arc::default(), revision, moment(0))
    })
}

pub(super) fn touch(id: &str, now: i64) -> Statement {
    Statement::new("UPDATE mcp_sessions SET last_activity = $1 WHERE id = $2")
        .bind(now)
        .bind(id)
}

pub(super) fn set_log_level(id: &str, level: LogLevel) -> Statement {
    Statement::new("UPDATE mcp_sessions SET log_level = $1 WHERE id = $2")
        .bind(log_level_word(level))
        .bind(id)
}

pub(super) fn set_watched(id: &str, uris: &[String]) -> Statement {
    Statement::new("UPDATE mcp_sessions SET watched = $1 WHERE id = $2")
        .bind(Value::from(uris).to_string())
        .bind(id)
}

/// What a client can be asked, from the capabilities it declared.
pub(super) fn abilities(capabilities: &str) -> HostAbilities {
    let raw: Option<&RawValue> = serde_json::from_str(capabilities).ok();
    methods::abilities(raw)
}

pub(super) fn delete(id: &str) -> Statement {
    Statement::new("DELETE FROM mcp_sessions WHERE id = $1").bind(id)
}

pub(super) fn delete_over(now: i64) -> Statement {
    Statement::new("DELETE FROM mcp_sessions WHERE expires_at <= $1").bind(now)
}

pub(super) fn count() -> Statement {
    Statement::new("SELECT COUNT(*) AS open FROM mcp_sessions")
}

const fn log_level_word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warning => "warning",
        LogLevel::Error => "error",
    }
}

fn log_level(word: &str) -> Option<LogLevel> {
    [
        LogLevel::Debug,
        LogLevel::Info,
        LogLevel::Warning,
        LogLevel::Error,
    ]
    .into_iter()
    .find(|level| log_level_word(*level) == word)
}
