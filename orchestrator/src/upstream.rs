//! Whatever the hub calls: a spoke, the hub's own tools, third-party servers.
//!
//! The seam [`Upstream`] and its terms. How calls are protected is `resilience`'s matter, which tool
//! lives where is `router`'s.

mod facts;
pub mod grpc;
pub mod local;
pub mod mcp;
pub mod offers;
#[cfg(test)]
pub(crate) mod scripted;

use crate::policy::{Permit, Reach};
use async_trait::async_trait;
use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use offers::{Bridge, InputRequired, PeerError};
use serde_json::value::RawValue;
use shared::id::ToolId;
use shared::tool::{Assessment, Call, Effect, Output, ToolError};
use std::sync::Arc;
use std::time::Duration;

/// Something that offers tools.
#[async_trait]
pub trait Upstream: Send + Sync {
    /// What it offers now.
    ///
    /// # Errors
    /// [`UpstreamError`]; asking again is always safe.
    async fn describe(&self) -> Result<Description, UpstreamError>;

    /// Whether it works: its own health word, through the standard health service.
    ///
    /// # Errors
    /// [`UpstreamError`]; asking again is always safe.
    async fn probe(&self) -> Result<Health, UpstreamError>;

    /// What one call would do, without doing it.
    ///
    /// # Errors
    /// [`UpstreamError`]; asking again is always safe.
    async fn assess(&self, reach: &Reach, call: &UpstreamCall)
    -> Result<Assessment, UpstreamError>;

    /// Runs a tool. Dropping the future cancels the call.
    ///
    /// # Errors
    /// [`UpstreamError`]; [`UpstreamError::did_not_run`] says whether a retry is safe.
    async fn call(&self, permit: &Permit, call: &UpstreamCall) -> Result<Output, UpstreamError>;
}

/// One call on its way to an upstream.
#[derive(Debug, Clone)]
pub struct UpstreamCall {
    /// Canonical id.
    pub tool: ToolId,
    /// The arguments as they were received; forwarded verbatim.
    pub arguments: Bytes,
    /// See [`shared::arguments::hash`].
    pub arguments_hash: Arc<str>,
    /// The effect of this very call.
    pub effect: Effect,
    /// Twice leaves the same state as once, so a resend is safe.
    pub idempotent: bool,
    /// Principal, deadline, cancellation, progress.
    pub call: Call,
    /// The way back to the caller's client; spokes do not use it.
    pub bridge: Bridge,
}

/// What an upstream offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// Folder name of the service, such as `12_cmdb_mcp`.
    pub service: Arc<str>,
    /// Version of its build.
    pub version: String,
    /// New at every start of its process.
    pub boot_id: String,
    /// Dotted prefixes it answers for.
    pub namespaces: Vec<String>,
    /// Sorted by id.
    pub tools: Vec<Arc<ToolFacts>>,
    /// A read tool without parameters that shows whether it works; `None` when it has none.
    pub canary: Option<ToolId>,
    /// Equal digests mean equal tools.
    pub manifest_digest: String,
}

/// What the hub knows of one tool.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent marks of the catalogue, not states"
)]
pub struct ToolFacts {
    /// Canonical id.
    pub id: ToolId,
    /// For people.
    pub title: String,
    /// For models.
    pub description: String,
    /// JSON Schema of the arguments, as the upstream wrote it.
    pub input_schema: Box<RawValue>,
    /// JSON Schema of the structured result, as the upstream wrote it; `None` when it gave none.
    pub output_schema: Option<Box<RawValue>>,
    /// Effect of a call, or the worst one when it depends on the arguments.
    pub effect: Effect,
    /// The effect depends on the arguments.
    pub effect_per_call: bool,
    /// Twice leaves the same state as once.
    pub idempotent: bool,
    /// 300 s instead of 30 s.
    pub long_running: bool,
    /// Removes or stops something.
    pub destructive: bool,
    /// Reaches systems outside the upstream's host.
    pub open_world: bool,
    /// Results hold secrets: never cached or logged.
    pub sensitive: bool,
    /// The answer changes by itself: never cached.
    pub live: bool,
    /// Other ids that mean this tool.
    pub aliases: Vec<String>,
    /// How an MCP server wrote it; `None` for tools of spokes and of the hub.
    pub wire: Option<WireTool>,
    /// SHA-256 (hex) over the definition; pinned.
    pub digest: String,
}

/// A tool as an MCP server wrote it.
#[derive(Debug, Clone)]
pub struct WireTool {
    /// The server's own name of it.
    pub name: Arc<str>,
    /// Its entry in `tools/list`, byte for byte. Hosts get it with `name` and `_meta` rewritten.
    pub definition: Box<RawValue>,
}

impl PartialEq for ToolFacts {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.digest == other.digest
    }
}

/// One digest (hex) over those of `tools`, which must be sorted by id.
#[must_use]
pub fn manifest_digest(tools: &[Arc<ToolFacts>]) -> String {
    let mut all = Context::new(&SHA256);
    for tool in tools {
        all.update(tool.digest.as_bytes());
    }
    hex::encode(all.finish())
}

/// Health words of `interfaces.md` 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    /// Works.
    Healthy,
    /// Works in part.
    Degraded,
    /// Does not work.
    Unhealthy,
}

impl Health {
    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// Why an upstream gave no result. The message is for logs; callers see a fixed text per variant.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UpstreamError {
    /// The request certainly never reached the tool: refused connection, failed handshake.
    #[error("the upstream could not be reached: {0}")]
    Unreachable(String),
    /// The connection was lost after the request left: the tool may or may not have run.
    #[error("the connection to the upstream was lost: {0}")]
    Lost(String),
    /// The deadline passed: the tool may or may not have run.
    #[error("the upstream did not answer in time")]
    Timeout,
    /// The answer breaks the contract.
    #[error("the upstream broke the contract: {0}")]
    BadAnswer(String),
    /// The upstream refused the hub's credential or call token; nothing ran.
    #[error("the upstream refused the hub: {0}")]
    Refused(String),
    /// The breaker is open; nothing was sent.
    #[error("the circuit breaker is open")]
    BreakerOpen {
        /// When to come back.
        retry_after: Duration,
    },
    /// The bulkhead is full; nothing was sent.
    #[error("too many calls are in flight")]
    Overloaded {
        /// When to come back.
        retry_after: Duration,
    },
    /// The caller gave up.
    #[error("the call was cancelled")]
    Cancelled,
    /// The tool itself failed; that is an answer, and no fault of the upstream.
    #[error("the tool failed: {0}")]
    Tool(#[source] ToolError),
    /// An MCP server answered with a protocol error of its own.
    #[error("the server refused the request: {0}")]
    Peer(#[source] PeerError),
    /// The server wants to know more first; only for hosts that take it. Nothing was done.
    #[error("the server asks for input")]
    InputRequired(Box<InputRequired>),
}

impl UpstreamError {
    /// Whether the tool certainly changed nothing.
    #[must_use]
    pub const fn did_not_run(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::Refused(_)
            | Self::BreakerOpen { .. }
            | Self::Overloaded { .. }
            | Self::InputRequired(_) => true,
            Self::Lost(_)
            | Self::Timeout
            | Self::BadAnswer(_)
            | Self::Cancelled
            | Self::Peer(_) => false,
            Self::Tool(error) => error.did_not_run,
        }
    }
}
