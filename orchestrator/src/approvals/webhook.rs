//! Decisions that another system sends, signed with a shared secret.
//!
//! Signed is `<timestamp>.<body>` with HMAC-SHA256; the signature travels as hexadecimal. A message is
//! taken within five minutes of its timestamp, and once.

use super::decide::Decider;
use super::{Approval, ApprovalError, Approvals, Said, Verdict};
use crate::auth::person_of;
use aws_lc_rs::hmac;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use shared::secret::Secret;
use std::collections::HashMap;
use std::sync::Arc;

/// Header with the Unix seconds of the message.
pub const TIMESTAMP_HEADER: &str = "x-waygate-timestamp";
/// Header with the signature, with or without `sha256=` before it.
pub const SIGNATURE_HEADER: &str = "x-waygate-signature";

/// How old or early a message may be, in seconds.
const WINDOW_SECONDS: i64 = 300;
/// Signatures remembered; more within the window are refused.
const MAX_SEEN: usize = 10_000;
/// Shortest secret, in bytes.
const MIN_SECRET: usize = 32;
/// Longest name of an approver, in bytes.
const MAX_APPROVER: usize = 256;

/// Why a message was refused.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The secret of this installation is too short to be one.
    #[error("the webhook secret must have at least 32 bytes")]
    Secret,
    /// Not signed with the secret, too old, too early, or seen before.
    #[error("the message is not signed, or not for this moment")]
    Signature,
    /// Not of the expected shape.
    #[error("the message is malformed")]
    Malformed(#[source] serde_json::Error),
    /// A field has a value it cannot have.
    #[error("{0} is not acceptable")]
    Field(&'static str),
    /// The decision was not taken.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
}

/// One signed message.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// As received.
    pub timestamp: &'a str,
    /// As received.
    pub signature: &'a str,
    /// As received; signed byte for byte.
    pub body: &'a [u8],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    request_id: String,
    decision: String,
    approver: String,
    note: Option<String>,
    form: Option<Value>,
}

/// Signatures of the last minutes, with the second they may be forgotten.
#[derive(Default)]
pub(super) struct Seen(Mutex<HashMap<Vec<u8>, i64>>);

impl Approvals {
    /// Takes a signed decision. The approver is recorded as `webhook:<approver>` and is held against
    /// the requester's id and name; a request that wants approvers of a role takes none from here.
    ///
    /// # Errors
    /// [`WebhookError`]; nothing was decided.
    pub async fn decide_signed(
        &self,
        secret: &Secret,
        message: Signed<'_>,
    ) -> Result<Approval, WebhookError> {
        let now = self.clock.now();
        let signature = verify(secret, &message, now)?;
        self.webhooks.once(signature, now.as_second())?;
        let body: Message =
            serde_json::from_slice(message.body).map_err(WebhookError::Malformed)?;
        let verdict = Verdict::parse(&body.decision).ok_or(WebhookError::Field("decision"))?;
        let named = !body.approver.trim().is_empty() && body.approver.len() <= MAX_APPROVER;
        if !named || super::escaped(&body.approver) != body.approver {
            return Err(WebhookError::Field("approver"));
        }
        let found = self.by_id(&body.request_id, now).await;
        let approval = found
            .map_err(ApprovalError::Store)?
            .ok_or(ApprovalError::NotFound)?;
        let subject = format!("webhook:{}", body.approver);
        let same_name = approval.requester_name.eq_ignore_ascii_case(&body.approver);
        let requester = Arc::clone(&approval.requester);
        let person = person_of(&self.store, &approval.organization, &body.approver).await;
        let person = person.map_err(ApprovalError::Store)?;
        let decider = Decider {
            subject: &subject,
            name: if same_name {
                &requester
            } else {
                &body.approver
            },
            person: person.as_deref(),
            role: None,
        };
        let said = Said {
            verdict,
            note: body.note.as_deref(),
            form: body.form.as_ref(),
        };
        Ok(self.settle(approval, &decider, said, now).await?)
    }
}

/// The signature of a message, in hexadecimal: what a sender puts into [`SIGNATURE_HEADER`].
#[must_use]
pub fn sign_webhook(secret: &Secret, timestamp: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    hex::encode(hmac::sign(&key, &signed_bytes(timestamp, body)))
}

fn signed_bytes(timestamp: i64, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{timestamp}.").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The signature's bytes, when it holds at `now`.
fn verify(secret: &Secret, message: &Signed<'_>, now: Timestamp) -> Result<Vec<u8>, WebhookError> {
    if secret.expose().len() < MIN_SECRET {
        return Err(WebhookError::Secret);
    }
    let refused = || WebhookError::Signature;
    let timestamp: i64 = message.timestamp.parse().or(Err(refused()))?;
    let text = message.signature;
    let signature = hex::decode(text.strip_prefix("sha256=").unwrap_or(text)).or(Err(refused()))?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    hmac::verify(&key, &signed_bytes(timestamp, message.body), &signature).or(Err(refused()))?;
    if now.as_second().saturating_sub(timestamp).saturating_abs() > WINDOW_SECONDS {
        return Err(refused());
    }
    Ok(signature)
}

impl Seen {
    fn once(&self, signature: Vec<u8>, now: i64) -> Result<(), WebhookError> {
        let mut seen = self.0.lock();
        if seen.len() >= MAX_SEEN {
            seen.retain(|_, forget| *forget > now);
        }
        // A message from five minutes ahead is valid for ten.
        let forget = now.saturating_add(2 * WINDOW_SECONDS + 1);
        if seen.len() >= MAX_SEEN || seen.insert(signature, forget).is_some() {
            return Err(WebhookError::Signature);
        }
        Ok(())
    }
}
