//! Who vouches for a call, and whether that is enough for its effect.
//!
//! Reads and changes of the spoke's own store need nobody. Behind a hub, a change needs the authority
//! in the signed call token, and an approval also its grant, which is checked here again. Without a
//! hub a change asks for an approval of the spoke's own. Critical work is never waived and never
//! runs unready. Source: `interfaces.md` 3 and 6.

use super::approvals::{ApprovedCall, OpenError, Shown};
use super::call::{Caller, Core, Failure, Subject, bounded};
use super::output;
use crate::call_token::{Authority, TokenError, TokenFor};
use crate::error::Code;
use crate::grant::{Grant, GrantedCall};
use crate::tool::{Assessment, Call, Effect, ToolError, declines_approval};
use bytes::Bytes;

/// The principal of calls that come without a hub: whoever has the spoke's key.
pub(super) const DIRECT_PRINCIPAL: &str = "spoke-key";

/// How a call came in, with what it brought.
pub(super) enum Door {
    /// From the hub, over gRPC.
    Hub {
        call_token: String,
        /// JSON of a [`Grant`]; empty when there is none.
        grant: Bytes,
    },
    /// Straight from a holder of the spoke's key, over MCP.
    Direct { approval_token: Option<String> },
}

impl Door {
    /// With the token that stood among the arguments, where none came beside them. The hub redeems
    /// tokens itself.
    pub(super) fn with(self, token: Option<String>) -> Self {
        match self {
            Self::Direct {
                approval_token: None,
            } => Self::Direct {
                approval_token: token,
            },
            other => other,
        }
    }
}

/// A door whose papers are in order.
pub(super) enum Proof {
    Hub {
        authority: Option<Authority>,
        grant: Option<Box<Grant>>,
    },
    Direct {
        approval_token: Option<String>,
    },
}

impl Proof {
    /// The grant that came along, for the tool to see.
    pub(super) fn grant(&self) -> Option<Grant> {
        match self {
            Self::Hub { grant, .. } => grant.as_deref().cloned(),
            Self::Direct { .. } => None,
        }
    }
}

/// Holds the call token against the call it came with, and uses it up.
pub(super) fn admit(
    core: &Core,
    subject: Subject<'_>,
    door: Door,
    caller: &Caller,
) -> Result<Proof, ToolError> {
    let (token, grant) = match door {
        Door::Direct { approval_token } => return Ok(Proof::Direct { approval_token }),
        Door::Hub { call_token, grant } => (call_token, grant),
    };
    let verifier = core
        .verifier
        .as_ref()
        .ok_or_else(|| ToolError::not_configured("WAYGATE_CALL_PUBLIC_KEY_PATH"))?;
    let accepted = verifier.accept(
        &token,
        TokenFor {
            service: core.service.name,
            boot_id: &core.boot_id,
            principal: &caller.principal,
            tool: subject.entry.id().as_str(),
            arguments_hash: subject.hash,
            correlation_id: caller.correlation_id.as_str(),
            idempotency_key: caller.idempotency_key.as_deref().unwrap_or_default(),
            now: core.clock.now().as_second(),
        },
    );
    let claims = accepted.map_err(token_refused)?;
    let grant = match grant.is_empty() {
        true => None,
        false => Some(serde_json::from_slice(&grant).map_err(|error| {
            tracing::warn!(event = "spoke.grant", %error, "a grant cannot be read");
            invalid("the approval cannot be read")
        })?),
    };
    Ok(Proof::Hub {
        authority: claims.authority,
        grant: grant.map(Box::new),
    })
}

/// A token for another process is the sign of a restart: the hub describes the spoke anew and resends.
fn token_refused(error: TokenError) -> ToolError {
    let code = match error {
        TokenError::Time => Code::TokenExpired,
        _ => Code::TokenInvalid,
    };
    let refused = ToolError::refused(code, error.to_string());
    match error {
        TokenError::Mismatch("process of this spoke") => refused.retryable(),
        _ => refused,
    }
}

/// Judges the call and decides whether it may go on; uses approvals up. The effect it will have.
pub(super) async fn authorise(
    core: &Core,
    subject: Subject<'_>,
    proof: &Proof,
    call: &Call,
) -> Result<Effect, Failure> {
    let spec = &subject.entry.definition().spec;
    let asks = matches!(
        proof,
        Proof::Direct {
            approval_token: None
        }
    );
    let judged = spec.effect_per_call
        || spec.effect == Effect::Critical
        || (spec.effect == Effect::Mutate && asks);
    let assessment = match judged {
        true => judge(subject, call).await?,
        false => Assessment::of(spec.effect, spec.id),
    };
    let effect = assessment.effect;
    if effect <= Effect::MutateOwn {
        return Ok(effect);
    }
    let approved = ApprovedCall {
        principal: &call.principal,
        tool: subject.entry.id().as_str(),
        arguments_hash: subject.hash,
        effect,
        key: call.idempotency_key.as_deref().unwrap_or_default(),
    };
    match proof {
        Proof::Direct {
            approval_token: None,
        } if declines_approval(subject.arguments) => {
            let message = "this call needs an approval, and requires_approval=false asks for none";
            return Err(ToolError::refused(Code::AccessDenied, message).into());
        }
        Proof::Direct {
            approval_token: None,
        } => return Err(ask(core, approved, subject, &assessment).await),
        Proof::Direct {
            approval_token: Some(token),
        } => {
            ready(&assessment)?;
            redeem_token(core, token, approved).await?;
        }
        Proof::Hub { authority, grant } => match (authority, grant) {
            (Some(Authority::Waiver(_)), _) if effect == Effect::Mutate => {}
            (Some(Authority::Approval(id)), Some(grant)) if *id == grant.approval_id => {
                ready(&assessment)?;
                redeem_grant(core, grant, approved).await?;
            }
            (Some(Authority::Approval(_)), _) => {
                return Err(invalid("the approval named by the call token is missing").into());
            }
            _ => {
                let message = "this call changes something and came without an approval";
                return Err(ToolError::refused(Code::ApprovalRequired, message).into());
            }
        },
    }
    Ok(effect)
}

/// Asks the tool. A tool whose effect is fixed can only be found worse, not better.
pub(super) async fn judge(subject: Subject<'_>, call: &Call) -> Result<Assessment, Failure> {
    let asked = bounded(call, subject.entry.tool.assess(subject.arguments, call));
    let mut assessment = asked.await.map_err(super::call::Stop::before)?;
    let spec = &subject.entry.definition().spec;
    if !spec.effect_per_call {
        assessment.effect = assessment.effect.max(spec.effect);
    }
    Ok(assessment)
}

/// Critical work only when every check holds, asked for just now.
fn ready(assessment: &Assessment) -> Result<(), ToolError> {
    if assessment.effect < Effect::Critical || assessment.ready() {
        return Ok(());
    }
    let error = ToolError::refused(Code::NotReady, "a readiness check failed; nothing was sent");
    Err(error.with_details(output::ready_document(&assessment.checks)))
}

async fn ask(
    core: &Core,
    approved: ApprovedCall<'_>,
    subject: Subject<'_>,
    assessment: &Assessment,
) -> Failure {
    let mut arguments = subject.arguments.clone();
    subject.entry.input_schema.hide(&mut arguments);
    let shown = Shown {
        arguments: &arguments,
        summary: &assessment.summary,
        checks: &assessment.checks,
    };
    let now = core.clock.now().as_second();
    match core.approvals.open(approved, shown, now).await {
        Ok(approval) => Failure::Approval(Box::new(approval)),
        Err(OpenError::TooMany) => {
            let message = "too many approvals are waiting for a decision";
            ToolError::refused(Code::RateLimited, message)
                .retryable()
                .into()
        }
        Err(OpenError::Store(error)) => output::store_away(&error).into(),
    }
}

async fn redeem_token(
    core: &Core,
    token: &str,
    approved: ApprovedCall<'_>,
) -> Result<(), ToolError> {
    let now = core.clock.now().as_second();
    match core.approvals.redeem(token, approved, now).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(invalid(
            "the approval does not fit this call, was used, or has expired",
        )),
        Err(error) => Err(output::store_away(&error)),
    }
}

async fn redeem_grant(
    core: &Core,
    grant: &Grant,
    approved: ApprovedCall<'_>,
) -> Result<(), ToolError> {
    let now = core.clock.now().as_second();
    let granted = GrantedCall {
        principal: approved.principal,
        tool: approved.tool,
        arguments_hash: approved.arguments_hash,
        effect: approved.effect,
        now,
    };
    let key = core.verifier.as_ref().map_or(&[][..], |v| v.public_key());
    grant
        .verify(granted, key)
        .map_err(|error| invalid(&error.to_string()))?;
    match core.grants.redeem(grant, approved.key, now).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(invalid("the approval was used before")),
        Err(error) => Err(output::store_away(&error)),
    }
}

fn invalid(message: &str) -> ToolError {
    ToolError::refused(Code::ApprovalInvalid, message)
}
