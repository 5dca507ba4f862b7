//! Conditions of the policy file: which fields, which operators, which values.

use super::PolicyError;
use super::document::Place;
use super::rule::{Atom, Condition, Field, Test};
use crate::auth::{Permission, Role};
use ipnet::IpNet;
use regex::{Regex, RegexBuilder};
use serde_json::Value;
use shared::tool::Effect;
use std::net::IpAddr;

/// Deepest nesting of and, or, not.
const MAX_DEPTH: usize = 16;
/// Largest compiled regular expression, in bytes.
const MAX_REGEX: usize = 256 * 1024;

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
const KEY_TYPES: [&str; 3] = ["user", "a2a", "local"];
/// Headers that hold credentials are consumed before policy.
const SECRET_HEADERS: [&str; 5] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "x-api-key",
    "x-approval-token",
];

/// Reads one condition.
pub(super) fn read(value: &Value, place: &Place<'_>) -> Result<Condition, PolicyError> {
    read_at(value, place, 0)
}

fn read_at(value: &Value, place: &Place<'_>, depth: usize) -> Result<Condition, PolicyError> {
    if depth > MAX_DEPTH {
        return place.wrong("nested too deeply");
    }
    let Some(object) = value.as_object() else {
        return place.wrong("expected {field, op, value}, {and: […]}, {or: […]} or {not: …}");
    };
    let single = object.iter().next().filter(|_| object.len() == 1);
    let parts = |name: &str, value: &Value| -> Result<Vec<Condition>, PolicyError> {
        let place = place.inner(name);
        let items = place.list(value)?.iter().enumerate();
        items
            .map(|(index, part)| read_at(part, &place.inner(index), depth + 1))
            .collect()
    };
    match single {
        Some((name, value)) if name == "and" => parts(name, value).map(Condition::All),
        Some((name, value)) if name == "or" => parts(name, value).map(Condition::Any),
        Some((name, value)) if name == "not" => {
            let part = read_at(value, &place.inner("not"), depth + 1)?;
            Ok(Condition::Not(Box::new(part)))
        }
        _ => read_atom(value, place).map(Condition::Is),
    }
}

fn read_atom(value: &Value, place: &Place<'_>) -> Result<Atom, PolicyError> {
    let object = place.object(value, &["field", "op", "value"])?;
    let need = |name: &str| match object.get(name) {
        Some(value) => Ok(value),
        None => place.inner(name).wrong("missing"),
    };
    let field = read_field(need("field")?, &place.inner("field"))?;
    let op_place = place.inner("op");
    let op = op_place.text(need("op")?)?;
    let (value, place) = (need("value")?, place.inner("value"));
    let (negated, test) = match op {
        "eq" | "ne" => (
            op == "ne",
            one_of(&field, std::slice::from_ref(value), &place)?,
        ),
        "in" | "not_in" => (op == "not_in", one_of(&field, place.list(value)?, &place)?),
        "contains" if field == Field::Permission => {
            (false, one_of(&field, std::slice::from_ref(value), &place)?)
        }
        "contains" | "starts_with" | "ends_with" | "regex" => {
            if !has_text(&field) {
                return op_place.wrong("this field takes eq, ne, in and not_in only");
            }
            (false, text_test(op, place.text(value)?, &place)?)
        }
        _ => {
            return op_place
                .wrong("expected eq, ne, in, not_in, contains, starts_with, ends_with or regex");
        }
    };
    Ok(Atom {
        field,
        test,
        negated,
        fact: None,
    })
}

fn read_field(value: &Value, place: &Place<'_>) -> Result<Field, PolicyError> {
    let text = place.text(value)?;
    if let Some(pointer) = text.strip_prefix("arguments.") {
        return if pointer.starts_with('/') && pointer.len() <= 256 {
            Ok(Field::Argument(pointer.to_owned()))
        } else {
            place.wrong("expected a JSON pointer, such as arguments./host")
        };
    }
    if let Some(name) = text.strip_prefix("header.") {
        return read_header(name, place);
    }
    Ok(match text {
        "ip" => Field::Ip,
        "role" => Field::Role,
        "user_id" => Field::UserId,
        "key_type" => Field::KeyType,
        "permission" => Field::Permission,
        "organization" => Field::Organization,
        "namespace" => Field::Namespace,
        "service" => Field::Service,
        "tool" => Field::Tool,
        "effect" => Field::Effect,
        "method" => Field::Method,
        "path" => Field::Path,
        "hour" => Field::Hour,
        "weekday" => Field::Weekday,
        _ => return place.wrong(format!("{text:?} is no field of a call")),
    })
}

fn read_header(name: &str, place: &Place<'_>) -> Result<Field, PolicyError> {
    let name = name.to_ascii_lowercase();
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if name.is_empty() || !name.bytes().all(word) {
        place.wrong("expected the name of a header, such as header.x-team")
    } else if SECRET_HEADERS.contains(&name.as_str()) {
        place.wrong("this header holds a credential and is not shown to policies")
    } else {
        Ok(Field::Header(name))
    }
}

/// Fields whose values are free text (or JSON that may hold text).
const fn has_text(field: &Field) -> bool {
    !matches!(
        field,
        Field::Ip | Field::Hour | Field::Weekday | Field::Permission | Field::Effect
    )
}

fn one_of(field: &Field, values: &[Value], place: &Place<'_>) -> Result<Test, PolicyError> {
    if *field == Field::Ip {
        let networks = values.iter().map(|value| network(value, place));
        return networks.collect::<Result<_, _>>().map(Test::Within);
    }
    for value in values {
        check_value(field, value, place)?;
    }
    Ok(Test::OneOf(values.to_vec()))
}

fn check_value(field: &Field, value: &Value, place: &Place<'_>) -> Result<(), PolicyError> {
    let text = value.as_str();
    let fits = match field {
        Field::Hour => value.as_u64().is_some_and(|hour| hour < 24),
        Field::Role => text.is_some_and(|text| Role::parse(text).is_some()),
        Field::Effect => text.is_some_and(|text| Effect::parse(text).is_some()),
        Field::KeyType => text.is_some_and(|text| KEY_TYPES.contains(&text)),
        Field::Weekday => text.is_some_and(|text| WEEKDAYS.contains(&text)),
        Field::Permission => text.is_some_and(|text| Permission::parse(text).is_ok()),
        Field::Argument(_) => value.is_string() || value.is_number() || value.is_boolean(),
        _ => text.is_some(),
    };
    if fits {
        return Ok(());
    }
    place.wrong(match field {
        Field::Hour => "expected an hour from 0 to 23",
        Field::Role => "expected admin, user, viewer or api_user",
        Field::Effect => "expected read, mutate_own, mutate or critical",
        Field::KeyType => "expected user, a2a or local",
        Field::Weekday => "expected monday to sunday",
        Field::Permission => "expected a permission, such as read or servers:write",
        Field::Argument(_) => "expected a text, a number, true or false",
        _ => "expected a text",
    })
}

fn network(value: &Value, place: &Place<'_>) -> Result<IpNet, PolicyError> {
    let text = value.as_str().unwrap_or_default();
    let single = || {
        text.parse::<IpAddr>()
            .map(|address| IpNet::from(address.to_canonical()))
    };
    match text.parse::<IpNet>().or_else(|_| single()) {
        Ok(network) => Ok(network.trunc()),
        Err(_) => place.wrong("expected an address or a network, such as 10.0.0.0/8"),
    }
}

fn text_test(op: &str, value: &str, place: &Place<'_>) -> Result<Test, PolicyError> {
    let value = value.to_owned();
    Ok(match op {
        "contains" => Test::Contains(value),
        "starts_with" => Test::StartsWith(value),
        "ends_with" => Test::EndsWith(value),
        _ => Test::Matches(regex(&value, place)?),
    })
}

/// Regular expressions match the whole value, so that nobody forgets the anchors.
fn regex(text: &str, place: &Place<'_>) -> Result<Regex, PolicyError> {
    let build = |text: &str| RegexBuilder::new(text).size_limit(MAX_REGEX).build();
    let built = build(text).and_then(|_| build(&format!("^(?:{text})$")));
    built.or_else(|error| place.wrong(format!("not a regular expression: {error}")))
}
