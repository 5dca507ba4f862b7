//! The three answers of policy, and the proofs that come with them.

use crate::auth::Principal;
use crate::caller::Caller;
use crate::policy::RuleLimit;
use serde_json::Value;
use shared::call_token::Authority;
use shared::grant::{Grant, GrantError, GrantedCall};
use shared::id::ToolId;
use shared::tool::Effect;
use std::sync::Arc;

/// One call, as policy sees it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who, from where.
    pub caller: &'a Caller,
    /// What.
    pub tool: &'a ToolId,
    /// Service that answers for the tool, such as `12_cmdb_mcp`.
    pub service: &'a str,
    /// The effect of this very call.
    pub effect: Effect,
    /// The arguments, with defaults; `None` while listing, when they are not known.
    pub arguments: Option<&'a Value>,
    /// See [`shared::arguments::hash`]; empty while listing.
    pub arguments_hash: &'a str,
    /// Unix seconds.
    pub now: i64,
}

/// The answer.
#[derive(Debug)]
pub enum Decision {
    /// Go ahead.
    Allow(Permit),
    /// People have to say yes first.
    Ask(Ask),
    /// No.
    Deny(Denial),
}

/// Proof that policy let one call through. Only this module makes one, and no upstream is called
/// without it.
#[derive(Debug, Clone)]
pub struct Permit {
    principal: Arc<str>,
    tool: ToolId,
    effect: Effect,
    rule: Arc<str>,
    authority: Option<Authority>,
    grant: Option<Grant>,
    limits: Arc<[RuleLimit]>,
}

impl Permit {
    pub(in crate::policy) fn for_rule(
        request: &Request<'_>,
        rule: &Arc<str>,
        waived: bool,
    ) -> Self {
        Self {
            principal: Arc::clone(&request.caller.principal.id),
            tool: request.tool.clone(),
            effect: request.effect,
            rule: Arc::clone(rule),
            authority: waived.then(|| Authority::Waiver(rule.to_string())),
            grant: None,
            limits: Arc::default(),
        }
    }

    pub(in crate::policy) fn under(mut self, limits: Arc<[RuleLimit]>) -> Self {
        self.limits = limits;
        self
    }

    /// Limits of the rules this call falls under, to be counted before it is made.
    #[must_use]
    pub fn limits(&self) -> &[RuleLimit] {
        &self.limits
    }

    /// The principal it was given to.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// The tool it is for.
    #[must_use]
    pub const fn tool(&self) -> &ToolId {
        &self.tool
    }

    /// The effect it covers.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// Name of the rule that decided.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// Under what authority a change runs; `None` for reads and own-store changes.
    #[must_use]
    pub const fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// The redeemed approval; `None` when none was needed.
    #[must_use]
    pub const fn grant(&self) -> Option<&Grant> {
        self.grant.as_ref()
    }
}

/// Policy wants people to decide. Becomes a [`Permit`] with their [`Grant`].
#[derive(Debug, Clone)]
pub struct Ask {
    principal: Arc<str>,
    tool: ToolId,
    effect: Effect,
    rule: Arc<str>,
    arguments_hash: Arc<str>,
    pub(in crate::policy) limits: Arc<[RuleLimit]>,
    /// How many different people must say yes; at least 1.
    pub approvers: u32,
    /// Roles that may say yes; empty means whoever may approve.
    pub roles: Vec<String>,
    /// The requester may be the approver (one-person installations; never for critical).
    pub self_approval: bool,
}

impl Ask {
    pub(in crate::policy) fn for_rule(
        request: &Request<'_>,
        rule: &Arc<str>,
        approvers: u32,
    ) -> Self {
        Self {
            principal: Arc::clone(&request.caller.principal.id),
            tool: request.tool.clone(),
            effect: request.effect,
            rule: Arc::clone(rule),
            arguments_hash: Arc::from(request.arguments_hash),
            limits: Arc::default(),
            approvers: approvers.max(1),
            roles: Vec::new(),
            self_approval: false,
        }
    }

    /// Name of the rule that asks.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// The no to a caller who would rather be refused than have people asked.
    #[must_use]
    pub fn declined(self) -> Denial {
        Denial {
            rule: self.rule,
            message: "this call needs an approval, and requires_approval=false asks for none"
                .to_owned(),
        }
    }

    /// Turns the redeemed approval of exactly this call into a permit.
    ///
    /// # Errors
    /// [`GrantError`] when the grant is for another call, over, or not signed by the hub.
    pub fn permit(self, grant: Grant, public_key: &[u8], now: i64) -> Result<Permit, GrantError> {
        let call = GrantedCall {
            principal: &self.principal,
            tool: self.tool.as_str(),
            arguments_hash: &self.arguments_hash,
            effect: self.effect,
            now,
        };
        grant.verify(call, public_key)?;
        // The rules may have become stricter since the request was opened.
        if grant.approvers.len() < usize::try_from(self.approvers).unwrap_or(usize::MAX) {
            return Err(GrantError::Mismatch("number of approvers"));
        }
        Ok(Permit {
            principal: self.principal,
            tool: self.tool,
            effect: self.effect,
            rule: self.rule,
            authority: Some(Authority::Approval(grant.approval_id.clone())),
            grant: Some(grant),
            limits: self.limits,
        })
    }
}

/// Policy says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// Name of the rule that decided; `default` when none matched.
    pub rule: Arc<str>,
    /// For the caller.
    pub message: String,
}

/// Proof that the caller may see a tool, which is what asking its spoke about a call takes.
#[derive(Debug, Clone)]
pub struct Reach {
    principal: Arc<str>,
    tool: ToolId,
    asks: bool,
}

impl Reach {
    pub(in crate::policy) fn of(principal: &Principal, tool: &ToolId, asks: bool) -> Self {
        Self {
            principal: Arc::clone(&principal.id),
            tool: tool.clone(),
            asks,
        }
    }

    /// Whether a call of the tool's worst effect may have to wait for people.
    #[must_use]
    pub const fn asks(&self) -> bool {
        self.asks
    }

    /// The principal it was given to.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// The tool it is for.
    #[must_use]
    pub const fn tool(&self) -> &ToolId {
        &self.tool
    }
}

/// Proofs without a policy, for tests of what comes after it.
#[cfg(test)]
pub(crate) mod unproven {
    use super::{Arc, Effect, Permit, Reach, ToolId};

    /// A permit for `effect` on `tool`.
    pub(crate) fn permit(tool: &ToolId, effect: Effect) -> Permit {
        Permit {
            principal: Arc::from("key:test"),
            tool: tool.clone(),
            effect,
            rule: Arc::from("test"),
            authority: None,
            grant: None,
            limits: Arc::default(),
        }
    }

    /// Leave to ask about `tool`.
    pub(crate) fn reach(tool: &ToolId) -> Reach {
        Reach {
            principal: Arc::from("key:test"),
            tool: tool.clone(),
            asks: false,
        }
    }
}
