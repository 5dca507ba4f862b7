//! The rules in Cedar: compiled and validated once, asked per call.
//!
//! Cedar skips a policy whose evaluation fails; here any such failure is an error, and the caller
//! denies.

use super::PolicyError;
use super::cedar::{self, Reading};
use super::facts::{Moment, Standpoint};
use super::rule::Rule;
use cedar_policy::{
    Authorizer, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, ParseErrors,
    Policy, PolicyId, PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use std::collections::{HashMap, HashSet};

const SCHEMA: &str = include_str!("schema.cedarschema");
const BASELINE: &str = include_str!("baseline.cedar");

/// Compiled rules.
pub(super) struct Engine {
    authorizer: Authorizer,
    schema: Schema,
    /// The baseline, and every rule as it might match.
    possible: PolicySet,
    /// By number: the rule as it is, where it is not the same for every call.
    exact: Vec<Option<PolicySet>>,
    names: Names,
}

/// Names of the schema, parsed once.
struct Names {
    principal: EntityTypeName,
    tool: EntityTypeName,
    call: EntityUid,
}

/// What holds for every call of one effect by one principal of one tool.
pub(super) struct Matches {
    /// The baseline forbids: its name and words.
    pub(super) forbidden: Option<(String, String)>,
    /// Numbers of the rules that match or might, ascending.
    pub(super) rules: Vec<usize>,
}

/// A question could not be answered; the caller denies.
#[derive(Debug, thiserror::Error)]
#[error("the policy engine failed: {0}")]
pub(super) struct Failed(String);

impl Failed {
    fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl Engine {
    /// Compiles and validates.
    pub(super) fn compile(rules: &[Rule]) -> Result<Self, PolicyError> {
        let (schema, _warnings) =
            Schema::from_cedarschema_str(SCHEMA).map_err(|error| broken("schema", &error))?;
        let validator = Validator::new(schema.clone());
        let mut possible = PolicySet::new();
        let baseline: PolicySet = BASELINE
            .parse()
            .map_err(|error| broken("baseline", &error))?;
        for policy in baseline.policies() {
            let id = PolicyId::new(policy.annotation("id").unwrap_or_default());
            let named = possible.add(policy.new_id(id));
            named.map_err(|error| broken("baseline", &error))?;
        }
        let mut exact = Vec::with_capacity(rules.len());
        for (number, rule) in rules.iter().enumerate() {
            let policy = |reading| {
                Policy::parse(Some(rule_id(number)), cedar::policy(rule, reading))
                    .map_err(|error| broken(&rule.name, &error))
            };
            let added = possible.add(policy(Reading::Possible)?);
            added.map_err(|error| broken(&rule.name, &error))?;
            exact.push(if cedar::stands(&rule.condition) {
                None
            } else {
                let set = PolicySet::from_policies([policy(Reading::Exact)?])
                    .map_err(|error| broken(&rule.name, &error))?;
                validate(&validator, &set, &rule.name)?;
                Some(set)
            });
        }
        validate(&validator, &possible, "all rules together")?;
        Ok(Self {
            authorizer: Authorizer::new(),
            schema,
            possible,
            exact,
            names: Names::parse().map_err(|error| broken("schema", &error))?,
        })
    }

    /// Whether rule `number` has to be asked again for each call.
    pub(super) fn varies(&self, number: usize) -> bool {
        matches!(self.exact.get(number), Some(Some(_)))
    }

    /// Which rules match, or might, and whether the baseline forbids.
    pub(super) fn possible(&self, standpoint: &Standpoint<'_>) -> Result<Matches, Failed> {
        let question = self.question(standpoint, &Moment::default())?;
        let response =
            self.authorizer
                .is_authorized(&question.request, &self.possible, &question.entities);
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(Failed::of(error));
        }
        let reasons: Vec<&PolicyId> = response.diagnostics().reason().collect();
        if response.decision() == Decision::Deny
            && let Some(id) = reasons.iter().min()
        {
            let message = self.possible.annotation(id, "message").unwrap_or_default();
            return Ok(Matches {
                forbidden: Some((id.to_string(), message.to_owned())),
                rules: Vec::new(),
            });
        }
        let mut rules: Vec<usize> = reasons.into_iter().filter_map(rule_number).collect();
        rules.sort_unstable();
        Ok(Matches {
            forbidden: None,
            rules,
        })
    }

    /// One call, ready for [`Engine::matches`].
    pub(super) fn question(
        &self,
        standpoint: &Standpoint<'_>,
        moment: &Moment<'_>,
    ) -> Result<Question, Failed> {
        let entity = |kind: &EntityTypeName, id: &str, attributes| {
            let uid = EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id));
            let entity = Entity::new(uid.clone(), attributes, HashSet::new());
            entity.map(|entity| (uid, entity)).map_err(Failed::of)
        };
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let principal = standpoint.principal;
        let permissions = standpoint.permissions.iter().map(|word| text(word));
        let attributes = HashMap::from([
            ("id".to_owned(), text(&principal.id)),
            ("role".to_owned(), text(principal.role.as_str())),
            ("kind".to_owned(), text(standpoint.kind())),
            ("organization".to_owned(), text(&principal.organization)),
            ("namespace".to_owned(), text(&principal.namespace)),
            (
                "permissions".to_owned(),
                RestrictedExpression::new_set(permissions),
            ),
        ]);
        let (who, principal) = entity(&self.names.principal, &principal.id, attributes)?;
        let attributes = HashMap::from([
            ("name".to_owned(), text(standpoint.tool)),
            ("service".to_owned(), text(standpoint.service)),
        ]);
        let (what, tool) = entity(&self.names.tool, standpoint.tool, attributes)?;
        let context = moment.context(standpoint).map_err(Failed::of)?;
        let call = self.names.call.clone();
        Ok(Question {
            request: Request::new(who, call, what, context, Some(&self.schema))
                .map_err(Failed::of)?,
            entities: Entities::from_entities([principal, tool], None).map_err(Failed::of)?,
        })
    }

    /// Whether rule `number` matches this very call.
    pub(super) fn matches(&self, number: usize, question: &Question) -> Result<bool, Failed> {
        let Some(Some(set)) = self.exact.get(number) else {
            return Ok(true);
        };
        let response = self
            .authorizer
            .is_authorized(&question.request, set, &question.entities);
        match response.diagnostics().errors().next() {
            Some(error) => Err(Failed::of(error)),
            None => Ok(response.decision() == Decision::Allow),
        }
    }
}

/// A call in Cedar's terms.
pub(super) struct Question {
    request: Request,
    entities: Entities,
}

impl Names {
    fn parse() -> Result<Self, Box<ParseErrors>> {
        Ok(Self {
            principal: "Principal".parse().map_err(Box::new)?,
            tool: "Tool".parse().map_err(Box::new)?,
            call: r#"Action::"call""#.parse().map_err(Box::new)?,
        })
    }
}

fn validate(validator: &Validator, set: &PolicySet, rule: &str) -> Result<(), PolicyError> {
    let result = validator.validate(set, ValidationMode::Strict);
    match result.validation_errors().next() {
        Some(error) => Err(broken(rule, error)),
        None => Ok(()),
    }
}

fn broken(rule: &str, error: &dyn std::fmt::Display) -> PolicyError {
    PolicyError::Engine {
        rule: rule.to_owned(),
        problem: error.to_string(),
    }
}

fn rule_id(number: usize) -> PolicyId {
    PolicyId::new(format!("rule-{number}"))
}

fn rule_number(id: &PolicyId) -> Option<usize> {
    let text: &str = id.as_ref();
    text.strip_prefix("rule-")?.parse().ok()
}
