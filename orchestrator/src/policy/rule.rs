//! A rule: a condition over the fields of a call, and what follows when it holds.

use super::limit::Rates;
use ipnet::IpNet;
use regex::Regex;
use serde_json::Value;
use std::sync::Arc;

/// One rule, checked.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: Arc<str>,
    /// 1–1000; higher first.
    pub(super) priority: u16,
    pub(super) condition: Condition,
    /// What decides; `None` for rules that only limit or log.
    pub(super) terminal: Option<Terminal>,
    pub(super) limit: Option<Rates>,
    pub(super) log: Option<LogLevel>,
}

/// What a rule decides.
#[derive(Debug, Clone)]
pub(super) enum Terminal {
    Allow,
    Deny { message: String },
    Ask(Approvers),
    Waive,
}

/// Who has to say yes.
#[derive(Debug, Clone, Default)]
pub(super) struct Approvers {
    pub(super) count: u32,
    pub(super) roles: Vec<String>,
    pub(super) self_approval: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

#[derive(Debug)]
pub(super) enum Condition {
    /// Every call.
    Always,
    Is(Atom),
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
}

impl Condition {
    /// Calls `visit` for every atom.
    pub(super) fn each_atom<'a>(&'a self, visit: &mut impl FnMut(&'a Atom)) {
        match self {
            Self::Always => {}
            Self::Is(atom) => visit(atom),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().for_each(|part| part.each_atom(visit));
            }
            Self::Not(part) => part.each_atom(visit),
        }
    }

    /// Calls `visit` for every atom, which it may change.
    pub(super) fn each_atom_mut(&mut self, visit: &mut impl FnMut(&mut Atom)) {
        match self {
            Self::Always => {}
            Self::Is(atom) => visit(atom),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter_mut().for_each(|part| part.each_atom_mut(visit));
            }
            Self::Not(part) => part.each_atom_mut(visit),
        }
    }
}

/// One test of one field. An absent field fails every test, and so passes every negated one.
#[derive(Debug)]
pub(super) struct Atom {
    pub(super) field: Field,
    pub(super) test: Test,
    pub(super) negated: bool,
    /// Its name in `context.facts`, for tests that are made outside Cedar; unique in a policy.
    pub(super) fact: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Field {
    Ip,
    Role,
    UserId,
    KeyType,
    Permission,
    Organization,
    Namespace,
    Service,
    Tool,
    Effect,
    Method,
    Path,
    Hour,
    Weekday,
    /// A JSON pointer.
    Argument(String),
    /// Lower case.
    Header(String),
}

impl Field {
    /// Whether the field is the same for every call of one effect by one principal of one tool.
    pub(super) const fn stands(&self) -> bool {
        matches!(
            self,
            Self::Role
                | Self::UserId
                | Self::KeyType
                | Self::Permission
                | Self::Organization
                | Self::Namespace
                | Self::Service
                | Self::Tool
                | Self::Effect
        )
    }
}

#[derive(Debug)]
pub(super) enum Test {
    /// Equal to one of these.
    OneOf(Vec<Value>),
    /// Inside one of these networks.
    Within(Vec<IpNet>),
    Contains(String),
    StartsWith(String),
    EndsWith(String),
    Matches(Regex),
}

impl Test {
    /// Makes the test outside Cedar.
    pub(super) fn holds(&self, value: &Value) -> bool {
        match self {
            Self::OneOf(values) => values.iter().any(|one| same(one, value)),
            Self::Within(_) => false,
            Self::Contains(part) => match value {
                Value::String(text) => text.contains(part),
                Value::Array(items) => items.iter().any(|item| item.as_str() == Some(part)),
                _ => false,
            },
            Self::StartsWith(part) => value.as_str().is_some_and(|text| text.starts_with(part)),
            Self::EndsWith(part) => value.as_str().is_some_and(|text| text.ends_with(part)),
            Self::Matches(regex) => value.as_str().is_some_and(|text| regex.is_match(text)),
        }
    }
}

/// Numbers are equal by value: `1` and `1.0` are.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}
