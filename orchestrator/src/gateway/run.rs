//! The last steps of a call: approval redeemed or requested, read from the cache or the upstream,
//! change made once per idempotency key.

use super::judged::Judged;
use super::{Answer, Gateway};
use crate::approvals::{ApprovalError, ApprovalRequest};
use crate::cache::CacheKey;
use crate::error::CallError;
use crate::ledger::{Begun, NewEffect, Ticket};
use crate::policy::{Ask, Permit, Subject};
use crate::upstream::UpstreamError;
use shared::tool::{Assessment, Output, declines_approval};
use std::sync::Arc;
use std::time::Duration;

/// The door the steps of workflows come through.
const WORKFLOW_DOOR: &str = "workflow";
/// How long an answer is kept that nobody took, for a caller that asks again without a key.
const UNTAKEN: Duration = Duration::from_mins(5);

impl Gateway {
    /// Turns the caller's approval token into a permit, or opens a request and says so.
    pub(super) async fn approved(&self, call: &Judged, ask: Ask) -> Result<Permit, CallError> {
        let Some(token) = &call.approval_token else {
            if declines_approval(&call.arguments) {
                return Err(CallError::Denied(ask.declined()));
            }
            return Err(self.request(call, &ask).await);
        };
        let grant = self
            .approvals
            .redeem(token, &call.policy_request())
            .await
            .map_err(approval_error)?;
        ask.permit(grant, self.approvals.public_key(), call.now).map_err(|error| {
            tracing::warn!(event = "approval_refused", %error, "a redeemed approval does not fit its call");
            CallError::ApprovalInvalid("it is for another call")
        })
    }

    async fn request(&self, call: &Judged, ask: &Ask) -> CallError {
        let assessment = match self.shown_to_approver(call).await {
            Ok(assessment) => assessment,
            Err(error) => return error,
        };
        let shown = self.masked(call);
        let request = ApprovalRequest {
            caller: &call.caller,
            ask,
            tool: &call.route.tool.id,
            service: &call.route.service,
            effect: call.upstream.effect,
            arguments: &shown,
            arguments_hash: &call.upstream.arguments_hash,
            assessment: &assessment,
        };
        match self.approvals.request(request).await {
            Ok(approval) => CallError::ApprovalRequired(Box::new(approval)),
            Err(error) => approval_error(error),
        }
    }

    /// The spoke's own words about the call, for the person who decides.
    async fn shown_to_approver(&self, call: &Judged) -> Result<Assessment, CallError> {
        if let Some(assessment) = &call.assessment {
            return Ok(assessment.clone());
        }
        let tool = &call.route.tool;
        let subject = Subject {
            tool: &tool.id,
            service: &call.route.service,
            effect: call.upstream.effect,
            per_call: false,
        };
        let Some(reach) = self.policy.reach(&call.caller, subject) else {
            return Err(CallError::Internal);
        };
        call.route
            .upstream
            .assess(&reach, &call.upstream)
            .await
            .map_err(CallError::Upstream)
    }

    /// A read: from the cache when it may stand there, one upstream call at a time per key.
    pub(super) async fn read(&self, call: &Judged, permit: &Permit) -> Result<Answer, CallError> {
        let tool = &call.route.tool;
        let cacheable = tool.idempotent && !tool.sensitive && !tool.live && !tool.effect_per_call;
        if !cacheable {
            let output = call.route.upstream.call(permit, &call.upstream).await;
            let output = output.map_err(CallError::Upstream)?;
            return Ok(Answer {
                output: Arc::new(output),
                cached: false,
            });
        }
        let key = CacheKey::new(
            call.route.as_ref(),
            &call.caller.principal,
            &call.upstream.arguments_hash,
        );
        let fetch = call.route.upstream.call(permit, &call.upstream);
        let (output, cached) = self
            .cache
            .get_or_call(key, fetch)
            .await
            .map_err(CallError::Upstream)?;
        self.metrics.cache_used(cached);
        Ok(Answer { output, cached })
    }

    /// What came of an earlier call with the caller's own idempotency key: it was approved then, so
    /// its answer is not asked for again. `None` when the key is free, or the hub made it up.
    pub(super) async fn made_before(
        &self,
        call: &Judged,
    ) -> Result<Option<Result<Answer, CallError>>, CallError> {
        let Some(key) = call.given_key() else {
            return Ok(None);
        };
        let known = self.ledger.find(call.new_effect(key)).await;
        let known = known.map_err(unrecorded)?;
        Ok(known.map(answer_of))
    }

    /// A change: once per idempotency key, its outcome kept whatever it is. One without a key is kept
    /// as long as its outcome is unknown, or nobody has taken its answer yet.
    pub(super) async fn change(&self, call: &Judged, permit: &Permit) -> Result<Answer, CallError> {
        let ticket = match self.begun(call).await? {
            Begun::Fresh(ticket) => ticket,
            known => return answer_of(known),
        };
        let result = call.route.upstream.call(permit, &call.upstream).await;
        self.cache.forget_service(&call.route.service).await;
        settle(ticket, call, &result).await;
        let output = result.map_err(CallError::Upstream)?;
        Ok(Answer {
            output: Arc::new(output),
            cached: false,
        })
    }

    async fn begun(&self, call: &Judged) -> Result<Begun, CallError> {
        let key = call.idempotency_key.as_deref().ok_or(CallError::Internal)?;
        let principal = &call.caller.principal.id;
        if call.given_key().is_some() {
            let begun = self.ledger.begin(call.new_effect(key)).await;
            let begun = begun.map_err(unrecorded)?;
            // A workflow sends again what may be sent again, with the key of the lost attempt.
            let again = matches!(begun, Begun::Unknown) && call.caller.door == WORKFLOW_DOOR;
            if again && call.upstream.idempotent {
                let ticket = self.ledger.reopen(principal, key).await;
                let ticket = ticket.map_err(unrecorded)?;
                return ticket.map_or(Err(CallError::OutcomeUnknown), |it| Ok(Begun::Fresh(it)));
            }
            return Ok(begun);
        }
        let own = NewEffect::own_key(&call.route.tool.id, &call.upstream.arguments_hash);
        let begun = self.ledger.begin(call.new_effect(&own)).await;
        match begun.map_err(unrecorded)? {
            // The same call twice at once is two calls.
            Begun::Running => self.ledger.begin(call.new_effect(key)).await,
            known @ (Begun::Replay(_) | Begun::Failed(_)) => {
                // Whoever asks again has the answer now; the next one means another call.
                let forgotten = self.ledger.forget(principal, &own).await;
                forgotten.map(|()| known)
            }
            other => Ok(other),
        }
        .map_err(unrecorded)
    }
}

/// The answer to a call whose key stands for an earlier one.
fn answer_of(begun: Begun) -> Result<Answer, CallError> {
    match begun {
        Begun::Replay(output) => Ok(Answer {
            output: Arc::new(output),
            cached: false,
        }),
        Begun::Failed(error) => Err(CallError::Upstream(UpstreamError::Tool(error))),
        Begun::Conflict => Err(CallError::Conflict(
            "the idempotency key was used for another call",
        )),
        Begun::Running => Err(CallError::Conflict(
            "the call with this idempotency key is still running",
        )),
        Begun::Unknown => Err(CallError::OutcomeUnknown),
        // A ticket that is dropped here counts as unknown.
        Begun::Fresh(_) => Err(CallError::Internal),
    }
}

/// Writes down how a change ended. What cannot be written stays begun in the ledger, which means
/// `unknown`: the caller still gets its answer, a repetition does not run.
async fn settle(ticket: Ticket, call: &Judged, result: &Result<Output, UpstreamError>) {
    let keyed = call.given_key().is_some();
    let ticket = if keyed {
        ticket
    } else {
        ticket.for_only(UNTAKEN)
    };
    let settled = match result {
        Err(error) if error.did_not_run() => ticket.withdrawn().await,
        Ok(_) | Err(UpstreamError::Tool(_)) if !keyed && call.is_awaited() => {
            ticket.withdrawn().await
        }
        Ok(output) => ticket.done(output).await,
        Err(UpstreamError::Tool(error)) => ticket.failed(error).await,
        Err(_lost) => ticket.unknown().await,
    };
    if let Err(error) = settled {
        tracing::error!(event = "ledger_failed", %error, "the outcome of a change could not be kept");
    }
}

fn unrecorded(error: crate::store::StoreError) -> CallError {
    tracing::error!(event = "ledger_failed", %error, "the effect ledger could not be written");
    CallError::Unrecorded
}

fn approval_error(error: ApprovalError) -> CallError {
    match error {
        ApprovalError::Invalid(reason) => CallError::ApprovalInvalid(reason),
        ApprovalError::Flood => CallError::ApprovalFlood,
        other => {
            tracing::error!(event = "approval_failed", error = %other, "an approval could not be kept");
            CallError::Unrecorded
        }
    }
}
