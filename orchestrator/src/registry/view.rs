//! Services, as operators and the hub's own tools see them.

use crate::resilience::BreakerView;
use jiff::Timestamp;
use std::sync::Arc;

/// How a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServiceStatus {
    /// Works.
    Healthy,
    /// Works in part.
    Degraded,
    /// Answers, and says that it does not work; or has stopped answering well.
    Unhealthy,
    /// Does not answer.
    #[default]
    Unreachable,
}

impl ServiceStatus {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Unreachable => "unreachable",
        }
    }

    /// Whether calls are likely to be answered.
    #[must_use]
    pub const fn is_available(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }
}

/// One service.
#[derive(Debug, Clone)]
pub struct ServiceView {
    /// 0 for the hub's own tools.
    pub number: u8,
    /// Folder name.
    pub service: Arc<str>,
    /// Dotted prefixes configured for it.
    pub namespaces: Vec<String>,
    /// `http://host:port`; empty for the hub's own tools.
    pub url: String,
    /// These are the hub's own tools.
    pub own: bool,
    /// Now.
    pub status: ServiceStatus,
    /// Version of its build; `None` before it was first seen.
    pub version: Option<String>,
    /// Tools it offers, quarantined ones included; the last known ones while it is down.
    pub tool_count: usize,
    /// Tools that wait for an operator to accept a changed definition.
    pub quarantined: usize,
    /// When it last answered; `None` before it was first seen.
    pub last_seen: Option<Timestamp>,
    /// Why it is not healthy; for operators only, since it may name hosts.
    pub fault: Option<String>,
    /// Reads, then changes; `None` for the hub's own tools.
    pub breakers: Option<[BreakerView; 2]>,
}
