//! What a tool's schema marks `writeOnly`: given to the tool, shown to nobody.
//!
//! Every part of a schema that may speak of a value is looked at, whichever branch would apply: too
//! much is hidden rather than too little. Whether the arguments fit the schema is not looked at.

use crate::reference::is_reference;
use serde_json::Value;

const MASK: &str = "[redacted]";
/// Steps of one walk; what a schema this entangled speaks of is hidden as a whole.
const MAX_STEPS: usize = 20_000;
/// Nested schemas of one value.
const MAX_DEPTH: usize = 64;
/// Keywords whose schemas are about the same value: one schema or a list.
const SAME: [&str; 6] = ["allOf", "anyOf", "oneOf", "if", "then", "else"];

/// Whether a schema marks anything: most do not, and need no walk.
#[must_use]
pub(super) fn marks(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => {
            members.get("writeOnly") == Some(&Value::Bool(true)) || members.values().any(marks)
        }
        Value::Array(items) => items.iter().any(marks),
        _ => false,
    }
}

/// Masks every value that `schema` marks `writeOnly`. References to secrets stay: they are what people
/// are meant to see in the secret's place.
pub fn hide(schema: &Value, value: &mut Value) {
    if marks(schema) {
        let mut walk = Walk {
            root: schema,
            steps: 0,
        };
        walk.go(schema, value, 0);
    }
}

struct Walk<'a> {
    root: &'a Value,
    steps: usize,
}

impl<'a> Walk<'a> {
    fn go(&mut self, schema: &'a Value, value: &mut Value, depth: usize) {
        let Some(members) = schema.as_object() else {
            return;
        };
        self.steps += 1;
        let lost = self.steps > MAX_STEPS || depth > MAX_DEPTH;
        if lost || members.get("writeOnly") == Some(&Value::Bool(true)) {
            mask(value);
            return;
        }
        for name in ["$ref", "$dynamicRef"] {
            match members.get(name).map(|target| self.target(target)) {
                None => {}
                Some(Some(target)) => self.go(target, value, depth + 1),
                Some(None) => mask(value),
            }
        }
        for about in SAME.iter().filter_map(|name| members.get(*name)) {
            let list = about
                .as_array()
                .map_or(std::slice::from_ref(about), Vec::as_slice);
            list.iter().for_each(|one| self.go(one, value, depth + 1));
        }
        if let Some(dependent) = members.get("dependentSchemas") {
            self.named(dependent, value, depth + 1);
        }
        self.within(schema, value, depth);
    }

    /// The fields or items of a value.
    fn within(&mut self, schema: &'a Value, value: &mut Value, depth: usize) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields.iter_mut() {
                    self.field(schema, name, field, depth + 1);
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    self.item(schema, at, item, depth + 1);
                }
            }
            _ => {}
        }
    }

    fn named(&mut self, schemas: &'a Value, value: &mut Value, depth: usize) {
        for schema in schemas.as_object().into_iter().flat_map(|it| it.values()) {
            self.go(schema, value, depth);
        }
    }

    fn field(&mut self, schema: &'a Value, name: &str, field: &mut Value, depth: usize) {
        if let Some(own) = schema.get("properties").and_then(|all| all.get(name)) {
            self.go(own, field, depth);
        }
        if let Some(patterns) = schema.get("patternProperties") {
            self.named(patterns, field, depth);
        }
        for rest in ["additionalProperties", "unevaluatedProperties"] {
            if let Some(rest) = schema.get(rest) {
                self.go(rest, field, depth);
            }
        }
    }

    fn item(&mut self, schema: &'a Value, at: usize, item: &mut Value, depth: usize) {
        if let Some(own) = schema.get("prefixItems").and_then(|all| all.get(at)) {
            self.go(own, item, depth);
        }
        for rest in ["items", "contains", "unevaluatedItems"] {
            if let Some(rest) = schema.get(rest) {
                self.go(rest, item, depth);
            }
        }
    }

    /// `None` when a reference leads nowhere that can be looked at.
    fn target(&self, reference: &Value) -> Option<&'a Value> {
        let pointer = reference.as_str()?.strip_prefix('#')?;
        let plain = pointer.is_empty() || pointer.starts_with('/');
        if plain && !pointer.contains('%') {
            self.root.pointer(pointer)
        } else {
            None
        }
    }
}

fn mask(value: &mut Value) {
    let shown = match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() || is_reference(text),
        _ => false,
    };
    if !shown {
        *value = Value::String(MASK.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(schema: &Value, mut value: Value, shown: &Value) {
        hide(schema, &mut value);
        assert_eq!(&value, shown);
    }

    #[test]
    fn marked_values_are_hidden_wherever_the_schema_marks_them() {
        let schema = json!({
            "properties": {
                "plain": {"type": "string"},
                "value": {"type": "string", "writeOnly": true},
                "maybe": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Pin"}]},
                "rows": {"type": "array", "items": {"properties": {"v": {"writeOnly": true}}}},
                "pair": {"prefixItems": [{}, {"writeOnly": true}]},
            },
            "patternProperties": {"^x-": {"writeOnly": true}},
            "allOf": [{"then": {"properties": {"late": {"writeOnly": true}}}}],
            "$defs": {"Pin": {"type": "object", "properties": {"pin": {"writeOnly": true}}}},
        });
        let schema_without_patterns = {
            let mut schema = schema.clone();
            schema.as_object_mut().unwrap().remove("patternProperties");
            schema
        };
        let value = json!({
            "plain": "a", "value": "hunter2", "maybe": {"pin": 1234, "not": 1},
            "rows": [{"v": [1], "w": 1}], "pair": ["a", "b", "c"], "late": {"x": 1},
        });
        let shown = json!({
            "plain": "a", "value": MASK, "maybe": {"pin": MASK, "not": 1},
            "rows": [{"v": MASK, "w": 1}], "pair": ["a", MASK, "c"], "late": MASK,
        });
        check(&schema_without_patterns, value, &shown);
        // Which pattern a name fits is not looked at.
        check(&schema, json!({"x-a": "s"}), &json!({"x-a": MASK}));
    }

    #[test]
    fn what_cannot_be_followed_is_hidden_and_what_is_not_marked_stays() {
        let away = json!({"properties": {"a": {"$ref": "#named"}, "b": {"writeOnly": true}}});
        check(&away, json!({"a": {"c": 1}}), &json!({"a": MASK}));
        let endless =
            json!({"$defs": {"x": {"writeOnly": true}}, "allOf": [{"$ref": "#"}, {"$ref": "#"}]});
        check(&endless, json!({"a": 1}), &json!(MASK));
        let open = json!({"properties": {"b": {"writeOnly": false}}});
        check(&open, json!({"b": "x"}), &json!({"b": "x"}));
        let marked = json!({"properties": {"b": {"writeOnly": true}}});
        let reference = json!({"b": "secretref://vault/a"});
        check(&marked, reference.clone(), &reference);
        check(&marked, json!({"b": null}), &json!({"b": null}));
    }
}
