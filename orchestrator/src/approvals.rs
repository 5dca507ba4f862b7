//! What people were asked, what they said, and the one use of it.
//!
//! Requests and votes are rows of the store and survive restarts; every change of state is recorded in
//! the trail. Whether a call needs people is `policy`'s decision; REST, CLI, console and webhook all
//! decide through [`Approvals::decide`] or its signed twin. An answer that comes through an AI host is
//! never an approval. Time running out is a no.

mod ask;
mod decide;
mod expire;
mod query;
mod redeem;
mod row;
mod said;
mod show;
mod webhook;
mod within;

pub use said::{Said, Verdict, Vote};
pub use show::escaped;
pub(crate) use within::{AUTHORS_RULE, Question};

pub use webhook::{SIGNATURE_HEADER, Signed, TIMESTAMP_HEADER, WebhookError, sign_webhook};

use crate::audit::{Audit, AuditError, Event};
use crate::auth::Principal;
use crate::caller::Caller;
use crate::keys::HubKey;
use crate::policy::Ask;
use crate::store::{Statement, Store, StoreError};
use aws_lc_rs::hmac;
use jiff::Timestamp;
use serde_json::Value;
use shared::arguments::Violation;
use shared::clock::SharedClock;
use shared::id::{CorrelationId, ToolId};
use shared::redact::Redactor;
use shared::tool::{Assessment, Check, Effect};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

/// Changes that may wait for a slow listener before it has to look for itself.
const CHANGES: usize = 256;

/// Times and bounds of `interfaces.md` 6.
#[derive(Debug, Clone)]
pub struct ApprovalsConfig {
    /// Time to decide.
    pub decide_within: Duration,
    /// Time to use a decided request, and life of the grant.
    pub use_within: Duration,
    /// Requests of one requester that may wait.
    pub per_requester: u32,
    /// Requests of one organisation that may wait.
    pub per_organization: u32,
    /// How long a rejected call is not asked for again.
    pub rejected_for: Duration,
    /// Where people find a request: this, then `/api/approvals/{id}`. No slash at the end.
    pub public_url: String,
}

impl Default for ApprovalsConfig {
    fn default() -> Self {
        Self {
            decide_within: Duration::from_secs(900),
            use_within: Duration::from_secs(300),
            per_requester: 5,
            per_organization: 20,
            rejected_for: Duration::from_secs(3600),
            public_url: String::new(),
        }
    }
}

/// What approvals are built over.
pub struct ApprovalsParts {
    /// Where requests and votes are.
    pub store: Store,
    /// Where changes are recorded.
    pub audit: Arc<Audit>,
    /// Signs grants; tokens are derived from it.
    pub key: Arc<HubKey>,
    /// Masks secrets in what approvers see.
    pub redactor: Arc<Redactor>,
    /// Tells the date.
    pub clock: SharedClock,
}

/// The approvals of one hub.
pub struct Approvals {
    store: Store,
    audit: Arc<Audit>,
    key: Arc<HubKey>,
    redactor: Arc<Redactor>,
    clock: SharedClock,
    config: ApprovalsConfig,
    token_key: hmac::Key,
    changes: broadcast::Sender<Change>,
    webhooks: webhook::Seen,
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApprovalState {
    /// Nobody has decided, or not enough people have.
    Pending,
    /// Enough people said yes; not used yet.
    Approved,
    /// Somebody said no.
    Rejected,
    /// Its time is over, which is a no.
    Expired,
    /// Used.
    Consumed,
}

impl ApprovalState {
    const ALL: [Self; 5] = [
        Self::Pending,
        Self::Approved,
        Self::Rejected,
        Self::Expired,
        Self::Consumed,
    ];

    /// The word on the wire and in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Consumed => "consumed",
        }
    }

    /// Reads the word; `None` for another one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// One request, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// `apr_…`, 128 random bits.
    pub id: String,
    /// Id of the organisation.
    pub organization: Arc<str>,
    /// Who asked: the principal.
    pub requester: Arc<str>,
    /// Who asked, for people.
    pub requester_name: String,
    /// The person behind the requester's credential; `None` when it names none.
    pub requester_person: Option<Arc<str>>,
    /// Canonical tool id.
    pub tool: ToolId,
    /// Folder name of the service.
    pub service: Arc<str>,
    /// The effect approvers are shown.
    pub effect: Effect,
    /// The policy rule that asks.
    pub rule: String,
    /// The arguments, secrets masked.
    pub arguments: Value,
    /// See [`shared::arguments::hash`].
    pub arguments_hash: Arc<str>,
    /// What would happen, one fact a line; non-printables are escaped.
    pub summary: String,
    /// Preconditions, as they were when asked; non-printables are escaped.
    pub checks: Vec<Check>,
    /// Where it stands.
    pub state: ApprovalState,
    /// People who must say yes.
    pub required: u32,
    /// Roles that may say yes; empty means whoever may approve.
    pub roles: Vec<String>,
    /// The requester may be the approver.
    pub self_approval: bool,
    /// A yes comes with an object that fits this JSON Schema; `None` when nothing more is asked.
    pub form: Option<Value>,
    /// Both words need a reason.
    pub reason_required: bool,
    /// What people said, in the order they did.
    pub votes: Vec<Vote>,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// Until when it can be decided, or, once approved, used.
    pub expires_at: Timestamp,
    /// When it was decided; `None` while pending and when nobody did.
    pub decided_at: Option<Timestamp>,
    /// When it was used.
    pub consumed_at: Option<Timestamp>,
    /// Of the call that asked.
    pub correlation_id: String,
}

/// A call that needs people.
#[derive(Debug, Clone, Copy)]
pub struct ApprovalRequest<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// What policy wants.
    pub ask: &'a Ask,
    /// Canonical id.
    pub tool: &'a ToolId,
    /// Folder name of the service.
    pub service: &'a Arc<str>,
    /// The effect of this very call.
    pub effect: Effect,
    /// With defaults, without what the tool's schema hides; the rest is masked here.
    pub arguments: &'a Value,
    /// See [`shared::arguments::hash`].
    pub arguments_hash: &'a Arc<str>,
    /// The spoke's words about the call.
    pub assessment: &'a Assessment,
}

/// A request changed its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which request.
    pub id: Arc<str>,
    /// Where it stands now.
    pub state: ApprovalState,
}

/// Why an approval was not made, found, decided or used.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// It does not fit the call, was used, is over, or cannot be asked for.
    #[error("{0}")]
    Invalid(&'static str),
    /// What was filled in does not fit the form.
    #[error("the form: {0}")]
    Form(#[source] Violation),
    /// Too many requests of this requester or organisation wait.
    #[error("too many requests are waiting")]
    Flood,
    /// There is none of this id that the asker may see.
    #[error("unknown approval")]
    NotFound,
    /// The decider may not decide this one.
    #[error("{0}")]
    Forbidden(&'static str),
    /// It is decided already, or the decider has voted.
    #[error("{0}")]
    Conflict(&'static str),
    /// The store did not do its part.
    #[error("the approval could not be kept")]
    Store(#[from] StoreError),
    /// The change could not be recorded; a use that was not recorded is not made.
    #[error("the approval could not be recorded")]
    Audit(#[from] AuditError),
    /// The system gave no randomness.
    #[error("no randomness for an approval")]
    NoRandomness,
}

impl Approvals {
    /// Approvals over a store.
    #[must_use]
    pub fn new(parts: ApprovalsParts, config: ApprovalsConfig) -> Self {
        Self {
            store: parts.store,
            audit: parts.audit,
            token_key: parts.key.derive("waygate/approval-token/v1"),
            key: parts.key,
            redactor: parts.redactor,
            clock: parts.clock,
            config,
            changes: broadcast::channel(CHANGES).0,
            webhooks: webhook::Seen::default(),
        }
    }

    /// The hub's public key, which checks grants.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        self.key.public_key()
    }

    /// Every change of state from now on that this hub makes. A slow listener loses some.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Tells listeners; nobody listening is fine.
    fn announce(&self, id: &str, state: ApprovalState) {
        let change = Change {
            id: Arc::from(id),
            state,
        };
        drop(self.changes.send(change));
    }

    /// Makes a change of state and its record in one transaction. `approval` is as it will be,
    /// `note` the decider's.
    async fn change(
        &self,
        statements: Vec<Statement>,
        record: Recorded<'_>,
    ) -> Result<(), ApprovalError> {
        let Recorded {
            action,
            approval,
            actor,
            note,
        } = record;
        let note = note.map(|note| self.redactor.redact(note).into_owned());
        let event = Event {
            action,
            resource_type: "approval",
            resource_id: approval.id.clone(),
            actor: Arc::from(actor),
            organization: Arc::clone(&approval.organization),
            address: None,
            details: serde_json::json!({
                "requester": &*approval.requester,
                "tool": approval.tool.as_str(),
                "effect": approval.effect.as_str(),
                "arguments_hash": &*approval.arguments_hash,
                "rule": approval.rule,
                "required": approval.required,
                "state": approval.state.as_str(),
                "note": note,
            }),
            correlation_id: CorrelationId::parse(&approval.correlation_id).ok(),
        };
        self.audit
            .event_with(event, statements)
            .await
            .map_err(ApprovalError::Audit)
    }
}

/// What the trail says of a change of state.
struct Recorded<'a> {
    action: &'static str,
    /// As it is after the change.
    approval: &'a Approval,
    actor: &'a str,
    note: Option<&'a str>,
}

/// What the store said of the statements of a change.
fn refused(error: &ApprovalError) -> Option<&StoreError> {
    match error {
        ApprovalError::Audit(AuditError::NotWritten(cause)) => Some(cause),
        _ => None,
    }
}

/// Whether `principal` may see requests of others in its organisation.
fn sees_all(principal: &Principal) -> bool {
    use crate::auth::Verb;
    let allow = |verb| principal.permissions.allow("approvals", verb);
    allow(Verb::Approve) || allow(Verb::Read)
}
