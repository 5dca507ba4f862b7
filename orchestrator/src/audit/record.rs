//! What is recorded: intents, outcomes, events; and the one shape they all have in the chain.

use serde_json::{Value, json};
use shared::id::CorrelationId;
use shared::tool::Effect;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Most bytes of metadata in one record; larger values are replaced by their size.
const MAX_METADATA: usize = 16 * 1024;
/// Most characters of any other text.
const MAX_TEXT: usize = 512;

/// A call that is about to be made.
#[derive(Debug, Clone)]
pub struct Intent {
    /// Joins the intent and its outcome.
    pub call_id: String,
    /// Who.
    pub principal: Arc<str>,
    /// Id of the organisation.
    pub organization: Arc<str>,
    /// Id of the namespace.
    pub namespace: Arc<str>,
    /// Canonical tool id.
    pub tool: Arc<str>,
    /// Folder name of the service.
    pub service: Arc<str>,
    /// Effect of this very call; everything above a read waits for the disk.
    pub effect: Effect,
    /// With secrets masked.
    pub arguments: Value,
    /// See [`shared::arguments::hash`].
    pub arguments_hash: Arc<str>,
    /// Joins everything the request causes.
    pub correlation_id: CorrelationId,
    /// The one request.
    pub request_id: Arc<str>,
    /// Address of the client; `None` over stdio.
    pub address: Option<IpAddr>,
    /// The door the request came through.
    pub door: &'static str,
    /// `None` for reads.
    pub idempotency_key: Option<String>,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub struct AuditOutcome {
    /// `OK` or an error code.
    pub code: &'static str,
    /// Name of the policy rule that decided; `None` when policy was not reached.
    pub rule: Option<String>,
    /// The approval that was used; `None` when none was.
    pub approval_id: Option<String>,
    /// From the request to the answer.
    pub duration: Duration,
    /// Size of the structured result.
    pub output_bytes: u64,
    /// The answer came from the cache.
    pub cached: bool,
    /// The answer is that of an earlier call.
    pub replayed: bool,
}

/// Something other than a tool call: keys, approvals, policies, settings, denials, logins.
#[derive(Debug, Clone)]
pub struct Event {
    /// What happened, such as `key.created` or `approval.rejected`.
    pub action: &'static str,
    /// To what kind of thing, such as `api_key`.
    pub resource_type: &'static str,
    /// To which one.
    pub resource_id: String,
    /// Who; for failed logins the best that is known.
    pub actor: Arc<str>,
    /// Id of the organisation.
    pub organization: Arc<str>,
    /// Address of the client; `None` when there is none.
    pub address: Option<IpAddr>,
    /// With secrets masked.
    pub details: Value,
    /// `None` for the hub's own doings.
    pub correlation_id: Option<CorrelationId>,
}

/// The kinds of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A call is about to be made.
    Intent,
    /// It ended.
    Outcome,
    /// Something else.
    Event,
}

impl Phase {
    /// The word in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Outcome => "outcome",
            Self::Event => "event",
        }
    }

    /// Reads the word; `None` for another one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Intent, Self::Outcome, Self::Event]
            .into_iter()
            .find(|phase| phase.as_str() == text)
    }
}

/// A record without its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) struct Draft {
    pub(in crate::audit) id: Arc<str>,
    pub(in crate::audit) phase: Phase,
    pub(in crate::audit) organization: Arc<str>,
    pub(in crate::audit) namespace: Option<Arc<str>>,
    pub(in crate::audit) action: Arc<str>,
    pub(in crate::audit) resource_type: Arc<str>,
    pub(in crate::audit) resource_id: Arc<str>,
    pub(in crate::audit) actor: Arc<str>,
    pub(in crate::audit) address: Option<Arc<str>>,
    pub(in crate::audit) code: Option<Arc<str>>,
    /// A JSON object.
    pub(in crate::audit) metadata: Arc<str>,
    pub(in crate::audit) correlation_id: Option<Arc<str>>,
    /// Microseconds since 1970.
    pub(in crate::audit) at: i64,
}

impl Draft {
    pub(in crate::audit) fn of_intent(intent: Intent, at: i64) -> Self {
        let metadata = json!({
            "arguments": bounded(intent.arguments, MAX_METADATA - 2048),
            "arguments_hash": intent.arguments_hash.as_ref(),
            "door": intent.door,
            "effect": intent.effect.as_str(),
            "idempotency_key": intent.idempotency_key.as_deref().map(short).as_deref(),
            "request_id": &*kept(&intent.request_id),
            "service": intent.service.as_ref(),
        });
        Self {
            id: short(&intent.call_id),
            phase: Phase::Intent,
            organization: kept(&intent.organization),
            namespace: Some(kept(&intent.namespace)),
            action: Arc::from("tool.call"),
            resource_type: Arc::from("tool"),
            resource_id: kept(&intent.tool),
            actor: kept(&intent.principal),
            address: intent.address.map(|address| address.to_string().into()),
            code: None,
            metadata: metadata.to_string().into(),
            correlation_id: Some(Arc::from(intent.correlation_id.as_str())),
            at,
        }
    }

    /// The outcome of this intent.
    pub(in crate::audit) fn ended(&self, outcome: AuditOutcome, at: i64) -> Self {
        let metadata = json!({
            "approval_id": outcome.approval_id,
            "cached": outcome.cached,
            "duration_us": u64::try_from(outcome.duration.as_micros()).unwrap_or(u64::MAX),
            "output_bytes": outcome.output_bytes,
            "replayed": outcome.replayed,
            "rule": outcome.rule.as_deref().map(short).as_deref(),
        });
        self.ended_with(outcome.code, metadata, at)
    }

    /// The outcome of an intent about which nothing but a code is known.
    pub(in crate::audit) fn ended_with(&self, code: &str, metadata: Value, at: i64) -> Self {
        Self {
            phase: Phase::Outcome,
            code: Some(Arc::from(code)),
            metadata: metadata.to_string().into(),
            at,
            ..self.without_metadata()
        }
    }

    pub(in crate::audit) fn of_event(event: Event, at: i64) -> Self {
        let details = match event.details {
            details @ Value::Object(_) => details,
            Value::Null => json!({}),
            other => json!({ "value": other }),
        };
        Self {
            id: uuid::Uuid::now_v7().to_string().into(),
            phase: Phase::Event,
            organization: kept(&event.organization),
            namespace: None,
            action: Arc::from(event.action),
            resource_type: Arc::from(event.resource_type),
            resource_id: short(&event.resource_id),
            actor: kept(&event.actor),
            address: event.address.map(|address| address.to_string().into()),
            code: None,
            metadata: bounded(details, MAX_METADATA).to_string().into(),
            correlation_id: event.correlation_id.map(|id| Arc::from(id.as_str())),
            at,
        }
    }

    /// What an outcome needs of its intent, without the arguments.
    pub(in crate::audit) fn without_metadata(&self) -> Self {
        Self {
            id: self.id.clone(),
            phase: self.phase,
            organization: self.organization.clone(),
            namespace: self.namespace.clone(),
            action: self.action.clone(),
            resource_type: self.resource_type.clone(),
            resource_id: self.resource_id.clone(),
            actor: self.actor.clone(),
            address: self.address.clone(),
            code: self.code.clone(),
            metadata: Arc::from("{}"),
            correlation_id: self.correlation_id.clone(),
            at: self.at,
        }
    }
}

/// Text a column can hold: PostgreSQL knows no NUL, and nobody needs more than 512 characters.
fn short(text: &str) -> Arc<str> {
    if fits(text) {
        return Arc::from(text);
    }
    let fit = |character: char| {
        if character == '\0' {
            '\u{fffd}'
        } else {
            character
        }
    };
    let cut: String = text.chars().take(MAX_TEXT).map(fit).collect();
    Arc::from(cut)
}

/// The same without a copy, where the text fits as it is.
fn kept(text: &Arc<str>) -> Arc<str> {
    if fits(text) {
        Arc::clone(text)
    } else {
        short(text)
    }
}

fn fits(text: &str) -> bool {
    text.len() <= MAX_TEXT && !text.contains('\0')
}

/// The value, or its size when it is too large.
fn bounded(value: Value, limit: usize) -> Value {
    let size = value.to_string().len();
    if size <= limit {
        value
    } else {
        json!({ "omitted_bytes": size })
    }
}
