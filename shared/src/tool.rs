//! A tool: what it is, what a call gets, what it gives back.
//!
//! Authors implement [`TypedTool`]; [`Typed`] turns one into the object-safe [`Tool`] the harness
//! serves. Transport formats are not known here.

mod alias;
mod definition;
mod typed;

pub use alias::{MAX_ALIAS, distinct_alias, wire_alias};
pub use definition::{Effect, Spec, ToolDefinition};
pub use typed::{Typed, TypedTool, boxed};

use crate::error::Code;
use crate::grant::Grant;
use crate::id::CorrelationId;
use async_trait::async_trait;
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// One tool a spoke offers.
///
/// The harness has checked the arguments against the input schema and filled in its defaults before
/// either method is called, and drops the future when the caller cancels or the deadline passes: what
/// is taken before an `.await` must be given back by a guard's `Drop`.
#[async_trait]
pub trait Tool: Send + Sync {
    /// Name, schemas, effect.
    fn definition(&self) -> &ToolDefinition;

    /// What a call with these arguments would do, without doing it.
    ///
    /// # Errors
    /// When the arguments are refused by a rule the schema cannot say.
    async fn assess(&self, arguments: &Value, call: &Call) -> Result<Assessment, ToolError>;

    /// Does it.
    ///
    /// # Errors
    /// [`ToolError`]; `did_not_run` when nothing was changed, so that a retry is safe.
    async fn call(&self, arguments: Value, call: &Call) -> Result<Output, ToolError>;
}

/// The circumstances of one call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who asked, as the hub knows them.
    pub principal: String,
    /// Organisation of the principal.
    pub organization: String,
    /// Namespace of the call.
    pub namespace: String,
    /// Permissions of the principal.
    pub permissions: Vec<String>,
    /// Joins everything this call causes.
    pub correlation_id: CorrelationId,
    /// W3C trace context, when the caller sent one.
    pub traceparent: Option<String>,
    /// Same key, same effect: a resend returns the stored result. `None` for reads.
    pub idempotency_key: Option<String>,
    /// The approval under which a change runs; `None` for reads and for changes policy waived.
    pub grant: Option<Grant>,
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// Fires when the caller cancels.
    pub cancelled: CancellationToken,
    /// Where progress goes.
    pub progress: Progress,
}

impl Call {
    /// Time left; zero when the deadline has passed.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// One report about long work.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
    /// How far the work is.
    Progress {
        /// Units done; grows with every report.
        done: f64,
        /// Units in all; `None` when unknown.
        total: Option<f64>,
        /// For a person.
        message: String,
    },
    /// A line for the caller's log.
    Log {
        /// Severity.
        level: LogLevel,
        /// For a person.
        message: String,
    },
}

/// Severity of a log line sent to the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Detail.
    Debug,
    /// Normal.
    Info,
    /// Odd, but the work goes on.
    Warning,
    /// The work failed.
    Error,
}

/// Takes [`Report`]s; the latest wins when the receiver is slow. Cheap to clone.
#[derive(Clone)]
pub struct Progress(Option<Arc<dyn Fn(Report) + Send + Sync>>);

impl Progress {
    /// Nobody listens.
    #[must_use]
    pub const fn ignored() -> Self {
        Self(None)
    }

    /// Hands every report to `sink`, which must not block.
    #[must_use]
    pub fn to(sink: impl Fn(Report) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(sink)))
    }

    /// Whether anybody listens, for work that is only done to report.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Reports `done` of `total` units.
    pub fn report(&self, done: f64, total: Option<f64>, message: impl Into<String>) {
        self.send(Report::Progress {
            done,
            total,
            message: message.into(),
        });
    }

    /// Passes a report on as it is.
    pub fn send(&self, report: Report) {
        if let Some(sink) = &self.0 {
            sink(report);
        }
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Progress").field(&self.is_wanted()).finish()
    }
}

/// What a successful call gives back.
#[derive(Debug, Clone)]
pub struct Output {
    /// JSON that fits the output schema.
    pub structured: Box<RawValue>,
    /// Pictures and the like, beside the structured value.
    pub content: Vec<Content>,
    /// Holds a secret: not cached, not logged, redacted in audit.
    pub sensitive: bool,
    /// This is a stored result: the idempotency key was seen before.
    pub replayed: bool,
    /// The result as an MCP server wrote it; `None` for tools of spokes and of the hub.
    pub wire: Option<WireResult>,
}

/// A complete `CallToolResult`, byte for byte: what hosts get in the place of the rest.
#[derive(Debug, Clone)]
pub struct WireResult {
    /// The result object.
    pub json: Box<RawValue>,
    /// Its `isError`: the tool itself failed.
    pub is_error: bool,
}

impl Output {
    /// A plain structured result.
    #[must_use]
    pub const fn structured(structured: Box<RawValue>) -> Self {
        Self {
            structured,
            content: Vec::new(),
            sensitive: false,
            replayed: false,
            wire: None,
        }
    }
}

/// One piece of content beside the structured result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// What the bytes are.
    pub kind: ContentKind,
    /// RFC 6838 media type.
    pub mime_type: String,
    /// The bytes, not encoded.
    pub data: bytes::Bytes,
}

/// The kinds of content MCP knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentKind {
    /// UTF-8 text.
    Text,
    /// A picture.
    Image,
    /// A sound.
    Audio,
    /// An embedded resource.
    Resource,
}

/// What one call would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// The effect of this very call.
    pub effect: Effect,
    /// For the person who approves: what will happen, one fact a line. Non-printables are escaped.
    pub summary: String,
    /// Preconditions of critical work; empty when there are none.
    pub checks: Vec<Check>,
}

impl Assessment {
    /// An effect with a summary and nothing to check.
    #[must_use]
    pub fn of(effect: Effect, summary: impl Into<String>) -> Self {
        Self {
            effect,
            summary: summary.into(),
            checks: Vec::new(),
        }
    }

    /// Whether every check holds.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
    }
}

/// One precondition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// What was seen.
    pub detail: String,
}

/// Why a call failed. The message reaches the model: one sentence, no paths of the host, no secrets.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ToolError {
    /// The class of failure.
    pub code: Code,
    /// What went wrong and what to do about it.
    pub message: String,
    /// Facts for programs; `None` when there are none.
    pub details: Option<Value>,
    /// The same call may work later.
    pub retryable: bool,
    /// When to come back; `None` when unknown.
    pub retry_after: Option<Duration>,
    /// The body certainly changed nothing.
    pub did_not_run: bool,
}

impl ToolError {
    /// A failure after the tool may have acted; not retryable.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: None,
            retryable: false,
            retry_after: None,
            did_not_run: false,
        }
    }

    /// A refusal before anything happened.
    #[must_use]
    pub fn refused(code: Code, message: impl Into<String>) -> Self {
        Self {
            did_not_run: true,
            ..Self::new(code, message)
        }
    }

    /// An argument that breaks a rule the schema cannot say; names the field.
    #[must_use]
    pub fn invalid(field: &str, rule: impl std::fmt::Display) -> Self {
        let mut error = Self::refused(Code::InvalidInput, format!("{field}: {rule}"));
        error.details = Some(serde_json::json!({ "field": field }));
        error
    }

    /// A setting the operator has to make first; names it.
    #[must_use]
    pub fn not_configured(setting: &str) -> Self {
        Self::refused(
            Code::NotConfigured,
            format!("not configured: set {setting}"),
        )
    }

    /// Says that the same call may work later.
    #[must_use]
    pub const fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// Adds facts for programs.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }
}
/// Whether a call says that it would rather be refused than have an approval requested for it. It never
/// lowers protection. Source: `catalogue.md` 4, "01".
#[must_use]
pub fn declines_approval(arguments: &Value) -> bool {
    arguments.get("requires_approval") == Some(&Value::Bool(false))
}
