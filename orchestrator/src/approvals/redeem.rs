//! The one use of an approval.

use super::row::select;
use super::{Approval, ApprovalError, ApprovalState, Approvals, Recorded, Verdict, refused};
use crate::auth::Principal;
use crate::policy::Request;
use crate::store::{Statement, StoreError, micros};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use shared::grant::Grant;

/// Longest text looked up, in bytes.
const MAX_TOKEN: usize = 128;

const CONSUME: &str = "UPDATE approvals SET state = 'consumed', consumed_at = $1, nonce = $2, updated_at = $1 \
     WHERE id = $3 AND state = 'approved' AND expires_at > $1 \
     AND principal = $4 AND tool = $5 AND arguments_hash = $6";

impl Approvals {
    /// Uses up an approval for exactly this call: of any number who try, one gets the grant.
    ///
    /// # Errors
    /// [`ApprovalError::Invalid`] when it does not fit, was used, or is over. After
    /// [`ApprovalError::Audit`] it may be used up, and the call must not be made.
    pub async fn redeem(&self, token: &str, request: &Request<'_>) -> Result<Grant, ApprovalError> {
        let now = self.clock.now();
        let approval = self.by_token(token, now).await?;
        fits(&approval, request)?;
        let nonce = super::ask::nonce()?;
        let consume = Statement::new(CONSUME)
            .bind(micros(now))
            .bind(nonce.as_str())
            .bind(approval.id.as_str())
            .bind(request.caller.principal.id.as_ref())
            .bind(request.tool.as_str())
            .bind(request.arguments_hash)
            .expect(1);
        let used = Approval {
            state: ApprovalState::Consumed,
            consumed_at: Some(now),
            ..approval
        };
        let record = Recorded {
            action: "approval.consumed",
            approval: &used,
            actor: &used.requester,
            note: None,
        };
        match self.change(vec![consume], record).await {
            Err(error) if matches!(refused(&error), Some(StoreError::Unexpected(_))) => {
                return Err(ApprovalError::Invalid(USED));
            }
            changed => changed?,
        }
        self.announce(&used.id, ApprovalState::Consumed);
        Ok(self.grant(&used, nonce, now))
    }

    /// The token of an approved request, for its requester only; `None` for anybody else and in any
    /// other state.
    #[must_use]
    pub fn token_for(&self, approval: &Approval, reader: &Principal) -> Option<String> {
        let own = approval.requester == reader.id && approval.organization == reader.organization;
        let usable = approval.state == ApprovalState::Approved;
        (own && usable).then(|| self.token_of(&approval.id))
    }

    /// Always the same for a request, so that it need not be kept.
    pub(crate) fn token_of(&self, id: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.token_key, id.as_bytes()))
    }

    /// What the store keeps of a token.
    pub(super) fn token_hash(&self, token: &str) -> String {
        hex::encode(digest(&SHA256, token.as_bytes()))
    }

    async fn by_token(&self, token: &str, now: Timestamp) -> Result<Approval, ApprovalError> {
        let unknown = ApprovalError::Invalid("there is no such approval");
        if token.len() > MAX_TOKEN {
            return Err(unknown);
        }
        let statement =
            Statement::new(select!("WHERE token_hash = $1")).bind(self.token_hash(token));
        self.first(statement, now).await?.ok_or(unknown)
    }

    fn grant(&self, approval: &Approval, nonce: String, now: Timestamp) -> Grant {
        let expires = now
            .checked_add(self.config.use_within)
            .unwrap_or(Timestamp::MAX);
        let yes = approval
            .votes
            .iter()
            .filter(|vote| vote.verdict == Verdict::Approve);
        let mut grant = Grant {
            approval_id: approval.id.clone(),
            principal: approval.requester.to_string(),
            tool: approval.tool.to_string(),
            arguments_hash: approval.arguments_hash.to_string(),
            effect: approval.effect.as_str().to_owned(),
            approvers: yes.map(|vote| vote.approver.clone()).collect(),
            expires_at: expires.as_second(),
            nonce,
            signatures: Vec::new(),
        };
        grant.sign(&self.key.key_id, &self.key.pair);
        grant
    }
}

const USED: &str = "it was used already";

/// Whoever holds another's token learns nothing about it.
fn fits(approval: &Approval, request: &Request<'_>) -> Result<(), ApprovalError> {
    let principal = &request.caller.principal;
    let own = approval.requester == principal.id && approval.organization == principal.organization;
    let same = approval.tool == *request.tool
        && &*approval.arguments_hash == request.arguments_hash
        && approval.effect >= request.effect;
    let problem = if !own || !same {
        "it is for another call"
    } else {
        match approval.state {
            ApprovalState::Approved => return Ok(()),
            ApprovalState::Pending => "it is not decided yet",
            ApprovalState::Rejected => "it was rejected",
            ApprovalState::Expired => "its time is over",
            ApprovalState::Consumed => USED,
        }
    };
    Err(ApprovalError::Invalid(problem))
}
