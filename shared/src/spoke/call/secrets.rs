//! Secret references in arguments: opened just before the tool's body runs, and taken out of what it
//! gives back.
//!
//! Only parameters whose schema says `writeOnly` take references, so that a value cannot be had by
//! handing its reference to a tool that repeats what it is told. Everything before this step, the
//! approver too, sees the reference.

use crate::reference::{References, is_reference};
use crate::secret::Secret;
use crate::spoke::catalogue::Entry;
use crate::tool::{Call, Output, ToolError};
use serde_json::Value;
use serde_json::value::RawValue;

/// Shorter values are not searched for in results: they would blank out ordinary words.
const MIN_COVERED: usize = 6;
const MASK: &str = "[redacted]";

/// The values that were put into the arguments of one call.
pub(super) struct Opened(Vec<Secret>);

/// Puts values where the arguments hold references.
pub(super) fn open(
    references: &References,
    entry: &Entry,
    arguments: &mut Value,
    (call, now): (&Call, i64),
) -> Result<Opened, ToolError> {
    let mut opened = Vec::new();
    for field in &entry.secret_fields {
        let Some(Value::String(text)) = arguments.get_mut(field) else {
            continue;
        };
        if !is_reference(text) {
            continue;
        }
        let secret = references
            .open(text, &call.principal, now)
            .map_err(|error| ToolError::invalid(field, error))?;
        secret.expose().clone_into(text);
        opened.push(secret);
    }
    Ok(Opened(opened))
}

impl Opened {
    /// A result without the values.
    pub(super) fn cover(&self, mut output: Output) -> Output {
        let text = output.structured.get();
        let covered = self.covered(text, |value| {
            let quoted = Value::String(value.to_owned()).to_string();
            let inside = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
            inside.unwrap_or(&quoted).to_owned()
        });
        // What does not stand within a text is left: the result would be no JSON any more.
        if let Some(covered) = covered.and_then(|text| RawValue::from_string(text).ok()) {
            output.structured = covered;
        }
        output
    }

    /// A failure without the values.
    pub(super) fn cover_error(&self, mut error: ToolError) -> ToolError {
        if let Some(covered) = self.covered(&error.message, str::to_owned) {
            error.message = covered;
        }
        error
    }

    fn covered(&self, text: &str, form: impl Fn(&str) -> String) -> Option<String> {
        let values = self.0.iter().map(Secret::expose);
        let mut covered = None;
        for value in values.filter(|value| value.len() >= MIN_COVERED) {
            let value = form(value);
            let now = covered.as_deref().unwrap_or(text);
            if now.contains(&value) {
                covered = Some(now.replace(&value, MASK));
            }
        }
        covered
    }
}
