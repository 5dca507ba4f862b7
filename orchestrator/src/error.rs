//! The one error of a tool call: a variant per step, a code each.

use crate::metrics::ErrorType;
use crate::policy::Denial;
use crate::upstream::UpstreamError;
use shared::arguments::{Refusal, Violation};
use shared::error::Code;
use shared::tool::ToolError;
use std::time::Duration;

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The credential was revoked or ran out since it was presented.
    #[error("the credential is no longer valid")]
    Unauthorized,
    /// No tool of this name, or none the caller may know of.
    #[error("unknown tool: {0}")]
    UnknownTool(String),
    /// No resource or prompt of this name, or none the caller may know of.
    #[error("unknown {what}: {name}")]
    UnknownOffer {
        /// Such as `resource`.
        what: &'static str,
        /// As it was asked for.
        name: String,
    },
    /// The definition changed and nobody has accepted the change yet.
    #[error("the definition of {0} changed and waits for an operator to accept it")]
    Quarantined(String),
    /// The bytes are not acceptable JSON.
    #[error("{0}")]
    Malformed(#[source] Refusal),
    /// An argument breaks the tool's schema.
    #[error("{0}")]
    Invalid(#[source] Violation),
    /// Policy says no.
    #[error("{}", .0.message)]
    Denied(Denial),
    /// People must say yes first.
    #[error("this call needs an approval")]
    ApprovalRequired(Box<crate::approvals::Approval>),
    /// The approval token does not fit this call, was used, or is over.
    #[error("the approval cannot be used: {0}")]
    ApprovalInvalid(&'static str),
    /// Too many approvals of this requester are waiting.
    #[error("too many approval requests are waiting; decide or withdraw some first")]
    ApprovalFlood,
    /// Over a limit.
    #[error("too many calls")]
    Limited(crate::limits::Limited),
    /// The idempotency key was used for another call, or its call is still running.
    #[error("{0}")]
    Conflict(&'static str),
    /// An earlier call with this idempotency key may or may not have had its effect.
    #[error("an earlier call with this key may or may not have had its effect")]
    OutcomeUnknown,
    /// The audit trail or the store cannot take the record, so nothing may run.
    #[error("the call could not be recorded, so it was not made")]
    Unrecorded,
    /// Calls that call, too deep.
    #[error("calls are nested too deeply")]
    TooDeep,
    /// The hub is stopping.
    #[error("the hub is stopping")]
    Stopping,
    /// The upstream gave no result.
    #[error("{}", public_text(.0))]
    Upstream(#[source] UpstreamError),
    /// A fault of the hub; the cause is in the log.
    #[error("internal error")]
    Internal,
}

impl CallError {
    /// The code shown to callers.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Unauthorized => Code::Unauthorized,
            Self::UnknownTool(_) => Code::ToolNotFound,
            Self::UnknownOffer { .. } => Code::NotFound,
            Self::Quarantined(_) | Self::Stopping | Self::Unrecorded => Code::ServiceUnavailable,
            Self::Malformed(Refusal::TooLarge(_)) => Code::PayloadTooLarge,
            Self::Malformed(_) | Self::Invalid(_) => Code::InvalidInput,
            Self::Denied(_) | Self::TooDeep => Code::AccessDenied,
            Self::ApprovalRequired(_) => Code::ApprovalRequired,
            Self::ApprovalInvalid(_) => Code::ApprovalInvalid,
            Self::ApprovalFlood | Self::Limited(_) => Code::RateLimited,
            Self::Conflict(_) => Code::Conflict,
            Self::OutcomeUnknown => Code::OutcomeUnknown,
            Self::Upstream(error) => upstream_code(error),
            Self::Internal => Code::InternalError,
        }
    }

    /// When the same call may be tried again; `None` when waiting does not help or is unknown.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited(limited) => Some(limited.retry_after),
            Self::Upstream(
                UpstreamError::BreakerOpen { retry_after }
                | UpstreamError::Overloaded { retry_after },
            ) => Some(*retry_after),
            Self::Upstream(UpstreamError::Tool(error)) => error.retry_after,
            _ => None,
        }
    }

    /// The tool's own failure, which is an answer (`isError`) and no protocol error.
    #[must_use]
    pub const fn tool_error(&self) -> Option<&ToolError> {
        match self {
            Self::Upstream(UpstreamError::Tool(error)) => Some(error),
            _ => None,
        }
    }
}

impl From<&CallError> for ErrorType {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::Upstream(error) => match error {
                UpstreamError::Timeout => Self::Timeout,
                UpstreamError::Unreachable(_) | UpstreamError::Lost(_) => Self::Unreachable,
                UpstreamError::BreakerOpen { .. } => Self::BreakerOpen,
                _ => Self::Upstream,
            },
            CallError::UnknownTool(_)
            | CallError::UnknownOffer { .. }
            | CallError::Malformed(_)
            | CallError::Invalid(_)
            | CallError::Conflict(_) => Self::Validation,
            CallError::Unauthorized
            | CallError::Denied(_)
            | CallError::ApprovalRequired(_)
            | CallError::ApprovalInvalid(_)
            | CallError::TooDeep
            | CallError::Quarantined(_) => Self::Denied,
            CallError::ApprovalFlood | CallError::Limited(_) => Self::RateLimited,
            CallError::OutcomeUnknown
            | CallError::Unrecorded
            | CallError::Stopping
            | CallError::Internal => Self::Internal,
        }
    }
}

const fn upstream_code(error: &UpstreamError) -> Code {
    match error {
        UpstreamError::Unreachable(_) | UpstreamError::Overloaded { .. } => {
            Code::ServiceUnavailable
        }
        UpstreamError::Lost(_) | UpstreamError::BadAnswer(_) => Code::BadGateway,
        UpstreamError::Timeout => Code::Timeout,
        UpstreamError::Refused(_) => Code::ProxyError,
        UpstreamError::BreakerOpen { .. } => Code::CircuitBreakerOpen,
        UpstreamError::Cancelled => Code::RequestTimeout,
        UpstreamError::Tool(error) => error.code,
        UpstreamError::Peer(error) => match error.code {
            -32602 => Code::InvalidInput,
            -32002 => Code::NotFound,
            -32601 => Code::NotSupported,
            _ => Code::BadGateway,
        },
        UpstreamError::InputRequired(_) => Code::InteractiveRefused,
    }
}

/// What a caller reads: never the text of a connection error, which may name hosts and paths.
fn public_text(error: &UpstreamError) -> String {
    match error {
        UpstreamError::Unreachable(_) => "the service cannot be reached".into(),
        UpstreamError::Lost(_) => "the connection to the service was lost during the call".into(),
        UpstreamError::BadAnswer(_) => "the service gave an answer that cannot be used".into(),
        UpstreamError::Refused(_) => "the service refused the hub".into(),
        UpstreamError::Tool(error) => error.message.clone(),
        UpstreamError::Peer(error) => error.message.clone(),
        UpstreamError::InputRequired(_) => {
            "the tool asks for input, and this way of calling cannot give any".into()
        }
        UpstreamError::Timeout
        | UpstreamError::BreakerOpen { .. }
        | UpstreamError::Overloaded { .. }
        | UpstreamError::Cancelled => error.to_string(),
    }
}
