//! Deciding a request: the one function behind REST, CLI, console and webhook.

use super::{Approval, ApprovalError, ApprovalState, Approvals, Recorded, Said, Verdict, refused};
use crate::auth::{CredentialKind, Principal, Verb};
use crate::store::{Statement, StoreError, micros};
use jiff::Timestamp;
use serde_json::Value;
use shared::tool::Effect;

/// How often a vote is cast anew because others voted meanwhile.
const ATTEMPTS: u32 = 8;

/// First the row is touched, so that two who vote at once wait for each other and the second count
/// sees both.
const LOCK: &str =
    "UPDATE approvals SET updated_at = $1 WHERE id = $2 AND state = 'pending' AND expires_at > $1";
const VOTE: &str = "INSERT INTO approval_votes (approval_id, approver, decision, note, at, person, \
     form) VALUES ($1, $2, $3, $4, $5, $6, $7)";
const REJECT: &str =
    "UPDATE approvals SET state = 'rejected', decided_at = $1 WHERE id = $2 AND state = 'pending'";
const APPROVE_IF_ENOUGH: &str = "UPDATE approvals SET state = 'approved', decided_at = $1, expires_at = $2 \
     WHERE id = $3 AND state = 'pending' AND required <= (SELECT COUNT(*) FROM approval_votes \
     WHERE approval_id = $3 AND decision = 'approve')";

/// Somebody who decides.
pub(super) struct Decider<'a> {
    /// Recorded, and held against the requester.
    pub(super) subject: &'a str,
    /// Another name of the same person; equal to `subject` when there is none.
    pub(super) name: &'a str,
    /// Id of the person; `None` when the credential names none.
    pub(super) person: Option<&'a str>,
    /// Role word; `None` when unknown, which fits no request that wants a role.
    pub(super) role: Option<&'static str>,
}

impl Approvals {
    /// Says yes or no. Enough yeses approve, one no rejects.
    ///
    /// # Errors
    /// [`ApprovalError::NotFound`] for another organisation's too, [`ApprovalError::Forbidden`] for who
    /// may not decide this one, [`ApprovalError::Conflict`] when it is decided, over, or the decider
    /// has voted.
    pub async fn decide(
        &self,
        id: &str,
        approver: &Principal,
        said: Said<'_>,
    ) -> Result<Approval, ApprovalError> {
        let now = self.clock.now();
        let found = self.by_id(id, now).await?;
        let approval = found
            .filter(|approval| approval.organization == approver.organization)
            .ok_or(ApprovalError::NotFound)?;
        if !approver.permissions.allow("approvals", Verb::Approve) {
            let own = approval.requester == approver.id;
            return Err(if own || super::sees_all(approver) {
                ApprovalError::Forbidden("deciding needs the permission approvals:approve")
            } else {
                ApprovalError::NotFound
            });
        }
        if approver.kind == CredentialKind::A2aKey {
            return Err(ApprovalError::Forbidden(
                "an agent's key cannot decide; a person has to",
            ));
        }
        let decider = Decider {
            subject: &approver.id,
            name: &approver.id,
            person: approver.person.as_deref(),
            role: Some(approver.role.as_str()),
        };
        self.settle(approval, &decider, said, now).await
    }

    /// What every way of deciding comes down to.
    pub(super) async fn settle(
        &self,
        mut approval: Approval,
        decider: &Decider<'_>,
        said: Said<'_>,
        now: Timestamp,
    ) -> Result<Approval, ApprovalError> {
        may_decide(&approval, decider)?;
        said.answers(&approval)?;
        let id = approval.id.clone();
        for _ in 0..ATTEMPTS {
            undecided(approval.state)?;
            let voted = self.voted(&approval, decider, said, now).await;
            match voted.as_ref().err().and_then(refused) {
                Some(StoreError::Exists(_)) => {
                    return Err(ApprovalError::Conflict("you have voted on it"));
                }
                // Decided, over, or one vote further meanwhile.
                Some(StoreError::Unexpected(_)) => {
                    approval = self.by_id(&id, now).await?.ok_or(ApprovalError::NotFound)?;
                }
                _ => {
                    let state = voted?;
                    let decided = self.by_id(&id, now).await?.ok_or(ApprovalError::NotFound)?;
                    self.announce(&id, state);
                    return Ok(decided);
                }
            }
        }
        Err(ApprovalError::Conflict(
            "it was decided or ran out meanwhile",
        ))
    }

    /// One vote, its consequence and its record in one transaction, which comes to nothing when the
    /// votes that `approval` knows of are not all there are.
    async fn voted(
        &self,
        approval: &Approval,
        decider: &Decider<'_>,
        said: Said<'_>,
        now: Timestamp,
    ) -> Result<ApprovalState, ApprovalError> {
        let yes = approval
            .votes
            .iter()
            .filter(|vote| vote.verdict == Verdict::Approve);
        let enough = yes.count() + 1 >= usize::try_from(approval.required).unwrap_or(usize::MAX);
        let (state, action) = match said.verdict {
            // The run counts the votes on what its author asked.
            _ if approval.rule == super::AUTHORS_RULE => (ApprovalState::Pending, "approval.voted"),
            Verdict::Reject => (ApprovalState::Rejected, "approval.rejected"),
            Verdict::Approve if enough => (ApprovalState::Approved, "approval.approved"),
            Verdict::Approve => (ApprovalState::Pending, "approval.voted"),
        };
        let then = Approval {
            state,
            ..approval.clone()
        };
        let record = Recorded {
            action,
            approval: &then,
            actor: decider.subject,
            note: said.note,
        };
        let batch = self.batch(&then, decider, said, now);
        self.change(batch, record).await.map(|()| state)
    }

    fn batch(
        &self,
        then: &Approval,
        decider: &Decider<'_>,
        said: Said<'_>,
        now: Timestamp,
    ) -> Vec<Statement> {
        let id = then.id.as_str();
        let use_until = now
            .checked_add(self.config.use_within)
            .unwrap_or(Timestamp::MAX);
        let lock = Statement::new(LOCK).bind(micros(now)).bind(id).expect(1);
        let vote = Statement::new(VOTE)
            .bind(id)
            .bind(decider.subject)
            .bind(said.verdict.as_str())
            .bind(
                said.note
                    .map(|note| self.redactor.redact(note).into_owned()),
            )
            .bind(micros(now))
            .bind(decider.person.map(str::to_owned))
            .bind(said.form.map(Value::to_string))
            .expect(1);
        if then.rule == super::AUTHORS_RULE {
            return vec![lock, vote];
        }
        let outcome = match said.verdict {
            Verdict::Reject => Statement::new(REJECT).bind(micros(now)).bind(id).expect(1),
            Verdict::Approve => Statement::new(APPROVE_IF_ENOUGH)
                .bind(micros(now))
                .bind(micros(use_until))
                .bind(id)
                .expect(u64::from(then.state == ApprovalState::Approved)),
        };
        vec![lock, vote, outcome]
    }
}

fn may_decide(approval: &Approval, decider: &Decider<'_>) -> Result<(), ApprovalError> {
    let person = approval.requester_person.as_deref();
    let same_person = person.is_some() && person == decider.person;
    let own = same_person || [decider.subject, decider.name].contains(&approval.requester.as_ref());
    let may_be_own = approval.self_approval && approval.effect <= Effect::Mutate;
    if own && !may_be_own {
        return Err(ApprovalError::Forbidden(
            "the requester cannot decide; somebody else has to",
        ));
    }
    let role_fits = approval.roles.is_empty()
        || decider
            .role
            .is_some_and(|role| approval.roles.iter().any(|wanted| wanted == role));
    if role_fits {
        Ok(())
    } else {
        Err(ApprovalError::Forbidden(
            "the policy wants an approver of another role",
        ))
    }
}

const fn undecided(state: ApprovalState) -> Result<(), ApprovalError> {
    match state {
        ApprovalState::Pending => Ok(()),
        ApprovalState::Approved => Err(ApprovalError::Conflict("it is approved already")),
        ApprovalState::Rejected => Err(ApprovalError::Conflict("it is rejected already")),
        ApprovalState::Expired => Err(ApprovalError::Conflict("its time is over")),
        ApprovalState::Consumed => Err(ApprovalError::Conflict("it was used already")),
    }
}
