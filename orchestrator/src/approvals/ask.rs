//! Opening a request.

use super::row::{checks_json, select};
use super::show::escaped;
use super::{
    Approval, ApprovalError, ApprovalRequest, ApprovalState, Approvals, Recorded, refused,
};
use crate::store::{Statement, StoreError, micros, moment};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::Value;
use shared::tool::Check;
use std::sync::Arc;

/// Most bytes of arguments or summary: what is longer nobody reads, and nothing is cut.
const MAX_SHOWN: usize = 64 * 1024;

/// The door the steps of workflows come through, and how many times more they may ask for.
const WORKFLOW_DOOR: &str = "workflow";
const TIMES_IN_WORKFLOWS: i64 = 20;

/// One statement, so that the bounds hold however many ask at once. `$20` is now.
const INSERT: &str = "INSERT INTO approvals (id, organization_id, namespace_id, principal, requester, \
     tool, service, effect, rule, arguments, arguments_hash, summary, readiness, required, roles, \
     self_approval, token_hash, expires_at, correlation_id, created_at, updated_at, requester_person) \
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $20, \
     CAST($23 AS TEXT) \
     WHERE (SELECT COUNT(*) FROM approvals WHERE organization_id = $2 AND principal = $4 \
            AND state = 'pending' AND expires_at > $20) < $21 \
     AND (SELECT COUNT(*) FROM approvals WHERE organization_id = $2 AND state = 'pending' \
          AND expires_at > $20) < $22 \
     AND NOT EXISTS (SELECT 1 FROM approvals WHERE organization_id = $2 AND principal = $4 \
          AND tool = $6 AND arguments_hash = $11 AND effect = $8 AND required >= $14 \
          AND state = 'pending' AND expires_at > $20)";

const WAITING: &str = "SELECT COUNT(*) AS everybody, \
     COUNT(CASE WHEN principal = $2 THEN 1 END) AS own FROM approvals \
     WHERE organization_id = $1 AND state = 'pending' AND expires_at > $3";

/// What approvers will read.
struct Shown {
    arguments: Value,
    summary: String,
    checks: Vec<Check>,
}

impl Approvals {
    /// Opens a request, or finds the one that is open or approved for the same call of the same
    /// requester.
    ///
    /// # Errors
    /// [`ApprovalError::Flood`], or [`ApprovalError::Invalid`] when the same call was rejected lately
    /// or is too large to be shown; nobody was asked.
    pub async fn request(&self, request: ApprovalRequest<'_>) -> Result<Approval, ApprovalError> {
        let now = self.clock.now();
        if let Some(known) = self.known(&request, now).await? {
            return self.again(known);
        }
        self.room(&request, now).await?;
        let shown = self.shown(&request)?;
        let id = random_id()?;
        let insert = self.insert(&request, &shown, &id, now).expect(1);
        let opened = self.opened(&request, shown, &id, now);
        let record = Recorded {
            action: "approval.requested",
            approval: &opened,
            actor: &opened.requester,
            note: None,
        };
        match self.change(vec![insert], record).await {
            Err(error) if matches!(refused(&error), Some(StoreError::Unexpected(_))) => {
                // Somebody was faster with the same call, or there is no room.
                let known = self
                    .known(&request, now)
                    .await?
                    .ok_or(ApprovalError::Flood)?;
                return self.again(known);
            }
            changed => changed?,
        }
        self.announce(&id, ApprovalState::Pending);
        Ok(opened)
    }

    /// A flood is turned away before it costs more than a look; [`INSERT`] holds the bounds.
    async fn room(
        &self,
        request: &ApprovalRequest<'_>,
        now: Timestamp,
    ) -> Result<(), ApprovalError> {
        let principal = &request.caller.principal;
        let count = Statement::new(WAITING)
            .bind(principal.organization.as_ref())
            .bind(principal.id.as_ref())
            .bind(micros(now));
        let rows = self.store.read(count).await?;
        let waiting = |column| rows.first().map_or(Ok(0), |row| row.integer(column));
        let (own, everybody) = self.bounds(request);
        let full = waiting("own")? >= own || waiting("everybody")? >= everybody;
        if full {
            Err(ApprovalError::Flood)
        } else {
            Ok(())
        }
    }

    /// Most requests of this requester and of the organisation. The steps of a workflow may ask for
    /// more: a loop asks for each of its items.
    fn bounds(&self, request: &ApprovalRequest<'_>) -> (i64, i64) {
        let times = if request.caller.door == WORKFLOW_DOOR {
            TIMES_IN_WORKFLOWS
        } else {
            1
        };
        let times = |bound: u32| i64::from(bound) * times;
        (
            times(self.config.per_requester),
            times(self.config.per_organization),
        )
    }

    /// A call that was rejected lately is not asked for again.
    fn again(&self, known: Approval) -> Result<Approval, ApprovalError> {
        if known.state == ApprovalState::Rejected {
            Err(ApprovalError::Invalid(
                "the same call was rejected within the last hour",
            ))
        } else {
            Ok(known)
        }
    }

    /// The same call of the same requester, open, approved, or rejected lately.
    async fn known(
        &self,
        request: &ApprovalRequest<'_>,
        now: Timestamp,
    ) -> Result<Option<Approval>, StoreError> {
        let principal = &request.caller.principal;
        let rejected_since = now
            .checked_sub(self.config.rejected_for)
            .unwrap_or(Timestamp::MIN);
        let statement = Statement::new(select!(
            "WHERE organization_id = $1 AND principal = $2 AND tool = $3 AND arguments_hash = $4 \
             AND effect = $5 AND required >= $6 \
             AND ((state IN ('pending', 'approved') AND expires_at > $7) \
                  OR (state = 'rejected' AND decided_at > $8)) \
             ORDER BY created_at DESC LIMIT 1"
        ))
        .bind(principal.organization.as_ref())
        .bind(principal.id.as_ref())
        .bind(request.tool.as_str())
        .bind(request.arguments_hash.as_ref())
        .bind(request.effect.as_str())
        .bind(i64::from(request.ask.approvers))
        .bind(micros(now))
        .bind(micros(rejected_since));
        self.first(statement, now).await
    }

    /// Masked, escaped, and whole or not at all.
    fn shown(&self, request: &ApprovalRequest<'_>) -> Result<Shown, ApprovalError> {
        let too_long = |length: usize| length > MAX_SHOWN;
        if too_long(request.arguments.to_string().len())
            || too_long(request.assessment.summary.len())
        {
            return Err(ApprovalError::Invalid(
                "the arguments are larger than 64 KiB, which nobody can review",
            ));
        }
        let mut arguments = request.arguments.clone();
        self.redactor.redact_json(&mut arguments);
        let clean = |text: &str| {
            let lines: Vec<String> = self.redactor.redact(text).lines().map(escaped).collect();
            lines.join("\n")
        };
        let checks = request.assessment.checks.iter().map(|check| Check {
            name: clean(&check.name),
            ok: check.ok,
            detail: clean(&check.detail),
        });
        Ok(Shown {
            arguments,
            summary: clean(&request.assessment.summary),
            checks: checks.collect(),
        })
    }

    /// The request as it will stand in the store.
    fn opened(
        &self,
        request: &ApprovalRequest<'_>,
        shown: Shown,
        id: &str,
        now: Timestamp,
    ) -> Approval {
        let principal = &request.caller.principal;
        // The store keeps microseconds.
        let kept = |at: Timestamp| moment(micros(at));
        Approval {
            id: id.to_owned(),
            organization: Arc::clone(&principal.organization),
            requester: Arc::clone(&principal.id),
            requester_name: principal.name.to_string(),
            requester_person: principal.person.clone(),
            tool: request.tool.clone(),
            service: Arc::clone(request.service),
            effect: request.effect,
            rule: request.ask.rule().to_owned(),
            arguments: shown.arguments,
            arguments_hash: Arc::clone(request.arguments_hash),
            summary: shown.summary,
            checks: shown.checks,
            state: ApprovalState::Pending,
            required: request.ask.approvers,
            roles: request.ask.roles.clone(),
            self_approval: request.ask.self_approval,
            form: None,
            reason_required: false,
            votes: Vec::new(),
            requested_at: kept(now),
            expires_at: kept(self.decide_until(now)),
            decided_at: None,
            consumed_at: None,
            correlation_id: request.caller.correlation_id.as_str().to_owned(),
        }
    }

    fn decide_until(&self, now: Timestamp) -> Timestamp {
        now.checked_add(self.config.decide_within)
            .unwrap_or(Timestamp::MAX)
    }

    fn insert(
        &self,
        request: &ApprovalRequest<'_>,
        shown: &Shown,
        id: &str,
        now: Timestamp,
    ) -> Statement {
        let principal = &request.caller.principal;
        let expires = self.decide_until(now);
        Statement::new(INSERT)
            .bind(id)
            .bind(principal.organization.as_ref())
            .bind(principal.namespace.as_ref())
            .bind(principal.id.as_ref())
            .bind(principal.name.as_ref())
            .bind(request.tool.as_str())
            .bind(request.service.as_ref())
            .bind(request.effect.as_str())
            .bind(request.ask.rule())
            .bind(shown.arguments.to_string())
            .bind(request.arguments_hash.as_ref())
            .bind(shown.summary.as_str())
            .bind(checks_json(&shown.checks).to_string())
            .bind(i64::from(request.ask.approvers))
            .bind(serde_json::json!(request.ask.roles).to_string())
            .bind(request.ask.self_approval)
            .bind(self.token_hash(&self.token_of(id)))
            .bind(micros(expires))
            .bind(request.caller.correlation_id.as_str())
            .bind(micros(now))
            .bind(self.bounds(request).0)
            .bind(self.bounds(request).1)
            .bind(principal.person.as_deref().map(str::to_owned))
    }
}

pub(super) fn random_id() -> Result<String, ApprovalError> {
    Ok(format!("apr_{}", hex::encode(random()?)))
}

/// 128 random bits.
pub(super) fn random() -> Result<[u8; 16], ApprovalError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).or(Err(ApprovalError::NoRandomness))?;
    Ok(bytes)
}

pub(super) fn nonce() -> Result<String, ApprovalError> {
    Ok(URL_SAFE_NO_PAD.encode(random()?))
}
