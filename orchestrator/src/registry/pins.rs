//! Definitions as they were first seen. A change waits for an operator.

use super::RegistryParts;
use crate::audit::{AuditError, Event};
use crate::caller::Caller;
use crate::store::{Row, Statement, Store, StoreError, micros, moment};
use crate::upstream::ToolFacts;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::id::ToolId;
use std::collections::HashMap;
use std::sync::Arc;

/// One pinned definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Canonical id.
    pub tool: String,
    /// The service that offered it.
    pub service: String,
    /// Digest of the accepted definition.
    pub digest: String,
    /// The accepted definition: one JSON document.
    pub definition: String,
    /// Digest and definition that wait to be accepted; `None` when the accepted one is served.
    pub waiting: Option<(String, String)>,
    /// When any of this last changed.
    pub updated_at: Timestamp,
}

/// Why a change was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// No change of this digest waits for this tool; it may have changed once more.
    #[error("no change with this digest waits for {0}")]
    NotWaiting(ToolId),
    /// The decision could not be recorded, so it was not made.
    #[error("the decision could not be recorded")]
    Unrecorded(#[from] AuditError),
    /// Pins could not be read or written.
    #[error("the pins could not be read or written")]
    Store(#[from] StoreError),
}

const COLUMNS_ALL: &str = "SELECT tool, service, digest, definition, state, seen_digest, \
    seen_definition, updated_at FROM tool_pins ORDER BY tool";
const COLUMNS_OF: &str = "SELECT tool, service, digest, definition, state, seen_digest, \
    seen_definition, updated_at FROM tool_pins WHERE tool = $1";
const PINNED: &str = "pinned";
const QUARANTINED: &str = "quarantined";

pub(super) async fn all(store: &Store) -> Result<Vec<Pin>, StoreError> {
    let rows = store.read(Statement::new(COLUMNS_ALL)).await?;
    rows.iter().map(pin).collect()
}

/// The accepted definitions of one service, with whether a change of each waits.
pub(super) async fn definitions(
    store: &Store,
    service: &str,
) -> Result<Vec<(ToolFacts, bool)>, StoreError> {
    let pins = all(store).await?;
    let of_service = pins.into_iter().filter(|pin| pin.service == service);
    Ok(of_service
        .filter_map(|pin| {
            let facts = ToolFacts::from_definition(&pin.definition)?;
            Some((facts, pin.waiting.is_some()))
        })
        .collect())
}

/// Pins what is new, notes what has changed; the tools whose served definition is not the accepted
/// one.
pub(super) async fn compare(
    parts: &RegistryParts,
    service: &str,
    tools: &[Arc<ToolFacts>],
) -> Result<Vec<ToolId>, StoreError> {
    let pins: HashMap<_, _> = all(&parts.store)
        .await?
        .into_iter()
        .map(|pin| (pin.tool.clone(), pin))
        .collect();
    let now = micros(parts.clock.now());
    let mut writes = Vec::new();
    let mut quarantined = Vec::new();
    let mut news = News::default();
    for tool in tools {
        let Some(pin) = pins.get(tool.id.as_str()) else {
            writes.push(insert(service, tool, now));
            news.pinned.push(tool.id.to_string());
            continue;
        };
        let accepted = pin.digest == tool.digest && pin.service == service;
        let noted = pin.waiting.as_ref().map(|(digest, _)| digest.as_str());
        if !accepted {
            quarantined.push(tool.id.clone());
        }
        match (accepted, noted) {
            (true, None) => {}
            (true, Some(_)) => writes.push(withdrawn(tool, now)),
            (false, Some(digest)) if digest == tool.digest => {}
            (false, _) => {
                writes.push(quarantine(tool, now));
                news.quarantined.push((pin, tool));
            }
        }
    }
    if !writes.is_empty() {
        parts.store.write(writes).await?;
        news.tell(parts, service).await;
    }
    Ok(quarantined)
}

/// What the audit trail is told of one comparison.
#[derive(Default)]
struct News<'a> {
    pinned: Vec<String>,
    quarantined: Vec<(&'a Pin, &'a ToolFacts)>,
}

impl News<'_> {
    /// A trail that cannot be written lifts no quarantine: it is logged, and the pins stand.
    async fn tell(self, parts: &RegistryParts, service: &str) {
        let mut events = Vec::with_capacity(1 + self.quarantined.len());
        if !self.pinned.is_empty() {
            let details = json!({ "tools": self.pinned });
            events.push(own_event(
                "tool.pinned",
                "service",
                service.to_owned(),
                details,
            ));
        }
        for (pin, tool) in self.quarantined {
            tracing::warn!(event = "tool_quarantined", of_service = service, tool = %tool.id,
                "the definition of a tool changed and waits to be accepted");
            let details = json!({
                "service": service,
                "accepted": pin.digest,
                "seen": tool.digest,
            });
            events.push(own_event(
                "tool.quarantined",
                "tool",
                tool.id.to_string(),
                details,
            ));
        }
        for event in events {
            if let Err(error) = parts.audit.event(event).await {
                tracing::error!(event = "pin_not_audited", %error, "a pin could not be recorded");
            }
        }
    }
}

fn own_event(
    action: &'static str,
    resource_type: &'static str,
    resource_id: String,
    details: Value,
) -> Event {
    Event {
        action,
        resource_type,
        resource_id,
        actor: "system:registry".into(),
        organization: "default".into(),
        address: None,
        details,
        correlation_id: None,
    }
}

pub(super) async fn accept(
    parts: &RegistryParts,
    tool: &ToolId,
    seen_digest: &str,
    by: &Caller,
) -> Result<Pin, PinError> {
    let before = read(parts, tool).await?;
    let waits = before.waiting.as_ref().map(|(digest, _)| digest.as_str());
    if waits != Some(seen_digest) {
        return Err(PinError::NotWaiting(tool.clone()));
    }
    let event = Event {
        action: "tool.accepted",
        resource_type: "tool",
        resource_id: tool.to_string(),
        actor: Arc::clone(&by.principal.id),
        organization: Arc::clone(&by.principal.organization),
        address: by.address,
        details: json!({ "accepted": seen_digest, "before": before.digest }),
        correlation_id: Some(by.correlation_id.clone()),
    };
    parts.audit.event(event).await?;
    let statement = Statement::new(
        "UPDATE tool_pins SET digest = seen_digest, definition = seen_definition, state = $1, \
         seen_digest = NULL, seen_definition = NULL, updated_at = $2 \
         WHERE tool = $3 AND state = $4 AND seen_digest = $5",
    )
    .bind(PINNED)
    .bind(micros(parts.clock.now()))
    .bind(tool.as_str())
    .bind(QUARANTINED)
    .bind(seen_digest)
    .expect(1);
    match parts.store.write(vec![statement]).await {
        Ok(_) => {}
        Err(StoreError::Unexpected(_)) => return Err(PinError::NotWaiting(tool.clone())),
        Err(error) => return Err(error.into()),
    }
    read(parts, tool).await
}

async fn read(parts: &RegistryParts, tool: &ToolId) -> Result<Pin, PinError> {
    let statement = Statement::new(COLUMNS_OF).bind(tool.as_str());
    let rows = parts.store.read(statement).await?;
    let row = rows.first();
    let row = row.ok_or_else(|| PinError::NotWaiting(tool.clone()))?;
    Ok(pin(row)?)
}

fn insert(service: &str, tool: &ToolFacts, now: i64) -> Statement {
    // Another hub may have pinned it in this moment; then the next look compares.
    Statement::new(
        "INSERT INTO tool_pins (tool, service, digest, definition, state, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tool) DO NOTHING",
    )
    .bind(tool.id.as_str())
    .bind(service)
    .bind(tool.digest.as_str())
    .bind(tool.definition())
    .bind(PINNED)
    .bind(now)
    .bind(now)
}

fn quarantine(tool: &ToolFacts, now: i64) -> Statement {
    Statement::new(
        "UPDATE tool_pins SET state = $1, seen_digest = $2, seen_definition = $3, updated_at = $4 \
         WHERE tool = $5",
    )
    .bind(QUARANTINED)
    .bind(tool.digest.as_str())
    .bind(tool.definition())
    .bind(now)
    .bind(tool.id.as_str())
}

/// The accepted definition is served again: nothing waits any more.
fn withdrawn(tool: &ToolFacts, now: i64) -> Statement {
    Statement::new(
        "UPDATE tool_pins SET state = $1, seen_digest = NULL, seen_definition = NULL, \
         updated_at = $2 WHERE tool = $3 AND digest = $4",
    )
    .bind(PINNED)
    .bind(now)
    .bind(tool.id.as_str())
    .bind(tool.digest.as_str())
}

fn pin(row: &Row) -> Result<Pin, StoreError> {
    let seen = (
        row.optional_text("seen_digest")?,
        row.optional_text("seen_definition")?,
    );
    let waiting = match (row.text("state")?, seen) {
        (QUARANTINED, (Some(digest), Some(definition))) => {
            Some((digest.to_owned(), definition.to_owned()))
        }
        _ => None,
    };
    Ok(Pin {
        tool: row.text("tool")?.to_owned(),
        service: row.text("service")?.to_owned(),
        digest: row.text("digest")?.to_owned(),
        definition: row.text("definition")?.to_owned(),
        waiting,
        updated_at: moment(row.integer("updated_at")?),
    })
}
