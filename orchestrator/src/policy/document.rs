//! The policy file: YAML becomes checked rules, or an error that names rule and field.

use super::PolicyError;
use super::limit::Rates;
use super::rule::{Approvers, LogLevel, Rule, Terminal};
use crate::auth::Role;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Longest policy file, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// Most rules.
const MAX_RULES: usize = 1000;
/// Most approvers one rule may ask for.
const MAX_APPROVERS: u64 = 10;

const RULE_FIELDS: [&str; 7] = [
    "name",
    "type",
    "description",
    "priority",
    "is_active",
    "conditions",
    "actions",
];

/// A place in the file, for errors.
#[derive(Clone)]
pub(super) struct Place<'a> {
    pub(super) rule: &'a str,
    pub(super) field: String,
}

impl Place<'_> {
    pub(super) fn inner(&self, step: impl std::fmt::Display) -> Self {
        Self {
            rule: self.rule,
            field: format!("{}.{step}", self.field),
        }
    }

    pub(super) fn wrong<T>(&self, problem: impl Into<String>) -> Result<T, PolicyError> {
        Err(PolicyError::Rule {
            rule: self.rule.to_owned(),
            field: self.field.clone(),
            problem: problem.into(),
        })
    }

    pub(super) fn text<'v>(&self, value: &'v Value) -> Result<&'v str, PolicyError> {
        match value.as_str() {
            Some(text) if !text.is_empty() => Ok(text),
            _ => self.wrong("expected a text that is not empty"),
        }
    }

    pub(super) fn list<'v>(&self, value: &'v Value) -> Result<&'v [Value], PolicyError> {
        match value.as_array() {
            Some(items) if (1..=1000).contains(&items.len()) => Ok(items),
            _ => self.wrong("expected a list of 1 to 1000 items"),
        }
    }

    pub(super) fn object<'v>(
        &self,
        value: &'v Value,
        known: &[&str],
    ) -> Result<&'v Map<String, Value>, PolicyError> {
        let Some(object) = value.as_object() else {
            return self.wrong(format!("expected a mapping with {}", known.join(", ")));
        };
        match object.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => self.inner(key).wrong(format!(
                "unknown field; expected one of {}",
                known.join(", ")
            )),
            None => Ok(object),
        }
    }

    fn number(
        &self,
        value: &Value,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<u32, PolicyError> {
        let number = value.as_u64().filter(|number| range.contains(number));
        match number.and_then(|number| u32::try_from(number).ok()) {
            Some(number) => Ok(number),
            None => self.wrong(format!(
                "expected a whole number from {} to {}",
                range.start(),
                range.end()
            )),
        }
    }

    fn flag(&self, value: &Value) -> Result<bool, PolicyError> {
        match value.as_bool() {
            Some(flag) => Ok(flag),
            None => self.wrong("expected true or false"),
        }
    }
}

/// Reads the file. Active rules only, highest priority first, then in the order of the file.
pub(super) fn parse(yaml: &str) -> Result<Vec<Rule>, PolicyError> {
    let file = Place {
        rule: "",
        field: "policies".into(),
    };
    if yaml.len() > MAX_BYTES {
        return file.wrong("the file is larger than 1 MiB");
    }
    let tree: serde_yaml_ng::Value = serde_yaml_ng::from_str(yaml).map_err(PolicyError::Yaml)?;
    let tree = serde_json::to_value(tree).map_err(PolicyError::Shape)?;
    let top = file.object(&tree, &["policies"])?;
    let Some(items) = top.get("policies").and_then(Value::as_array) else {
        return file.wrong("expected a list of rules");
    };
    if items.len() > MAX_RULES {
        return file.wrong("more than 1000 rules");
    }
    let (mut rules, mut names) = (Vec::new(), HashSet::new());
    for (index, item) in items.iter().enumerate() {
        let fallback = format!("#{}", index + 1);
        let name = item
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or(&fallback);
        let place = Place {
            rule: name,
            field: "rule".into(),
        };
        let active = read_rule(item, &place)?;
        if !names.insert(name.to_owned()) {
            return Place {
                field: "name".into(),
                ..place
            }
            .wrong("another rule has this name");
        }
        rules.extend(active);
    }
    rules.sort_by_key(|rule: &Rule| std::cmp::Reverse(rule.priority));
    Ok(rules)
}

/// `None` when the rule is switched off; it is checked all the same.
fn read_rule(item: &Value, place: &Place<'_>) -> Result<Option<Rule>, PolicyError> {
    let object = place.object(item, &RULE_FIELDS)?;
    let at = |field: &str| Place {
        rule: place.rule,
        field: field.to_owned(),
    };
    let need = |field: &str| match object.get(field) {
        Some(value) => Ok(value),
        None => at(field).wrong("missing"),
    };
    let name = read_name(need("name")?, &at("name"))?;
    if let Some(description) = object.get("description") {
        at("description").text(description)?;
    }
    let kind = at("type").text(need("type")?)?;
    if !["access", "rate_limit", "security"].contains(&kind) {
        return at("type").wrong("expected access, rate_limit or security");
    }
    let priority = at("priority").number(need("priority")?, 1..=1000)?;
    let active = match object.get("is_active") {
        Some(flag) => at("is_active").flag(flag)?,
        None => true,
    };
    let mut rule = Rule {
        name: name.into(),
        priority: u16::try_from(priority).unwrap_or(u16::MAX),
        condition: match object.get("conditions") {
            Some(condition) => super::condition::read(condition, &at("conditions"))?,
            None => super::rule::Condition::Always,
        },
        terminal: None,
        limit: None,
        log: None,
    };
    read_actions(need("actions")?, &at("actions"), &mut rule)?;
    if kind == "rate_limit" && rule.terminal.is_some() {
        return at("actions").wrong("a rule of type rate_limit has limit and log only");
    }
    Ok(active.then_some(rule))
}

fn read_name<'v>(value: &'v Value, place: &Place<'_>) -> Result<&'v str, PolicyError> {
    let name = place.text(value)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let taken = name == "default" || name.starts_with("baseline-");
    if name.len() > 64 || !name.bytes().all(plain) || taken {
        return place.wrong(
            "expected 1 to 64 letters, digits, dots, dashes or underscores, not default or baseline-…",
        );
    }
    Ok(name)
}

fn read_actions(value: &Value, place: &Place<'_>, rule: &mut Rule) -> Result<(), PolicyError> {
    for (index, action) in place.list(value)?.iter().enumerate() {
        let place = place.inner(index);
        let nothing = Value::Object(Map::new());
        let (word, body) = match action {
            Value::String(word) => (word.as_str(), &nothing),
            Value::Object(object) if object.len() == 1 => match object.iter().next() {
                Some((word, body)) => (word.as_str(), body),
                None => return place.wrong("expected one action"),
            },
            _ => return place.wrong("expected one action, such as allow or deny: {message: …}"),
        };
        let place = place.inner(word);
        match word {
            "limit" if rule.limit.is_none() => rule.limit = Some(read_rates(body, &place)?),
            "log" if rule.log.is_none() => rule.log = Some(read_log(body, &place)?),
            "limit" | "log" => return place.wrong("given twice"),
            _ if rule.terminal.is_some() => {
                return place.wrong("a rule decides once; it has another terminal action already");
            }
            _ => rule.terminal = Some(read_terminal(word, body, &place)?),
        }
    }
    Ok(())
}

fn read_terminal(word: &str, body: &Value, place: &Place<'_>) -> Result<Terminal, PolicyError> {
    match word {
        "allow" => place.object(body, &[]).map(|_| Terminal::Allow),
        "waive_approval" => place.object(body, &[]).map(|_| Terminal::Waive),
        "deny" => {
            let object = place.object(body, &["message"])?;
            let message = match object.get("message") {
                Some(message) => place.inner("message").text(message)?,
                None => "a policy denies this call",
            };
            Ok(Terminal::Deny {
                message: message.to_owned(),
            })
        }
        "require_approval" => read_approvers(body, place).map(Terminal::Ask),
        _ => place.wrong(
            "unknown action; expected allow, deny, require_approval, waive_approval, limit or log",
        ),
    }
}

fn read_approvers(body: &Value, place: &Place<'_>) -> Result<Approvers, PolicyError> {
    let object = place.object(body, &["approvers", "roles", "self_approval"])?;
    let mut approvers = Approvers {
        count: 1,
        ..Approvers::default()
    };
    if let Some(count) = object.get("approvers") {
        approvers.count = place.inner("approvers").number(count, 1..=MAX_APPROVERS)?;
    }
    if let Some(flag) = object.get("self_approval") {
        approvers.self_approval = place.inner("self_approval").flag(flag)?;
    }
    if let Some(roles) = object.get("roles") {
        let place = place.inner("roles");
        for role in place.list(roles)? {
            match role.as_str().and_then(Role::parse) {
                Some(role) => approvers.roles.push(role.as_str().to_owned()),
                None => return place.wrong("expected admin, user, viewer or api_user"),
            }
        }
    }
    Ok(approvers)
}

fn read_rates(body: &Value, place: &Place<'_>) -> Result<Rates, PolicyError> {
    let object = place.object(body, &["per_minute", "per_hour", "per_day", "burst"])?;
    let read = |field: &str| match object.get(field) {
        Some(value) => place.inner(field).number(value, 1..=u64::from(u32::MAX)),
        None => Ok(0),
    };
    let rates = Rates {
        per_minute: read("per_minute")?,
        per_hour: read("per_hour")?,
        per_day: read("per_day")?,
        burst: read("burst")?,
    };
    if rates == Rates::default() {
        return place.wrong("expected at least one of per_minute, per_hour, per_day, burst");
    }
    Ok(rates)
}

fn read_log(body: &Value, place: &Place<'_>) -> Result<LogLevel, PolicyError> {
    let level = place.object(body, &["level"])?.get("level");
    match level.map_or(Some("info"), Value::as_str) {
        Some("debug") => Ok(LogLevel::Debug),
        Some("info") => Ok(LogLevel::Info),
        Some("warning") => Ok(LogLevel::Warning),
        Some("error") => Ok(LogLevel::Error),
        _ => place
            .inner("level")
            .wrong("expected debug, info, warning or error"),
    }
}
