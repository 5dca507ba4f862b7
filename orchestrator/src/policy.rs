//! What a principal may call: a [`Permit`], an [`Ask`] for people, or a [`Denial`].
//!
//! Pure: no I/O and no `async`. The default is no, and so is every failure. Rules come from a YAML file
//! (`interfaces.md` 5), each becomes one Cedar policy, priority picks among those that match. Counting
//! what rules limit is `limits`' matter, asking people `approvals`'.

mod cedar;
mod condition;
mod decision;
mod document;
mod engine;
mod facts;
mod limit;
mod memo;
mod rule;
mod rules;

#[cfg(test)]
pub(crate) use decision::unproven;
pub use decision::{Ask, Decision, Denial, Permit, Reach, Request};
pub use limit::{Rates, RuleLimit};

use crate::caller::Caller;
use arc_swap::ArcSwap;
use memo::Subjects;
use rules::{Prospect, Rules};
use shared::id::ToolId;
use shared::tool::Effect;
use std::sync::Arc;

/// The shipped rules: `config/policies.yaml` as it was when the hub was built.
pub const SHIPPED: &str = include_str!("../../config/policies.yaml");

/// The rules in force. Readers never wait; a change takes effect at once.
pub struct Policy(ArcSwap<Rules>);

/// A tool while it is listed, when the arguments are not known.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Canonical id.
    pub tool: &'a ToolId,
    /// Folder name of the service.
    pub service: &'a str,
    /// The effect of a call, or the worst one.
    pub effect: Effect,
    /// The effect depends on the arguments.
    pub per_call: bool,
}

/// Why rules were refused. The rules in force stay.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Not YAML, or a key twice.
    #[error("the policies are not valid YAML: {0}")]
    Yaml(#[source] serde_yaml_ng::Error),
    /// YAML that is no plain tree of texts, numbers, lists and mappings.
    #[error("the policies are no plain mapping: {0}")]
    Shape(#[source] serde_json::Error),
    /// A field of a rule is wrong.
    #[error("policy {rule:?}, {field}: {problem}")]
    Rule {
        /// Name of the rule, or its place such as `#3`; empty for the file itself.
        rule: String,
        /// Path of the field.
        field: String,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// Cedar refused the rule.
    #[error("policy {rule:?}: {problem}")]
    Engine {
        /// Name of the rule.
        rule: String,
        /// Cedar's words.
        problem: String,
    },
}

impl Policy {
    /// Reads, compiles and validates rules.
    ///
    /// # Errors
    /// [`PolicyError`] names the rule and the field.
    pub fn parse(yaml: &str) -> Result<Self, PolicyError> {
        Rules::parse(yaml).map(|rules| Self(ArcSwap::from_pointee(rules)))
    }

    /// Puts the rules of `other` in force.
    pub fn replace(&self, other: Self) {
        self.0.store(other.0.into_inner());
    }

    /// Names the rules in force: 16 hex digits, equal for equal files.
    #[must_use]
    pub fn version(&self) -> Arc<str> {
        Arc::clone(&self.0.load().version)
    }

    /// How many rules are in force.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.0.load().len()
    }

    /// The headers rules ask about, in lower case; the transport keeps no others.
    #[must_use]
    pub fn headers(&self) -> Vec<String> {
        self.0.load().vocabulary.headers.clone()
    }

    /// Decides one call.
    #[must_use]
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        self.0.load().decide(request)
    }

    /// Whether the caller may see a tool: some call of it could run or be asked for. Same rules as
    /// [`Policy::decide`]; fields that are not known while listing count as *may match*.
    #[must_use]
    pub fn reach(&self, caller: &Caller, subject: Subject<'_>) -> Option<Reach> {
        let rules = self.0.load();
        let prospect = |effect| {
            let subjects = Subjects {
                principal: &caller.principal,
                tool: subject.tool.as_str(),
                service: subject.service,
                effect,
            };
            rules.prospect(caller, subjects)
        };
        let worst = prospect(subject.effect);
        let milder = [Effect::Read, Effect::MutateOwn, Effect::Mutate];
        let visible = worst != Prospect::No
            || (subject.per_call
                && milder
                    .into_iter()
                    .filter(|effect| *effect < subject.effect)
                    .any(|effect| prospect(effect) != Prospect::No));
        let asks = worst == Prospect::Asks;
        visible.then(|| Reach::of(&caller.principal, subject.tool, asks))
    }
}

#[cfg(test)]
mod tests;
