//! Filters of `cmdb.queryAssets`: a column, an operator, one value or several.

use crate::servicenow::Condition;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;
use shared::tool::ToolError;
use std::collections::BTreeMap;

/// Most filters of one question.
const MAX_FILTERS: usize = 16;
/// Most values of one `in`.
const MAX_VALUES: usize = 100;

/// One filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) column: String,
    test: Test,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Eq(String),
    Ne(String),
    Contains(String),
    In(Vec<String>),
    StartsWith(String),
}

impl Filter {
    /// Reads the argument `filters`.
    pub(super) fn parse_all(filters: &BTreeMap<String, Value>) -> Result<Vec<Self>, ToolError> {
        if filters.len() > MAX_FILTERS {
            return Err(ToolError::invalid("filters", "more than 16 filters"));
        }
        filters
            .iter()
            .map(|(column, filter)| {
                let test = parse(filter)
                    .map_err(|rule| ToolError::invalid(&format!("filters.{column}"), rule))?;
                Ok(Self {
                    column: column.clone(),
                    test,
                })
            })
            .collect()
    }

    /// Whether a text passes; case does not matter.
    pub(super) fn holds(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        match &self.test {
            Test::Eq(value) => text == value.to_lowercase(),
            Test::Ne(value) => text != value.to_lowercase(),
            Test::Contains(value) => text.contains(&value.to_lowercase()),
            Test::In(values) => values.iter().any(|value| text == value.to_lowercase()),
            Test::StartsWith(value) => text.starts_with(&value.to_lowercase()),
        }
    }

    /// The same as a condition on a field of `ServiceNow`.
    pub(super) fn condition(&self, field: &str, argument: &str) -> Result<Condition, ToolError> {
        match &self.test {
            Test::Eq(value) => Condition::new(field, "=", value, argument),
            Test::Ne(value) => Condition::new(field, "!=", value, argument),
            Test::Contains(value) => Condition::new(field, "LIKE", value, argument),
            Test::In(values) => Condition::one_of(field, values, argument),
            Test::StartsWith(value) => Condition::new(field, "STARTSWITH", value, argument),
        }
    }
}

/// The schema of `filters`, so that a model sees both forms.
pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": MAX_FILTERS,
        "additionalProperties": {
            "anyOf": [
                {"type": ["string", "number", "boolean"]},
                {
                    "type": "object",
                    "properties": {
                        "op": {"enum": ["eq", "ne", "contains", "in", "starts_with"]},
                        "value": {
                            "description": "A value; for in a list of values.",
                            "type": ["string", "number", "boolean", "array"],
                            "items": {"type": ["string", "number", "boolean"]},
                            "maxItems": MAX_VALUES,
                        },
                    },
                    "required": ["op", "value"],
                    "additionalProperties": false,
                },
            ],
        },
    })
}

fn parse(filter: &Value) -> Result<Test, &'static str> {
    let Value::Object(parts) = filter else {
        return text(filter).map(Test::Eq);
    };
    let (Some(op), Some(value), 2) = (parts.get("op"), parts.get("value"), parts.len()) else {
        return Err("expected a value, or op and value");
    };
    match op.as_str() {
        Some("eq") => text(value).map(Test::Eq),
        Some("ne") => text(value).map(Test::Ne),
        Some("contains") => text(value).map(Test::Contains),
        Some("starts_with") => text(value).map(Test::StartsWith),
        Some("in") => match value {
            Value::Array(values) if (1..=MAX_VALUES).contains(&values.len()) => {
                let values: Result<_, _> = values.iter().map(text).collect();
                values.map(Test::In)
            }
            _ => Err("in takes a list of 1 to 100 values"),
        },
        _ => Err("op is one of eq, ne, contains, in, starts_with"),
    }
}

fn text(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err("expected a text or a number"),
    }
}
