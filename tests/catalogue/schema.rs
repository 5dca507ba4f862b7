//! Reading JSON Schema as far as the services write it: types, words, properties, null.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A schema without its null alternative.
#[derive(Debug, Clone)]
pub(crate) struct Shape<'a> {
    /// One schema, or several of which one must hold.
    parts: Vec<&'a Value>,
    nullable: bool,
}

static ANYTHING: Value = Value::Bool(true);

impl<'a> Shape<'a> {
    /// Reads a schema.
    pub(crate) fn of(schema: &'a Value) -> Self {
        let alternatives = ["anyOf", "oneOf"]
            .iter()
            .find_map(|key| schema.get(key)?.as_array());
        let all: Vec<&Value> =
            alternatives.map_or_else(|| vec![schema], |all| all.iter().collect());
        let is_null = |part: &&Value| part.get("type").is_some_and(|name| name == "null");
        let parts: Vec<&Value> = all.iter().copied().filter(|part| !is_null(part)).collect();
        let listed = |part: &&Value| {
            let names = part.get("type").and_then(Value::as_array);
            names.is_some_and(|names| names.iter().any(|name| name == "null"))
        };
        let nullable = parts.len() < all.len() || parts.iter().any(listed);
        Self { parts, nullable }
    }

    /// Whether null fits beside the rest.
    pub(crate) const fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// JSON types that fit, without null; empty when every one does.
    pub(crate) fn types(&self) -> BTreeSet<String> {
        let mut types = BTreeSet::new();
        for part in &self.parts {
            match part.get("type") {
                Some(Value::String(name)) => types.extend([name.clone()]),
                Some(Value::Array(names)) => {
                    types.extend(names.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                _ => types.extend(words_of(part).map(|_| "string".to_owned())),
            }
        }
        types.remove("null");
        types
    }

    /// Whether this JSON type is the only one that fits.
    pub(crate) fn is(&self, name: &str) -> bool {
        let types = self.types();
        types.len() == 1 && types.contains(name)
    }

    /// The only texts that fit; empty when any.
    pub(crate) fn words(&self) -> Vec<String> {
        self.parts
            .iter()
            .flat_map(|part| words_of(part))
            .map(str::to_owned)
            .collect()
    }

    /// The schema of a property.
    pub(crate) fn property(&self, name: &str) -> Option<&'a Value> {
        self.parts
            .iter()
            .find_map(|part| part.get("properties")?.get(name))
    }

    /// Whether a property must be there.
    pub(crate) fn requires(&self, name: &str) -> bool {
        let required = |part: &&Value| {
            let names = part.get("required").and_then(Value::as_array);
            names.is_some_and(|names| names.iter().any(|own| own == name))
        };
        self.parts.iter().all(required)
    }

    /// Whether properties may be there that the schema says nothing of.
    pub(crate) fn is_open(&self) -> bool {
        let open = |part: &&Value| match part.get("additionalProperties") {
            Some(Value::Bool(open)) => *open,
            other => other.is_some(),
        };
        self.parts.iter().any(open)
    }

    /// What the elements of an array are.
    pub(crate) fn items(&self) -> Self {
        self.inner("items")
    }

    /// What the values of a map are.
    pub(crate) fn values(&self) -> Self {
        self.inner("additionalProperties")
    }

    fn inner(&self, key: &str) -> Self {
        let found = self.parts.iter().find_map(|part| part.get(key));
        Shape::of(found.unwrap_or(&ANYTHING))
    }
}

fn words_of(part: &Value) -> impl Iterator<Item = &str> {
    let listed = part
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    listed.chain(part.get("const")).filter_map(Value::as_str)
}

/// A value that does not fit the schema of a parameter by its type; `None` when every type fits.
pub(crate) fn misfit(schema: &Value) -> Option<Value> {
    let types = Shape::of(schema).types();
    let fits = |name: &str| types.is_empty() || types.contains(name);
    let candidates = [
        (
            "object",
            Value::Object(Map::from_iter([("waygate_misfit".to_owned(), 1.into())])),
        ),
        ("array", Value::Array(vec![Value::Bool(true)])),
        ("boolean", Value::Bool(true)),
        ("string", Value::String("misfit".to_owned())),
    ];
    candidates
        .into_iter()
        .find(|(name, _)| !fits(name))
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_are_what_they_hold() {
        for schema in [
            json!({"type": ["string", "null"]}),
            json!({"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ] {
            let shape = Shape::of(&schema);
            assert!(shape.is("string") && shape.is_nullable(), "{schema}");
        }
        assert!(!Shape::of(&json!({"type": "string"})).is_nullable());
        assert!(Shape::of(&json!(true)).types().is_empty());
    }

    #[test]
    fn words_are_found_in_every_spelling() {
        for schema in [
            json!({"type": "string", "enum": ["a", "b"]}),
            json!({"oneOf": [{"type": "string", "const": "a"}, {"const": "b"}]}),
        ] {
            let shape = Shape::of(&schema);
            assert_eq!(
                (shape.words(), shape.is("string")),
                (vec!["a".into(), "b".into()], true)
            );
        }
    }

    #[test]
    fn a_misfit_never_has_a_type_that_fits() {
        assert_eq!(misfit(&json!({"type": "object"})), Some(json!([true])));
        assert!(misfit(&json!({"type": "string"})).unwrap().is_object());
        assert_eq!(misfit(&json!({})), None);
    }
}
