//! Conditions as Cedar text.
//!
//! Every rule becomes a `permit`, whatever it decides: that makes Cedar report each rule that
//! matches, and priority picks afterwards. Values reach the text only through [`quoted`] and
//! [`pattern`], which escape everything that is not plain.

use super::rule::{Atom, Condition, Field, Rule, Test};
use serde_json::Value;

/// Which calls a rule's text should match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Those the rule matches.
    Exact,
    /// All that the rule might match, whatever the fields hold that differ from call to call.
    Possible,
}

/// The policy of one rule.
pub(super) fn policy(rule: &Rule, reading: Reading) -> String {
    let condition = text(&rule.condition, reading, false);
    format!(
        "@id({})\npermit (principal, action, resource)\nwhen {{ {condition} }};",
        quoted(&rule.name)
    )
}

/// Whether a rule matches alike for every call of one effect by one principal of one tool.
pub(super) fn stands(condition: &Condition) -> bool {
    let mut stands = true;
    condition.each_atom(&mut |atom| stands &= atom.field.stands());
    stands
}

/// Negations are pushed down to the atoms, so that `Possible` can replace an atom by `true` wherever
/// it stands.
fn text(condition: &Condition, reading: Reading, negated: bool) -> String {
    match condition {
        Condition::Always => (if negated { "false" } else { "true" }).to_owned(),
        Condition::Not(part) => text(part, reading, !negated),
        Condition::All(parts) | Condition::Any(parts) => {
            let all = matches!(condition, Condition::All(_)) != negated;
            let parts: Vec<String> = parts
                .iter()
                .map(|part| text(part, reading, negated))
                .collect();
            format!("({})", parts.join(if all { " && " } else { " || " }))
        }
        Condition::Is(atom) if reading == Reading::Possible && !atom.field.stands() => {
            "true".to_owned()
        }
        Condition::Is(atom) => {
            let positive = atom_text(atom);
            if atom.negated == negated {
                positive
            } else {
                format!("!{positive}")
            }
        }
    }
}

/// The atom without its negation, in brackets.
fn atom_text(atom: &Atom) -> String {
    if let Some(fact) = &atom.fact {
        return format!("(context.facts.contains({}))", quoted(fact));
    }
    let (guard, value) = match atom.field {
        Field::Role => ("", "principal.role"),
        Field::UserId => ("", "principal.id"),
        Field::KeyType => ("", "principal.kind"),
        Field::Permission => ("", "principal.permissions"),
        Field::Organization => ("", "principal.organization"),
        Field::Namespace => ("", "principal.namespace"),
        Field::Service => ("", "resource.service"),
        Field::Tool => ("", "resource.name"),
        Field::Effect => ("", "context.effect"),
        Field::Ip => ("context has ip && ", "context.ip"),
        Field::Method => ("context has method && ", "context.method"),
        Field::Path => ("context has path && ", "context.path"),
        Field::Hour => ("context has hour && ", "context.hour"),
        Field::Weekday => ("context has weekday && ", "context.weekday"),
        // Always facts; an atom that lost its fact matches nothing.
        Field::Argument(_) | Field::Header(_) => return "(false)".to_owned(),
    };
    let test = match &atom.test {
        Test::OneOf(values) => {
            let list: Vec<String> = values.iter().map(literal).collect();
            let list = list.join(", ");
            if atom.field == Field::Permission {
                format!("{value}.containsAny([{list}])")
            } else {
                format!("[{list}].contains({value})")
            }
        }
        Test::Within(networks) => {
            let each: Vec<String> = networks
                .iter()
                .map(|network| format!("{value}.isInRange(ip(\"{network}\"))"))
                .collect();
            format!("({})", each.join(" || "))
        }
        Test::Contains(part) => format!("{value} like \"*{}*\"", pattern(part)),
        Test::StartsWith(part) => format!("{value} like \"{}*\"", pattern(part)),
        Test::EndsWith(part) => format!("{value} like \"*{}\"", pattern(part)),
        Test::Matches(_) => return "(false)".to_owned(),
    };
    format!("({guard}{test})")
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// A Cedar string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text, "*"))
}

/// The inside of a Cedar pattern. A star by number would be a wildcard; escaped it is a star.
fn pattern(text: &str) -> String {
    escaped(text, "\\*")
}

/// Anything but plain characters and the star is written by number.
fn escaped(text: &str, star: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '*' {
            out.push_str(star);
        } else if c.is_ascii_alphanumeric() || " _-.:/@,".contains(c) {
            out.push(c);
        } else {
            out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        }
    }
    out
}
