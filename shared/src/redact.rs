//! Takes secrets out of text and JSON before it is logged, recorded or returned.
//!
//! Three ways, all at once: exact values that were read as secrets, in the encodings they travel in;
//! patterns of well-known kinds of secret; and fields whose name says that they hold one. What is
//! taken out is replaced by `[redacted:<what>]`. Applying it twice is harmless. Random text of no known
//! form under an innocent name is not found: read it as a [`Secret`]. Source: `security.md` 2.9.

mod encodings;
mod patterns;

use crate::secret::Secret;
use aho_corasick::{AhoCorasick, MatchKind};
use parking_lot::{Mutex, RwLock};
use patterns::Patterns;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Shorter values are not searched for: they would blank out ordinary words.
pub const MIN_LEARNT_BYTES: usize = 6;
/// Most values that are remembered; the oldest is forgotten first.
pub const MAX_LEARNT: usize = 512;

const MASK: &str = "[redacted]";

/// Finds and replaces secrets. Shared by everything that writes.
#[derive(Default)]
pub struct Redactor {
    patterns: Patterns,
    learnt: Mutex<VecDeque<Learnt>>,
    exact: RwLock<Option<Arc<Exact>>>,
}

struct Learnt {
    name: String,
    value: Zeroizing<String>,
}

struct Exact {
    finder: AhoCorasick,
    /// By number of pattern.
    replacements: Vec<Arc<str>>,
}

impl Redactor {
    /// Knows the patterns and no values yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers a value, to be replaced by `[redacted:<name>]` wherever it turns up: as it is, in
    /// base64, hexadecimal, URL or JSON escapes. Values shorter than [`MIN_LEARNT_BYTES`] are not.
    pub fn learn(&self, name: &str, secret: &Secret) {
        let value = secret.expose();
        if value.len() < MIN_LEARNT_BYTES {
            return;
        }
        let mut learnt = self.learnt.lock();
        if learnt.iter().any(|known| known.value.as_str() == value) {
            return;
        }
        if learnt.len() == MAX_LEARNT {
            learnt.pop_front();
        }
        learnt.push_back(Learnt {
            name: name.to_owned(),
            value: Zeroizing::new(value.to_owned()),
        });
        *self.exact.write() = Exact::of(&learnt).map(Arc::new);
    }

    /// The text without its secrets; borrowed when there are none.
    #[must_use]
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let exact = self.exact.read().clone();
        let without_values = match exact {
            Some(exact) if exact.finder.is_match(text) => Cow::Owned(exact.replace(text)),
            _ => Cow::Borrowed(text),
        };
        match self.patterns.redact(&without_values) {
            Some(redacted) => Cow::Owned(redacted),
            None => without_values,
        }
    }

    /// Takes the secrets out of a JSON value: whole fields by name, parts of texts by content.
    pub fn redact_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(redacted) = self.redact(text) {
                    *text = redacted;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_json(item)),
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    self.redact_field(name, value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Takes the secrets out of one named value.
    pub fn redact_field(&self, name: &str, value: &mut Value) {
        let empty = value.is_null() || value.as_str() == Some("");
        if is_sensitive_name(name) && !empty {
            *value = Value::String(MASK.into());
        } else {
            self.redact_json(value);
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.learnt.lock().len();
        f.debug_struct("Redactor").field("learnt", &known).finish()
    }
}

impl Exact {
    /// `None` when there is nothing to look for.
    fn of(learnt: &VecDeque<Learnt>) -> Option<Self> {
        let mut needles = Vec::new();
        let mut replacements = Vec::new();
        for Learnt { name, value } in learnt {
            let replacement: Arc<str> = format!("[redacted:{name}]").into();
            for form in encodings::of(value) {
                needles.push(form);
                replacements.push(Arc::clone(&replacement));
            }
        }
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(needles.iter().map(|needle| needle.as_bytes()));
        finder.ok().map(|finder| Self {
            finder,
            replacements,
        })
    }

    fn replace(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        self.finder
            .replace_all_with(text, &mut out, |found, _, out| {
                let by = self.replacements.get(found.pattern().as_usize());
                out.push_str(by.map_or(MASK, |by| by));
                true
            });
        out
    }
}

/// Whether a field of this name holds a secret: `password`, `client_secret`, `X-API-Key`,
/// `callToken`. Names of other things about secrets (`token_ttl`, `secret_path`) do not count.
#[must_use]
pub fn is_sensitive_name(name: &str) -> bool {
    let folded: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    SENSITIVE_ENDINGS
        .iter()
        .any(|ending| folded.ends_with(ending))
}

const SENSITIVE_ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "secretkey",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "accountkey",
    "encryptionkey",
    "signingkey",
    "credential",
    "credentials",
    "authorization",
    "cookie",
];

#[cfg(test)]
mod tests;
