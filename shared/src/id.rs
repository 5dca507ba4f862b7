//! Identifiers: parsed once at the edge, trusted inside.

use std::fmt;
use std::sync::Arc;

/// An identifier that breaks its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must match {rule}")]
pub struct InvalidId {
    /// What was being parsed, such as `tool id`.
    pub kind: &'static str,
    /// The rule, as a regular expression.
    pub rule: &'static str,
}

/// Canonical dotted id of a tool, such as `os.linux.runCommand`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToolId(Arc<str>);

impl ToolId {
    /// Longest id accepted, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Parses `^[a-z0-9_]+(\.[A-Za-z0-9_]+)+$`, at most [`ToolId::MAX_LEN`] bytes.
    ///
    /// # Errors
    /// [`InvalidId`] when the text breaks the rule.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let mut parts = text.split('.');
        let head = parts.next().unwrap_or_default();
        let head_ok = !head.is_empty()
            && head
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let mut rest = 0_usize;
        let rest_ok = parts.all(|part| {
            rest += 1;
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        });
        if head_ok && rest_ok && rest > 0 && text.len() <= Self::MAX_LEN {
            Ok(Self(Arc::from(text)))
        } else {
            Err(InvalidId {
                kind: "tool id",
                rule: r"^[a-z0-9_]+(\.[A-Za-z0-9_]+)+$",
            })
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as shared text.
    #[must_use]
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Display for ToolId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id that joins everything one request caused: logs, spans, audit rows, results.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CorrelationId(Arc<str>);

impl CorrelationId {
    /// Keeps a caller's id if it matches `^[A-Za-z0-9._-]{1,128}$`.
    ///
    /// # Errors
    /// [`InvalidId`] when the text breaks the rule; the caller then makes a [`CorrelationId::fresh`] one.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let ok = (1..=128).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if ok {
            Ok(Self(Arc::from(text)))
        } else {
            Err(InvalidId {
                kind: "correlation id",
                rule: "^[A-Za-z0-9._-]{1,128}$",
            })
        }
    }

    /// A new `UUIDv7`.
    #[must_use]
    pub fn fresh() -> Self {
        Self(Arc::from(uuid::Uuid::now_v7().to_string().as_str()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tool_ids_are_dotted_words() {
        for good in [
            "os.linux.runCommand",
            "docs.x",
            "ai.models.a_b",
            "cmdb.local.services.getServiceInfo",
        ] {
            assert_eq!(ToolId::parse(good).unwrap().as_str(), good);
        }
        let long = format!("a.{}", "b".repeat(127));
        for bad in [
            "",
            "os",
            "Os.x",
            ".x",
            "os.",
            "os..x",
            "os.li nux",
            "os.l-x",
            "ös.x",
            long.as_str(),
        ] {
            assert!(ToolId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn correlation_ids_keep_to_their_alphabet() {
        assert_eq!(CorrelationId::parse("abc").unwrap().as_str(), "abc");
        for bad in ["", "a b", "a\n", "ä", &"x".repeat(129)] {
            assert!(CorrelationId::parse(bad).is_err(), "{bad:?}");
        }
        assert_ne!(CorrelationId::fresh(), CorrelationId::fresh());
    }
}
