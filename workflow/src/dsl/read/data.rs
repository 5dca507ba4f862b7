//! Reads data: expressions, templates, schemas, durations, addresses.
//!
//! Evaluating them is left to [`crate::expression`].

use super::fields::{Node, Reader};
use crate::dsl::model::{Expression, Length, Schema, Transform, Uri, Validated};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Variables that exist everywhere, without `$`.
pub(super) const VARIABLES: &[&str] = &[
    "context",
    "input",
    "output",
    "secrets",
    "task",
    "workflow",
    "runtime",
    "authorization",
];

/// Units of an ISO 8601 duration in their order, with seconds; `T` stands before the last three.
const UNITS: &[(char, f64)] = &[
    ('Y', 365.0 * 86_400.0),
    ('M', 30.0 * 86_400.0),
    ('W', 7.0 * 86_400.0),
    ('D', 86_400.0),
    ('T', 0.0),
    ('H', 3600.0),
    ('M', 60.0),
    ('S', 1.0),
];

impl Reader<'_> {
    /// A text that is an expression, with or without `${ }`.
    pub(super) fn expression(&mut self, node: &Node<'_>) -> Option<Expression> {
        let text = self.text(node)?;
        self.program(text, &node.pointer);
        Some(Expression::new(text))
    }

    pub(super) fn condition(&mut self, node: Option<&Node<'_>>) -> Option<Expression> {
        self.expression(node?)
    }

    /// Complains about a text that is no program.
    fn program(&mut self, text: &str, pointer: &str) {
        let locals = self.locals.iter().map(String::as_str);
        let names: Vec<&str> = VARIABLES.iter().copied().chain(locals).collect();
        if let Err(error) = self.expressions.check(text, &names) {
            let message = format!("the expression cannot be used: {error}");
            self.complain("bad_expression", pointer, message);
        }
        for name in mentioned_secrets(text) {
            if !self.named.secrets.iter().any(|it| it == name) {
                let message = format!("use.secrets does not name the secret {name}");
                self.complain("unknown_secret", pointer, message);
            }
        }
    }

    /// A value whose `${ }` strings are expressions.
    pub(super) fn template(&mut self, node: &Node<'_>) -> Value {
        self.expressions_in(node.value, &node.pointer);
        node.value.clone()
    }

    pub(super) fn template_of(&mut self, node: Option<&Node<'_>>) -> Option<Value> {
        node.map(|node| self.template(node))
    }

    fn expressions_in(&mut self, value: &Value, pointer: &str) {
        match value {
            Value::String(text) if Expression::inside(text).is_some() => {
                self.program(text, pointer);
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.expressions_in(item, &format!("{pointer}/{index}"));
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    let step = crate::dsl::text::escaped(name);
                    self.expressions_in(field, &format!("{pointer}/{step}"));
                }
            }
            _ => {}
        }
    }

    /// An object that is a template.
    pub(super) fn object_template(&mut self, node: &Node<'_>) -> Option<Value> {
        self.object(node)?;
        Some(self.template(node))
    }

    /// An object of texts, or an expression.
    pub(super) fn texts_or_expression(&mut self, node: Option<&Node<'_>>) -> Option<Value> {
        let node = node?;
        if let Value::String(text) = node.value {
            if Expression::inside(text).is_none() {
                let message = "here should be an object or an expression in ${ }";
                self.complain("wrong_type", &node.pointer, message);
            }
            return Some(self.template(node));
        }
        let fields = self.object(node)?;
        for (_, field) in fields.all() {
            self.text(&field);
        }
        Some(self.template(node))
    }

    /// `input`, `output` or `export`: a schema and a transformation under the given key.
    pub(super) fn validated(&mut self, node: Option<&Node<'_>>, key: &str) -> Option<Validated> {
        let fields = self.fields(node?, &["schema", key])?;
        let transform = fields.get(key).and_then(|it| self.transform(&it));
        let schema = fields.get("schema").and_then(|it| self.schema(&it));
        Some(Validated { transform, schema })
    }

    fn transform(&mut self, node: &Node<'_>) -> Option<Transform> {
        match node.value {
            Value::Object(_) => Some(Transform::Template(self.template(node))),
            _ => self.expression(node).map(Transform::Expression),
        }
    }

    fn schema(&mut self, node: &Node<'_>) -> Option<Schema> {
        let fields = self.fields(node, &["format", "document", "resource"])?;
        let (kind, inner) = self.one_of(&fields, &["document", "resource"])?;
        if let Some(format) = self.owned(fields.get("format").as_ref())
            && !matches!(format.split(':').next(), Some("json"))
        {
            let message = format!("schemas are read as json only, not as {format}");
            let pointer = format!("{}/format", fields.pointer);
            self.complain("unsupported", &pointer, message);
        }
        if kind == "resource" {
            self.resource(&inner);
            let message = "schemas are not fetched; put it under document";
            self.complain("unsupported", &inner.pointer, message);
            return None;
        }
        self.json_schema(&inner).map(Schema)
    }

    /// A JSON Schema.
    pub(super) fn json_schema(&mut self, node: &Node<'_>) -> Option<Arc<Value>> {
        if let Err(error) = jsonschema::draft202012::new(node.value) {
            let message = format!("this is no JSON Schema: {error}");
            self.complain("bad_schema", &node.pointer, message);
            return None;
        }
        Some(Arc::new(node.value.clone()))
    }

    /// A duration in any of its three forms.
    pub(super) fn length(&mut self, node: &Node<'_>) -> Option<Length> {
        match node.value {
            Value::Object(_) => self.parts(node).map(Length::Fixed),
            Value::String(text) if Expression::inside(text).is_some() => {
                self.expression(node).map(Length::Computed)
            }
            Value::String(text) => {
                let duration = iso_duration(text);
                if duration.is_none() {
                    let message =
                        format!("{text:?} is no duration; write PT30S, P1DT12H or {{seconds: 30}}");
                    self.complain("bad_duration", &node.pointer, message);
                }
                duration.map(Length::Fixed)
            }
            _ => {
                let message = "a duration is {seconds: 30}, a text like PT30S or an expression";
                self.complain("bad_duration", &node.pointer, message);
                None
            }
        }
    }

    pub(super) fn length_of(&mut self, node: Option<&Node<'_>>) -> Option<Length> {
        self.length(node?)
    }

    fn parts(&mut self, node: &Node<'_>) -> Option<Duration> {
        const PARTS: &[(&str, u64)] = &[
            ("days", 86_400_000),
            ("hours", 3_600_000),
            ("minutes", 60_000),
            ("seconds", 1000),
            ("milliseconds", 1),
        ];
        let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
        let fields = self.fields(node, &names)?;
        if fields.map.is_empty() {
            self.complain("bad_duration", &node.pointer, "the duration is empty");
        }
        let mut total = 0_u64;
        for (name, milliseconds) in PARTS {
            if let Some(part) = fields.get(name) {
                let count = self.whole(&part, 0, 1_000_000_000)?;
                let count = count.unsigned_abs().saturating_mul(*milliseconds);
                total = total.saturating_add(count);
            }
        }
        Some(Duration::from_millis(total))
    }

    /// An absolute address or an expression.
    pub(super) fn uri(&mut self, node: &Node<'_>) -> Option<Uri> {
        let text = self.text(node)?;
        if Expression::inside(text).is_some() {
            return self.expression(node).map(Uri::Computed);
        }
        if !absolute(text) {
            let message = format!("{text:?} is no address; it begins with a scheme and ://");
            self.complain("bad_uri", &node.pointer, message);
            return None;
        }
        Some(Uri::Template(text.to_owned()))
    }
}

/// Whether a text begins with a scheme and `://`.
pub(super) fn absolute(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once("://") else {
        return false;
    };
    let fits = |it: char| it.is_ascii_alphanumeric() || matches!(it, '+' | '-' | '.');
    scheme.starts_with(|it: char| it.is_ascii_alphabetic()) && scheme.chars().all(fits)
}

/// Names `x` of `$secrets.x` in a program.
fn mentioned_secrets(text: &str) -> impl Iterator<Item = &str> {
    text.split("$secrets.").skip(1).filter_map(|rest| {
        let end = rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_');
        let name = end.map_or(Some(rest), |end| rest.get(..end))?;
        (!name.is_empty()).then_some(name)
    })
}

/// A duration such as `P1DT2H30M` or `PT0.5S`. Years count 365 days, months 30.
fn iso_duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('P').filter(|rest| !rest.is_empty())?;
    let mut units = UNITS.iter();
    let mut seconds = 0.0;
    let mut time = false;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            units.find(|(unit, _)| *unit == 'T')?;
            if !after.starts_with(|it: char| it.is_ascii_digit()) {
                return None;
            }
            (rest, time) = (after, true);
            continue;
        }
        let end = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
        let (digits, after) = rest.split_at_checked(end)?;
        let letter = after.chars().next()?;
        let whole = digits.split('.').all(|part| !part.is_empty()) && digits.split('.').count() < 3;
        // Past T only the units after it are left; before it, none of those may be reached.
        let reachable = units.as_slice().iter();
        let reachable = reachable
            .take_while(|(unit, _)| time || *unit != 'T')
            .count();
        let place = units
            .as_slice()
            .iter()
            .take(reachable)
            .position(|(unit, _)| *unit == letter)?;
        let (_, size) = units.nth(place)?;
        if !whole {
            return None;
        }
        seconds += digits.parse::<f64>().ok()? * size;
        rest = after.strip_prefix(letter)?;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::iso_duration;

    fn check(text: &str, milliseconds: Option<u128>) {
        let found = iso_duration(text).map(|it| it.as_millis());
        assert_eq!(found, milliseconds, "{text}");
    }

    #[test]
    fn durations_are_read() {
        check("PT30S", Some(30_000));
        check("PT0.25S", Some(250));
        check("P1D", Some(86_400_000));
        check("P1DT12H30M5S", Some(131_405_000));
        check("P1M", Some(30 * 86_400_000));
        check("PT1M", Some(60_000));
        check("P1Y2W", Some((365 + 14) * 86_400_000));
        for wrong in [
            "", "P", "PT", "30S", "P30S", "PT1D", "P1H", "PT1S1M", "P1DT", "PTS", "P1", "PT1.S",
            "PT1.1.1S", "P-1D", "PT1S ", "P1WT1H1H",
        ] {
            check(wrong, None);
        }
    }
}
