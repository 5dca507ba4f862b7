//! What a client is told first, in either era: revisions, capabilities, how to work with the hub.

use super::deferred::EXTENSION;
use super::fault::Fault;
use super::frame;
use super::methods::text;
use super::render::server_info;
use super::revision::Revision;
use bytes::Bytes;
use proto::mcp::Params;
use serde_json::{Value, json};

/// What models are told about the hub; clients cut it at 2 KiB.
const INSTRUCTIONS: &str = "Waygate routes tool calls to services and asks people before anything changes. \
Each tool says in _meta waygate/effect what a call changes (read, mutate_own, mutate, critical) and in \
waygate/approval whether people are asked (none, per_call, required). A call that needs them answers \
APPROVAL_REQUIRED with an approval and changes nothing. Tell the user, wait with approvals.wait, then repeat \
exactly the same call with the token of the approved request in _meta waygate/approvalToken. An error says in \
retryable whether the same call may work later, and in retry_after_ms when.";

/// What the hub can do, the same for everybody: what a server adds later is announced as a change.
#[must_use]
pub fn capabilities() -> Value {
    json!({
        "tools": {"listChanged": true},
        "resources": {"listChanged": true, "subscribe": true},
        "prompts": {"listChanged": true},
        "completions": {},
        "logging": {},
    })
}

/// The result of `server/discover`.
#[must_use]
pub(super) fn discovered() -> Bytes {
    let versions: Vec<&str> = Revision::ALL.into_iter().map(Revision::as_str).collect();
    let mut stateless = capabilities();
    if let Some(members) = stateless.as_object_mut() {
        members.insert("extensions".to_owned(), json!({ EXTENSION: {} }));
    }
    frame::encode(&json!({
        "supportedVersions": versions,
        "capabilities": stateless,
        "instructions": INSTRUCTIONS,
        "ttlMs": 300_000,
        "cacheScope": "public",
        "resultType": "complete",
        "_meta": { proto::mcp::META_SERVER_INFO: server_info() },
    }))
}

/// The result of `initialize`.
#[must_use]
pub(super) fn initialized(revision: Revision) -> Bytes {
    frame::encode(&json!({
        "protocolVersion": revision.as_str(),
        "capabilities": capabilities(),
        "serverInfo": server_info(),
        "instructions": INSTRUCTIONS,
    }))
}

/// The revision a client that asks for `params.protocolVersion` gets: that one if it has sessions and
/// is served, else the newest that has.
///
/// # Errors
/// −32602 when the client asks for none.
pub(super) fn negotiated(params: &Params<'_>) -> Result<Revision, Fault> {
    let asked = text(params.protocol_version)
        .ok_or_else(|| Fault::invalid_params("protocolVersion must be the date of a revision"))?;
    let served = Revision::parse(&asked).filter(|revision| !revision.is_modern());
    Ok(served.unwrap_or(Revision::NEWEST_LEGACY))
}
