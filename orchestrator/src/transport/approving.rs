//! A call that needs people, for a client that can send its user to a page of the hub.
//!
//! The client is asked to open the page; what its user does there, signed in, is the approval. That
//! the client says it opened the page is not: the hub waits for the decision of a person. Any other
//! client gets the approval as the outcome of its call and waits with `approvals.wait`.

use super::deferred::Note;
use super::splice::Object;
use crate::approvals::{Approval, ApprovalState};
use crate::error::CallError;
use crate::gateway::{Answer, Gateway, ToolCall};
use crate::upstream::offers::{Bridge, HostRequest};
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::time::Duration;

/// How long the decision is waited for.
const WAIT: Duration = Duration::from_secs(290);
/// The name under which the hub itself asks.
const HUB: &str = "waygate";

/// Makes a call; `base` is the address of the hub without a slash at the end, empty when none is set.
///
/// # Errors
/// As [`Gateway::call_for`]; [`CallError::ApprovalRequired`] when nobody has decided yet.
pub(super) async fn call(
    gateway: &Arc<Gateway>,
    call: ToolCall,
    bridge: Bridge,
    base: &str,
    note: Option<Arc<Note>>,
) -> Result<Answer, CallError> {
    let page_possible = !base.is_empty() && opens_pages(&bridge);
    if !page_possible && note.is_none() {
        return gateway.call_for(call, bridge).await;
    }
    let first = gateway.call_for(call.clone(), bridge.clone()).await;
    let Err(CallError::ApprovalRequired(approval)) = first else {
        return first;
    };
    let request = page_possible.then(|| page(&approval, base, bridge.host.takes_input_required()));
    let decision = async {
        match note {
            Some(note) => patiently(gateway, &call, (&bridge, request), &approval, &note).await,
            None => once(gateway, &call, (&bridge, request), &approval).await,
        }
    };
    let decided = tokio::select! {
        () = call.cancelled.cancelled() => None,
        decided = decision => decided,
    };
    let Some(decided) = decided else {
        return Err(CallError::ApprovalRequired(approval));
    };
    let principal = &call.caller.principal;
    let Some(token) = gateway.approvals.token_for(&decided, principal) else {
        return Err(match decided.state {
            ApprovalState::Pending => CallError::ApprovalRequired(Box::new(decided)),
            _ => CallError::ApprovalInvalid("it was not given"),
        });
    };
    let approved = ToolCall {
        approval_token: Some(token),
        ..call
    };
    gateway.call_for(approved, bridge).await
}

/// The decision, for a host that waits with its request: first the page is opened, then it is waited
/// for, for a while. `None` when the page was not opened.
async fn once(
    gateway: &Gateway,
    call: &ToolCall,
    (bridge, page): (&Bridge, Option<HostRequest>),
    approval: &Approval,
) -> Option<Approval> {
    let answers = bridge.host.ask(HUB, vec![page?]).await.ok()?;
    answers.first().filter(|answer| accepted(answer))?;
    let principal = &call.caller.principal;
    gateway
        .approvals
        .wait(&approval.id, principal, WAIT)
        .await
        .ok()
}

/// The decision, for a host that comes back for the answer: it is waited for as long as the request for
/// approval stands, whether the page is opened or not. `None` when the host will not open the page.
async fn patiently(
    gateway: &Gateway,
    call: &ToolCall,
    (bridge, page): (&Bridge, Option<HostRequest>),
    approval: &Approval,
    note: &Note,
) -> Option<Approval> {
    note.set(format!(
        "{} waits for the approval {} of a person",
        approval.tool.as_str(),
        approval.id
    ));
    let declined = async {
        if let Some(page) = page
            && let Ok(answers) = bridge.host.ask(HUB, vec![page]).await
            && !answers.first().is_some_and(|answer| accepted(answer))
        {
            return;
        }
        std::future::pending::<()>().await;
    };
    let decided = async {
        loop {
            let principal = &call.caller.principal;
            let now = gateway.approvals.wait(&approval.id, principal, WAIT).await;
            match now {
                Ok(now) if now.state == ApprovalState::Pending => {}
                Ok(now) => return Some(now),
                Err(error) => {
                    tracing::warn!(event = "approval_unread", %error, "an approval cannot be waited for");
                    return None;
                }
            }
        }
    };
    let decided = tokio::select! {
        () = declined => None,
        decided = decided => decided,
    };
    note.clear();
    decided
}

/// Whether the client can send its user to a page.
fn opens_pages(bridge: &Bridge) -> bool {
    let elicitation = bridge.host.abilities().elicitation;
    let modes: Option<Value> =
        elicitation.and_then(|raw: Arc<RawValue>| serde_json::from_str(raw.get()).ok());
    modes.is_some_and(|modes| modes.get("url").is_some_and(Value::is_object))
}

/// The request to open the page that shows the call and lets a signed-in person decide.
fn page(approval: &Approval, base: &str, stateless: bool) -> HostRequest {
    let tool = approval.tool.as_str();
    // The stateless era has no ids of elicitations: the answer comes with the call.
    let id = (!stateless).then_some(&approval.id);
    let params = Object::default()
        .with("mode", "url")

        .with(
            "message",
            &format!("{tool} needs the approval of a person before it runs. The page shows exactly what it would do; who may approve decides there."),
        )
        .with("url", &format!("{base}/approvals/{}", approval.id));
    let params = match id {
        Some(id) => params.with("elicitationId", id),
        None => params,
    };
    HostRequest {
        key: "approval".to_owned(),
        method: "elicitation/create".to_owned(),
        params: Some(params.raw()),
    }
}

fn accepted(answer: &RawValue) -> bool {
    let answer: Value = serde_json::from_str(answer.get()).unwrap_or_default();
    answer
        .get("action")
        .is_some_and(|action| action == "accept")
}
