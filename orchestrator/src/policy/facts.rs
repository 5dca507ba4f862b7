//! What is known of a call: what stands for every call of one effect by one principal of one tool,
//! and what differs from call to call.

use super::decision::Request;
use super::rule::{Atom, Field, Rule, Test};
use crate::auth::{CredentialKind, Permissions, Principal, Verb};
use crate::caller::{Caller, HttpFacts};
use cedar_policy::{Context, ContextCreationError, RestrictedExpression};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use shared::tool::Effect;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Permissions the baseline asks for.
const BASELINE_PERMISSIONS: [&str; 2] = ["read", "execute"];

/// What the rules ask beyond Cedar's words, and which permissions they name.
pub(super) struct Vocabulary {
    permissions: Vec<String>,
    /// Lower case, sorted.
    pub(super) headers: Vec<String>,
}

/// What stands.
pub(super) struct Standpoint<'a> {
    pub(super) principal: &'a Principal,
    pub(super) tool: &'a str,
    pub(super) service: &'a str,
    pub(super) effect: Effect,
    /// Those of the rules' permissions the principal has.
    pub(super) permissions: Vec<&'a str>,
    /// The rules, for the facts they ask for.
    pub(super) rules: &'a [Rule],
}

/// What differs from call to call; empty while only the standing part is asked.
#[derive(Default)]
pub(super) struct Moment<'a> {
    address: Option<IpAddr>,
    http: Option<&'a HttpFacts>,
    arguments: Option<&'a Value>,
    now: Option<Timestamp>,
}

impl Vocabulary {
    /// Numbers the tests Cedar has no words for, and collects what else the rules ask about.
    pub(super) fn of(rules: &mut [Rule]) -> Self {
        let mut draft = Draft::default();
        for rule in rules {
            rule.condition.each_atom_mut(&mut |atom| draft.add(atom));
        }
        draft
            .permissions
            .extend(BASELINE_PERMISSIONS.map(str::to_owned));
        Self {
            permissions: draft.permissions.into_iter().collect(),
            headers: draft.headers.into_iter().collect(),
        }
    }

    /// Those permissions of the rules that `owned` covers.
    pub(super) fn held<'a>(&'a self, owned: &Permissions) -> Vec<&'a str> {
        let named = self.permissions.iter().map(String::as_str);
        named.filter(|text| covers(owned, text)).collect()
    }
}

#[derive(Default)]
struct Draft {
    permissions: BTreeSet<String>,
    headers: BTreeSet<String>,
    facts: usize,
}

impl Draft {
    fn add(&mut self, atom: &mut Atom) {
        let json = matches!(atom.field, Field::Argument(_) | Field::Header(_));
        if json || matches!(atom.test, Test::Matches(_)) {
            atom.fact = Some(format!("f{}", self.facts));
            self.facts += 1;
        }
        match (&atom.field, &atom.test) {
            (Field::Permission, Test::OneOf(values)) => {
                let named = values.iter().filter_map(Value::as_str);
                self.permissions.extend(named.map(str::to_owned));
            }
            (Field::Header(name), _) => {
                self.headers.insert(name.clone());
            }
            _ => {}
        }
    }
}

/// A bare verb means that verb on tools.
fn covers(owned: &Permissions, text: &str) -> bool {
    const VERBS: [Verb; 6] = [
        Verb::Read,
        Verb::Write,
        Verb::Delete,
        Verb::Manage,
        Verb::Execute,
        Verb::Approve,
    ];
    let (resource, word) = text.split_once(':').unwrap_or(("tools", text));
    let mut meant = VERBS
        .iter()
        .filter(|verb| word == "*" || verb.as_str() == word)
        .peekable();
    meant.peek().is_some() && meant.all(|verb| owned.allow(resource, *verb))
}

impl Standpoint<'_> {
    /// The word of the kind of credential in policies.
    pub(super) const fn kind(&self) -> &'static str {
        match self.principal.kind {
            CredentialKind::UserKey => "user",
            CredentialKind::A2aKey => "a2a",
            CredentialKind::Local => "local",
        }
    }
}

impl<'a> Moment<'a> {
    /// Everything about one call.
    pub(super) fn of(request: &Request<'a>) -> Self {
        Self {
            arguments: request.arguments,
            now: Timestamp::from_second(request.now).ok(),
            ..Self::of_caller(request.caller)
        }
    }

    /// What is known of a caller who only asks for the list.
    pub(super) fn of_caller(caller: &'a Caller) -> Self {
        Self {
            address: caller.address.map(|address| address.to_canonical()),
            http: caller.http.as_deref(),
            arguments: None,
            now: None,
        }
    }

    /// The context of the Cedar request.
    pub(super) fn context(
        &self,
        standpoint: &Standpoint<'_>,
    ) -> Result<Context, Box<ContextCreationError>> {
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let mut facts = Vec::new();
        for rule in standpoint.rules {
            rule.condition.each_atom(&mut |atom| {
                let fact = atom
                    .fact
                    .as_deref()
                    .filter(|_| self.holds(atom, standpoint));
                facts.extend(fact.map(text));
            });
        }
        let mut pairs = vec![
            ("effect".to_owned(), text(standpoint.effect.as_str())),
            ("facts".to_owned(), RestrictedExpression::new_set(facts)),
        ];
        if let Some(address) = self.address {
            pairs.push((
                "ip".to_owned(),
                RestrictedExpression::new_ip(address.to_string()),
            ));
        }
        if let Some(http) = self.http {
            pairs.push(("method".to_owned(), text(&http.method)));
            pairs.push(("path".to_owned(), text(&http.path)));
        }
        if let Some(now) = self.now {
            let now = now.to_zoned(TimeZone::UTC);
            let hour = RestrictedExpression::new_long(now.hour().into());
            pairs.push(("hour".to_owned(), hour));
            pairs.push(("weekday".to_owned(), text(weekday(&now))));
        }
        Context::from_pairs(pairs).map_err(Box::new)
    }

    fn holds(&self, atom: &Atom, standpoint: &Standpoint<'_>) -> bool {
        let text = |text: &str| atom.test.holds(&Value::String(text.to_owned()));
        match &atom.field {
            Field::Argument(pointer) => self
                .arguments
                .and_then(|arguments| arguments.pointer(pointer))
                .is_some_and(|value| atom.test.holds(value)),
            Field::Header(name) => self.http.is_some_and(|http| {
                let mut named = http.headers.iter().filter(|(own, _)| own == name);
                named.any(|(_, value)| text(value))
            }),
            Field::Method => self.http.is_some_and(|http| text(&http.method)),
            Field::Path => self.http.is_some_and(|http| text(&http.path)),
            Field::Role => text(standpoint.principal.role.as_str()),
            Field::UserId => text(&standpoint.principal.id),
            Field::KeyType => text(standpoint.kind()),
            Field::Organization => text(&standpoint.principal.organization),
            Field::Namespace => text(&standpoint.principal.namespace),
            Field::Service => text(standpoint.service),
            Field::Tool => text(standpoint.tool),
            // Never facts: the file format gives them no regular expressions.
            Field::Permission | Field::Effect | Field::Ip | Field::Hour | Field::Weekday => false,
        }
    }
}

fn weekday(now: &jiff::Zoned) -> &'static str {
    use jiff::civil::Weekday;
    match now.weekday() {
        Weekday::Monday => "monday",
        Weekday::Tuesday => "tuesday",
        Weekday::Wednesday => "wednesday",
        Weekday::Thursday => "thursday",
        Weekday::Friday => "friday",
        Weekday::Saturday => "saturday",
        Weekday::Sunday => "sunday",
    }
}
