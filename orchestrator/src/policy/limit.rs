//! Limits that policy rules put on calls. Counting is `limits`' matter.

use std::sync::Arc;

/// How often something may happen. 0 means no limit of that length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// In any 60 seconds.
    pub per_minute: u32,
    /// In any 60 minutes.
    pub per_hour: u32,
    /// In any 24 hours.
    pub per_day: u32,
    /// In any second.
    pub burst: u32,
}

impl Rates {
    /// Only a limit per minute.
    #[must_use]
    pub const fn per_minute(limit: u32) -> Self {
        Self {
            per_minute: limit,
            per_hour: 0,
            per_day: 0,
            burst: 0,
        }
    }
}

/// A limit of one rule, counted per principal and tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleLimit {
    /// Name of the rule.
    pub rule: Arc<str>,
    /// How often.
    pub rates: Rates,
}
