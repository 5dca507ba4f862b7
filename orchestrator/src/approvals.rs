//! What people were asked, what they said, and the one use of it.

use crate::caller::Caller;
use crate::keys::HubKey;
use crate::policy::{Ask, Request};
use crate::store::StoreError;
use jiff::Timestamp;
use serde_json::Value;
use shared::grant::Grant;
use shared::id::ToolId;
use shared::tool::{Assessment, Check, Effect};
use std::sync::Arc;

/// The approvals of one hub.
pub struct Approvals {
    key: Arc<HubKey>,
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

/// One request, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// `apr_…`.
    pub id: String,
    /// Who asked.
    pub requester: Arc<str>,
    /// Canonical tool id.
    pub tool: ToolId,
    /// Folder name of the service.
    pub service: Arc<str>,
    /// The effect approvers are shown.
    pub effect: Effect,
    /// The arguments, secrets masked.
    pub arguments: Value,
    /// See [`shared::arguments::hash`].
    pub arguments_hash: Arc<str>,
    /// What would happen, one fact a line.
    pub summary: String,
    /// Preconditions, as they were when asked.
    pub checks: Vec<Check>,
    /// Where it stands.
    pub state: ApprovalState,
    /// People who must say yes.
    pub required: u32,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// Until when it can be decided, or, once approved, used.
    pub expires_at: Timestamp,
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
    /// With defaults, not masked.
    pub arguments: &'a Value,
    /// See [`shared::arguments::hash`].
    pub arguments_hash: &'a Arc<str>,
    /// The spoke's words about the call.
    pub assessment: &'a Assessment,
}

/// Why an approval was not made, found, decided or used.
#[derive(Debug, thiserror::Error)]
pub enum ApprovalError {
    /// It does not fit the call, was used, or is over.
    #[error("{0}")]
    Invalid(&'static str),
    /// Too many requests of this requester wait.
    #[error("too many requests are waiting")]
    Flood,
    /// The store did not do its part.
    #[error("the request could not be kept")]
    Store(#[from] StoreError),
}

impl Approvals {
    /// The hub's public key, which checks grants.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        self.key.public_key()
    }

    /// Opens a request, or finds the one that is open for the same call.
    ///
    /// # Errors
    /// [`ApprovalError`]; nobody was asked.
    #[expect(clippy::unused_async, reason = "the store follows")]
    pub async fn request(&self, request: ApprovalRequest<'_>) -> Result<Approval, ApprovalError> {
        let _ = request;
        Err(ApprovalError::Store(StoreError::Unavailable(None)))
    }

    /// Uses up an approval for exactly this call.
    ///
    /// # Errors
    /// [`ApprovalError::Invalid`] when it does not fit, was used, or is over.
    #[expect(clippy::unused_async, reason = "the store follows")]
    pub async fn redeem(&self, token: &str, request: &Request<'_>) -> Result<Grant, ApprovalError> {
        let _ = (token, request);
        Err(ApprovalError::Store(StoreError::Unavailable(None)))
    }
}
