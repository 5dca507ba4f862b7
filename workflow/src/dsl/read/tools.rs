//! Checks calls of tools against the catalogue: the tool exists, and its arguments fit.
//!
//! Arguments that hold expressions are judged by what is literal in them.

use super::digest;
use super::fields::Reader;
use crate::dsl::ToolView;
use crate::dsl::model::{Expression, Pin};
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

impl Reader<'_> {
    /// Checks a call and notes the tool; arguments come with their place.
    pub(super) fn tool(
        &mut self,
        id: &str,
        place: &str,
        arguments: (&Value, &str),
    ) -> Option<ToolView> {
        let view = self.pin(id, place)?;
        let Ok(validator) = jsonschema::validator_for(&view.schema) else {
            return Some(view);
        };
        let (value, base) = arguments;
        for error in validator.iter_errors(value) {
            let at = error.instance_path().to_string();
            let about_keys = matches!(
                error.kind(),
                ValidationErrorKind::Required { .. }
                    | ValidationErrorKind::AdditionalProperties { .. }
            );
            let found = value.pointer(&at);
            if about_keys || !found.is_some_and(computed) {
                let message = format!("the arguments do not fit {id}: {error}");
                self.complain("wrong_arguments", &format!("{base}{at}"), message);
            }
        }
        Some(view)
    }

    /// Notes a tool, or complains that there is none.
    pub(super) fn pin(&mut self, id: &str, place: &str) -> Option<ToolView> {
        let Some(view) = self.catalogue.tool(id) else {
            if self.catalogue.complete() {
                let message = format!("there is no tool {id}");
                self.complain("unknown_tool", place, message);
            }
            return None;
        };
        let pin = Pin {
            schema_digest: digest(&view.schema),
            effect: view.effect,
            verify: view.verify.clone(),
        };
        self.tools.insert(id.to_owned(), pin);
        Some(view)
    }
}

/// Whether there is an expression in a value.
fn computed(value: &Value) -> bool {
    match value {
        Value::String(text) => Expression::inside(text).is_some(),
        Value::Array(items) => items.iter().any(computed),
        Value::Object(fields) => fields.values().any(computed),
        _ => false,
    }
}
