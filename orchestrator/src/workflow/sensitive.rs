//! What a run must not show: results of tools whose results hold secrets.
//!
//! Such a run knows the values. Its history, steps, output and audit rows have them masked, by way of the
//! redactor; its state, its input and what waits in its inbox are sealed, so that whoever reads the store
//! reads none. A run that is born of such a run is one, too. Events a document publishes for others are
//! masked.

use super::{WorkflowError, Workflows};
use crate::keys::Seal;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::redact::{Redactor, is_sensitive_name};
use shared::secret::Secret;
use std::collections::BTreeSet;

/// Values one run remembers.
const MAX_VALUES: usize = 64;
/// How masked values are named.
const NAME: &str = "workflow";
/// Begins what the redactor writes in the place of a value.
const MASK: &str = "[redacted";
/// The field of a result that holds the secret, where its name does not say so.
const PLAIN_NAME: &str = "value";

/// The secrets of one run; `None` inside as long as it knows none.
#[derive(Debug, Default)]
pub(super) struct Sensitive(Mutex<Option<BTreeSet<String>>>);

/// A text as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Closed {
    sealed: String,
}

/// What is inside.
#[derive(Serialize, Deserialize)]
struct Content {
    values: BTreeSet<String>,
    text: String,
}

impl Sensitive {
    /// Whether the run knows a secret.
    pub(super) fn is(&self) -> bool {
        self.0.lock().is_some()
    }

    /// The run gets a result that holds secrets.
    pub(super) fn learn(&self, redactor: &Redactor, result: &Value) {
        let mut found = Vec::new();
        secrets_in(result, false, &mut found);
        self.know(redactor, found);
    }

    /// Knows what another run knows.
    pub(super) fn like(other: &Self) -> Self {
        Self(Mutex::new(other.0.lock().clone()))
    }

    fn know(&self, redactor: &Redactor, values: impl IntoIterator<Item = String>) {
        let mut known = self.0.lock();
        let known = known.get_or_insert_default();
        for value in values {
            redactor.learn(NAME, &Secret::new(value.as_str()));
            if known.len() < MAX_VALUES {
                known.insert(value);
            }
        }
    }
}

impl Workflows {
    /// Seals with a key that other hubs of this store have, too; without it sealed runs end with the
    /// process that sealed them.
    pub fn seal_with(&self, seal: Seal) {
        if self.seal.set(seal).is_err() {
            tracing::warn!(event = "seal_set_twice", "the seal was set before");
        }
    }

    /// A text of a run as it is kept: sealed when the run knows secrets.
    pub(super) fn closed(&self, id: &str, text: String, sensitive: &Sensitive) -> String {
        let Some(values) = sensitive.0.lock().clone() else {
            return text;
        };
        let content = json!(Content { values, text }).to_string();
        let sealed = self.seal().close(&content, id);
        // Without randomness nothing may be written down: the run cannot be read again.
        let sealed = sealed.unwrap_or_default();
        json!(Closed { sealed }).to_string()
    }

    /// The text again; the run knows the secrets that are kept with it.
    pub(super) fn opened(
        &self,
        id: &str,
        kept: &str,
        sensitive: &Sensitive,
    ) -> Result<String, WorkflowError> {
        let Ok(Closed { sealed }) = serde_json::from_str(kept) else {
            return Ok(kept.to_owned());
        };
        let unreadable = || WorkflowError::Unreadable("it is sealed with another key".into());
        let content = self.seal().open(&sealed, id).ok_or_else(unreadable)?;
        let content: Content = serde_json::from_str(&content)
            .map_err(|error| WorkflowError::Unreadable(error.to_string()))?;
        sensitive.know(&self.gateway.redactor, content.values);
        Ok(content.text)
    }

    /// A value as others may have it.
    pub(super) fn without_secrets(&self, sensitive: &Sensitive, value: Value) -> Value {
        if sensitive.is() {
            self.masked(&value)
        } else {
            value
        }
    }

    fn seal(&self) -> &Seal {
        self.seal.get_or_init(Seal::fleeting)
    }
}

/// Whether a kept text is sealed.
pub(super) fn is_sealed(kept: &str) -> bool {
    serde_json::from_str::<Closed>(kept).is_ok()
}

/// Whether something was masked in a value, so that it is not what it was.
pub(super) fn has_gaps(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(MASK),
        Value::Array(items) => items.iter().any(has_gaps),
        Value::Object(fields) => fields.values().any(has_gaps),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The texts in fields that hold secrets. References are none: they are made to be handed on.
fn secrets_in(value: &Value, within: bool, found: &mut Vec<String>) {
    match value {
        Value::String(text) if within && !text.starts_with(shared::reference::SCHEME) => {
            found.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|it| secrets_in(it, within, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                let holds = within || name == PLAIN_NAME || is_sensitive_name(name);
                secrets_in(value, holds, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Sensitive, has_gaps};
    use serde_json::json;
    use shared::redact::Redactor;

    #[test]
    fn only_the_secret_of_a_result_is_learnt() {
        let redactor = Redactor::new();
        let sensitive = Sensitive::default();
        assert!(!sensitive.is());
        let result = json!({"ref": "secretref://env/DB", "value": "hunter2-hunter2",
            "backend": "environment", "fields": {"password": ["correct horse"]}});
        sensitive.learn(&redactor, &result);
        assert!(sensitive.is());
        let shown = redactor.redact("environment has hunter2-hunter2 and correct horse");
        assert_eq!(
            shown,
            "environment has [redacted:workflow] and [redacted:workflow]"
        );
        assert!(has_gaps(&json!([{"a": shown}])) && !has_gaps(&result));
    }
}
