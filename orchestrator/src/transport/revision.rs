//! The revisions of MCP the hub serves, and what differs between them in a result.

use proto::mcp::{LEGACY, MODERN};

/// A revision, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// Sessions; text results.
    March2025,
    /// Sessions; structured results.
    June2025,
    /// Sessions; structured results, JSON Schema 2020-12.
    November2025,
    /// No sessions; every request stands alone.
    July2026,
}

impl Revision {
    /// Every revision, newest first.
    pub const ALL: [Self; 4] = [
        Self::July2026,
        Self::November2025,
        Self::June2025,
        Self::March2025,
    ];

    /// The date that names it on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        let [november, june, march] = LEGACY;
        match self {
            Self::July2026 => MODERN,
            Self::November2025 => november,
            Self::June2025 => june,
            Self::March2025 => march,
        }
    }

    /// Reads the date; `None` for a revision that is not served.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|revision| revision.as_str() == text)
    }

    /// The newest revision that has `initialize` and sessions.
    pub const NEWEST_LEGACY: Self = Self::November2025;

    /// Stateless, with `_meta` on every request.
    #[must_use]
    pub fn is_modern(self) -> bool {
        self == Self::July2026
    }

    /// Knows `structuredContent`, `outputSchema` and `title`.
    #[must_use]
    pub fn has_structured_results(self) -> bool {
        self >= Self::June2025
    }

    /// A structured result may be something else than an object.
    #[must_use]
    pub fn has_any_structured_value(self) -> bool {
        self.is_modern()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_survive_the_wire_and_are_ordered() {
        for revision in Revision::ALL {
            assert_eq!(Revision::parse(revision.as_str()), Some(revision));
        }
        assert_eq!(Revision::parse("2024-11-05"), None);
        assert!(Revision::ALL.is_sorted_by(|newer, older| newer > older));
        assert!(Revision::ALL.is_sorted_by(|newer, older| newer.as_str() > older.as_str()));
    }
}
