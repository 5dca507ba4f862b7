//! What leaves the spoke: results held against their size and schema, and the forms both doors share.

use super::approvals::Approval;
use super::catalogue::Entry;
use crate::error::Code;
use crate::tool::{Check, ContentKind, Output, ToolError};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Refuses what is too large or breaks the tool's own schema.
pub(super) fn vetted(entry: &Entry, output: Output, max_bytes: usize) -> Result<Output, ToolError> {
    let beside: usize = output
        .content
        .iter()
        .map(|content| content.data.len())
        .sum();
    let bytes = output.structured.get().len().saturating_add(beside);
    if bytes > max_bytes {
        return Err(ToolError::new(
            Code::PayloadTooLarge,
            format!("the result has {bytes} bytes, at most {max_bytes} are sent; ask for less"),
        ));
    }
    let broken = match serde_json::from_str(output.structured.get()) {
        Ok(value) => entry
            .output_schema
            .check(&value)
            .err()
            .map(|v| v.to_string()),
        Err(error) => Some(error.to_string()),
    };
    match broken {
        None => Ok(output),
        Some(violation) => {
            let tool = entry.id();
            tracing::error!(event = "spoke.output_schema", %tool, violation, "a tool broke its own output schema");
            Err(internal())
        }
    }
}

/// A fault of the spoke; what happened is in its log.
pub(super) fn internal() -> ToolError {
    ToolError::new(Code::InternalError, "an internal error occurred")
}

/// The spoke's own store does not answer; nothing was changed.
pub(super) fn store_away(error: &super::store::StoreError) -> ToolError {
    tracing::error!(
        event = "spoke.store",
        error = error as &dyn std::error::Error,
        "the store failed"
    );
    ToolError::refused(
        Code::ServiceUnavailable,
        "the service's own store does not answer",
    )
    .retryable()
}

/// Milliseconds, rounded up to at least one so that "soon" is not "now".
pub(super) fn retry_after_ms(error: &ToolError) -> Option<u32> {
    let wait = error.retry_after?;
    Some(u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).max(1))
}

/// `error{…}` of the catalogue's common rules.
pub(super) fn error_document(error: &ToolError) -> Value {
    let mut document = json!({
        "code": error.code.as_str(),
        "message": error.message,
        "details": error.details.clone().unwrap_or_else(|| json!({})),
        "retryable": error.retryable,
    });
    if let (Some(ms), Some(object)) = (retry_after_ms(error), document.as_object_mut()) {
        object.insert("retry_after_ms".into(), json!(ms));
    }
    document
}

/// The catalogue's type `Approval`.
pub(super) fn approval_document(approval: &Approval) -> Value {
    let mut document = json!({
        "request_id": approval.id,
        "tool": approval.tool,
        "effect": approval.effect,
        "arguments_hash": approval.arguments_hash,
        "summary": approval.summary,
        "state": approval.state.as_str(),
        "requested_at": time(approval.requested_at),
        "expires_at": time(approval.expires_at),
        "readiness": approval.readiness.as_deref().map(ready_document),
        "url": "",
    });
    if let (Some(token), Some(object)) = (&approval.token, document.as_object_mut()) {
        object.insert("token".into(), json!(token));
    }
    document
}

/// The catalogue's type `Ready`.
pub(super) fn ready_document(checks: &[Check]) -> Value {
    let list: Vec<Value> = checks
        .iter()
        .map(|check| json!({"name": check.name, "ok": check.ok, "detail": check.detail}))
        .collect();
    json!({"ready": checks.iter().all(|check| check.ok), "checks": list})
}

/// The error that stands for "ask a person first".
pub(super) fn approval_error(service: &str, approval: &Approval) -> ToolError {
    let message = match &approval.token {
        Some(_) => "approved: repeat the call with _meta \"waygate/approvalToken\"".to_owned(),
        None => format!(
            "approval needed: on its host run `{service} approvals approve {}`, then repeat the call",
            approval.id
        ),
    };
    ToolError::refused(Code::ApprovalRequired, message)
}

/// The word of the wire for a kind of content.
pub(super) const fn kind_word(kind: ContentKind) -> &'static str {
    match kind {
        ContentKind::Text => "text",
        ContentKind::Image => "image",
        ContentKind::Audio => "audio",
        ContentKind::Resource => "resource",
    }
}

fn time(seconds: i64) -> String {
    Timestamp::from_second(seconds)
        .unwrap_or_default()
        .to_string()
}
