//! Documents more than one door shows.

use crate::approvals::{Approval, ApprovalState};
use serde_json::{Value, json};
use shared::tool::Check;

/// What the requester of an approval, and those who decide, are shown. `base` is the address of the
/// hub without a slash at the end; `token` is the requester's only.
#[must_use]
pub fn approval(approval: &Approval, base: &str, token: Option<&str>) -> Value {
    let checks: Vec<Value> = approval.checks.iter().map(check).collect();
    let ready = approval.checks.iter().all(|check| check.ok);
    let mut document = json!({
        "request_id": approval.id,
        "tool": approval.tool.as_str(),
        "service": &*approval.service,
        "effect": approval.effect.as_str(),
        "arguments": approval.arguments,
        "arguments_hash": &*approval.arguments_hash,
        "summary": approval.summary,
        "state": state(approval.state),
        "requester": &*approval.requester,
        "required": approval.required,
        "requested_at": format!("{:.3}", approval.requested_at),
        "expires_at": format!("{:.3}", approval.expires_at),
        "readiness": {"ready": ready, "checks": checks},
        "url": format!("{base}/api/approvals/{}", approval.id),
    });
    if let (Value::Object(document), Some(token)) = (&mut document, token) {
        document.insert("token".into(), token.into());
    }
    document
}

/// The word for where a request stands.
#[must_use]
pub const fn state(state: ApprovalState) -> &'static str {
    match state {
        ApprovalState::Pending => "pending",
        ApprovalState::Approved => "approved",
        ApprovalState::Rejected => "rejected",
        ApprovalState::Expired => "expired",
        ApprovalState::Consumed => "consumed",
    }
}

fn check(check: &Check) -> Value {
    json!({"name": check.name, "ok": check.ok, "detail": check.detail})
}
