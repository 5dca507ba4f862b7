//! MCP messages as the hub reads and writes them.
//!
//! Only what a proxy must look at is typed: the envelope, the method's routing fields and the keys
//! of `_meta` the protocol owns. Everything else stays [`RawValue`]: bytes in, the same bytes out.
//! Source: the MCP specification, revisions 2025-03-26 to 2026-07-28.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The native, stateless revision.
pub const MODERN: &str = "2026-07-28";
/// Revisions served through the session adapter, newest first.
pub const LEGACY: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

/// `_meta` key: revision a modern request speaks.
pub const META_PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// `_meta` key: capabilities of the client for this one request.
pub const META_CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// `_meta` key: name and version of the client; for display only.
pub const META_CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// `_meta` key: name and version of the server; for display only.
pub const META_SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// JSON-RPC and MCP error codes.
pub mod code {
    /// The body is not JSON.
    pub const PARSE: i32 = -32700;
    /// Not a JSON-RPC request.
    pub const INVALID_REQUEST: i32 = -32600;
    /// Unknown method.
    pub const METHOD_NOT_FOUND: i32 = -32601;
    /// Unknown tool, or parameters that break the method's or the tool's schema.
    pub const INVALID_PARAMS: i32 = -32602;
    /// A fault of the hub.
    pub const INTERNAL: i32 = -32603;
    /// An upstream or tool failure.
    pub const SERVER: i32 = -32000;
    /// No such resource (before 2026-07-28).
    pub const RESOURCE_NOT_FOUND: i32 = -32002;
    /// A header differs from the body (revision 2026-07-28).
    pub const HEADER_MISMATCH: i32 = -32020;
    /// The request needs a client capability that was not declared (2026-07-28).
    pub const MISSING_CAPABILITY: i32 = -32021;
    /// Revision not served (2026-07-28).
    pub const UNSUPPORTED_VERSION: i32 = -32022;
}

/// The id of a request: a string or an integer, kept as it was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(pub Box<RawValue>);

/// One incoming JSON-RPC message: request, notification (no `id`) or response (no `method`).
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    /// Must be `2.0`.
    #[serde(default, borrow)]
    pub jsonrpc: Option<&'a RawValue>,
    /// Absent in a notification; an explicit `null` is kept, since it is neither.
    #[serde(default, deserialize_with = "present")]
    pub id: Option<Id>,
    /// Absent in a response.
    #[serde(default)]
    pub method: Option<String>,
    /// An object, where the method has parameters.
    #[serde(default, borrow)]
    pub params: Option<&'a RawValue>,
    /// Present in a successful response.
    #[serde(default, borrow)]
    pub result: Option<&'a RawValue>,
    /// Present in a failed response.
    #[serde(default, borrow)]
    pub error: Option<&'a RawValue>,
}

/// A response with a result.
#[derive(Debug, Serialize)]
pub struct Success<'a> {
    /// Always `2.0`.
    pub jsonrpc: &'static str,
    /// The id of the request, byte for byte.
    pub id: &'a Id,
    /// The result, byte for byte.
    pub result: &'a RawValue,
}

/// A response with an error. `id` is `null` when the request's id could not be read.
#[derive(Debug, Serialize)]
pub struct Failure<'a> {
    /// Always `2.0`.
    pub jsonrpc: &'static str,
    /// The id of the request.
    pub id: Option<&'a Id>,
    /// What went wrong.
    pub error: ErrorObject,
}

/// The `error` member of a response.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorObject {
    /// See [`code`].
    pub code: i32,
    /// One sentence without internals.
    pub message: String,
    /// `code`, `request_id`, `retry_after_ms` and what the code's table names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
}

/// A notification.
#[derive(Debug, Serialize)]
pub struct Notification<'a> {
    /// Always `2.0`.
    pub jsonrpc: &'static str,
    /// Such as `notifications/progress`.
    pub method: &'a str,
    /// The notification's parameters.
    pub params: &'a RawValue,
}

/// The members of `params` the hub looks at, whatever the method. Unknown ones are ignored, as
/// JSON-RPC asks; a member that stands twice is refused.
#[derive(Debug, Default, Deserialize)]
pub struct Params<'a> {
    /// Per-request metadata.
    #[serde(default, borrow, rename = "_meta")]
    pub meta: Option<&'a RawValue>,
    /// `tools/call`, `prompts/get`: canonical id or wire alias.
    #[serde(default, borrow)]
    pub name: Option<&'a RawValue>,
    /// `resources/read`: which one.
    #[serde(default, borrow)]
    pub uri: Option<&'a RawValue>,
    /// `tasks/…`: which one.
    #[serde(default, borrow, rename = "taskId")]
    pub task_id: Option<&'a RawValue>,
    /// `tools/call`: the tool's arguments; absent means `{}`.
    #[serde(default, borrow)]
    pub arguments: Option<&'a RawValue>,
    /// Lists: where the last page ended.
    #[serde(default, borrow)]
    pub cursor: Option<&'a RawValue>,
    /// `initialize`: the revision the client wants.
    #[serde(default, borrow, rename = "protocolVersion")]
    pub protocol_version: Option<&'a RawValue>,
    /// `initialize`: what the client can do.
    #[serde(default, borrow)]
    pub capabilities: Option<&'a RawValue>,
    /// `initialize`: name and version of the client; for display only.
    #[serde(default, borrow, rename = "clientInfo")]
    pub client_info: Option<&'a RawValue>,
    /// `notifications/cancelled`: which request.
    #[serde(default, borrow, rename = "requestId")]
    pub request_id: Option<&'a RawValue>,
    /// `logging/setLevel`: least severity.
    #[serde(default, borrow)]
    pub level: Option<&'a RawValue>,
    /// `subscriptions/listen`: what the client wants to hear of.
    #[serde(default, borrow)]
    pub notifications: Option<&'a RawValue>,
    /// A call made again after `input_required`, `tasks/update`: the client's answers, by key.
    #[serde(default, borrow, rename = "inputResponses")]
    pub input_responses: Option<&'a RawValue>,
    /// A call made again after `input_required`: what the server gave to be brought back.
    #[serde(default, borrow, rename = "requestState")]
    pub request_state: Option<&'a RawValue>,
    /// All of it, as it was sent; `None` when there was none.
    #[serde(skip)]
    pub raw: Option<&'a RawValue>,
}

/// Keeps `null` apart from absence.
fn present<'de, D: serde::Deserializer<'de>>(reader: D) -> Result<Option<Id>, D::Error> {
    Id::deserialize(reader).map(Some)
}
