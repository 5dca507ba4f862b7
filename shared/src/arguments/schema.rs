//! Checking arguments against a tool's input schema, and filling in its defaults.

use super::hidden;
use serde_json::Value;

/// The compiled input schema of one tool.
#[derive(Debug)]
pub struct ArgumentSchema {
    schema: Value,
    validator: jsonschema::Validator,
    /// Whether anything is `writeOnly`.
    marks: bool,
}

/// The parameter of some tools that takes the token of an approved request.
const APPROVAL_TOKEN: &str = "approval_token";

/// A schema that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the input schema cannot be used: {0}")]
pub struct SchemaError(String);

/// The first rule the arguments break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct Violation {
    /// Dotted path of the field, such as `filters.os`; `arguments` for the object itself.
    pub field: String,
    /// What the schema asks.
    pub rule: String,
}

impl ArgumentSchema {
    /// Compiles a JSON Schema 2020-12 document. Only local `$ref`s are followed.
    ///
    /// # Errors
    /// [`SchemaError`] when the document is no schema, is larger than 64 KiB or names a remote one.
    pub fn compile(schema: Value) -> Result<Self, SchemaError> {
        const MAX_BYTES: usize = 64 * 1024;
        if schema.to_string().len() > MAX_BYTES {
            return Err(SchemaError(format!("larger than {MAX_BYTES} bytes")));
        }
        let validator = jsonschema::draft202012::new(&schema)
            .map_err(|error| SchemaError(error.to_string()))?;
        let marks = hidden::marks(&schema);
        Ok(Self {
            schema,
            validator,
            marks,
        })
    }

    /// Adds the `default` of every top-level property that is absent, in the schema's order.
    pub fn fill_defaults(&self, arguments: &mut Value) {
        let properties = self.schema.get("properties").and_then(Value::as_object);
        let (Some(properties), Some(object)) = (properties, arguments.as_object_mut()) else {
            return;
        };
        for (name, property) in properties {
            if let Some(default) = property.get("default")
                && !object.contains_key(name)
            {
                object.insert(name.clone(), default.clone());
            }
        }
    }

    /// Takes the token of an approval out of the arguments of a tool that has a parameter for it: it is
    /// about the call and no part of it, so it counts neither for the hash nor for the tool.
    /// `None` when the tool has no such parameter, or the arguments have no text there.
    pub fn take_approval_token(&self, arguments: &mut Value) -> Option<String> {
        self.schema.get("properties")?.get(APPROVAL_TOKEN)?;
        let object = arguments.as_object_mut()?;
        match object.get(APPROVAL_TOKEN)? {
            Value::String(_) | Value::Null => object.shift_remove(APPROVAL_TOKEN),
            _ => None,
        }
        .and_then(|token| token.as_str().map(str::to_owned))
    }

    /// Masks what the schema marks `writeOnly`.
    pub fn hide(&self, arguments: &mut Value) {
        if self.marks {
            hidden::hide(&self.schema, arguments);
        }
    }

    /// Checks arguments.
    ///
    /// # Errors
    /// The first [`Violation`], which names the field and the rule, and never the value.
    pub fn check(&self, arguments: &Value) -> Result<(), Violation> {
        self.validator.validate(arguments).map_err(|error| {
            let at = error.instance_path().to_string();
            let path = at.trim_start_matches('/').replace('/', ".");
            violation(&path, &error)
        })
    }
}

fn violation(path: &str, error: &jsonschema::ValidationError<'_>) -> Violation {
    use jsonschema::error::ValidationErrorKind as Kind;
    let within = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match error.kind() {
        Kind::Required { property } => Violation {
            field: within(property.as_str().unwrap_or_default()),
            rule: "is required".into(),
        },
        Kind::AdditionalProperties { unexpected } => Violation {
            field: within(unexpected.first().map_or("", String::as_str)),
            rule: "is not a parameter of this tool".into(),
        },
        _ => Violation {
            field: if path.is_empty() {
                "arguments".into()
            } else {
                path.to_owned()
            },
            rule: error.masked_with("the value").to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(arguments: Value) -> Result<(), String> {
        let schema = ArgumentSchema::compile(json!({
            "type": "object",
            "properties": {
                "name": {"type": "string", "default": "x"},
                "count": {"type": "integer", "minimum": 1},
                "mode": {"enum": ["a", "b"]},
            },
            "required": ["count"],
            "additionalProperties": false,
        }))
        .unwrap();
        schema
            .check(&arguments)
            .map_err(|violation| violation.to_string())
    }

    #[test]
    fn violations_name_the_field_and_not_the_value() {
        assert_eq!(check(json!({"count": 1})), Ok(()));
        assert_eq!(check(json!({})), Err("count: is required".into()));
        assert_eq!(
            check(json!({"count": 1, "nme": 2})),
            Err("nme: is not a parameter of this tool".into())
        );
        let wrong = check(json!({"count": "secret-xyz"})).unwrap_err();
        assert!(
            wrong.starts_with("count: ") && !wrong.contains("secret-xyz"),
            "{wrong}"
        );
        let wrong = check(json!({"count": 1, "mode": "secret-xyz"})).unwrap_err();
        assert!(
            wrong.starts_with("mode: ") && !wrong.contains("secret-xyz"),
            "{wrong}"
        );
    }

    #[test]
    fn defaults_fill_what_is_absent() {
        let schema = ArgumentSchema::compile(json!({
            "properties": {"a": {"default": 1}, "b": {"default": [2]}, "c": {}}
        }))
        .unwrap();
        let mut arguments = json!({"b": null});
        schema.fill_defaults(&mut arguments);
        assert_eq!(arguments, json!({"b": null, "a": 1}));
    }

    #[test]
    fn remote_references_are_not_followed() {
        let remote = json!({"$ref": "http://127.0.0.1:9/schema.json"});
        assert!(ArgumentSchema::compile(remote).is_err());
    }
}
