//! Approvals for people: look, decide, and decisions that another system sends signed.

use super::input::{self, Input};
use super::output;
use super::table::Route;
use crate::approvals::{
    Approval, ApprovalError, ApprovalState, SIGNATURE_HEADER, Said, Signed, TIMESTAMP_HEADER,
    Verdict, WebhookError,
};
use crate::caller::Caller;
use crate::transport::Hub;
use crate::transport::access::Need;
use crate::transport::body;
use crate::transport::refusal::Refusal;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::{HeaderMap, Uri};
use serde::Deserialize;
use serde_json::Value;
use shared::error::Code;
use utoipa::ToSchema;

/// Bytes of one signed decision.
const MAX_WEBHOOK: usize = 64 * 1024;
/// Requests listed when nothing is said, and at most.
const LISTED: (u32, u32) = (50, 100);

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/approvals", list)
            .needs(Need::Credential)
            .envelopes::<Vec<ApprovalDocument>>()
            .says("Requests: the own ones, or all for those who may decide"),
        Route::get("/api/approvals/{id}", show)
            .needs(Need::Credential)
            .envelopes::<ApprovalDocument>()
            .says("One request"),
        Route::post("/api/approvals/{id}/approve", approve)
            .needs(Need::Credential)
            .takes::<Decide>()
            .envelopes::<ApprovalDocument>()
            .once()
            .says("Say yes; needs permission approvals:approve"),
        Route::post("/api/approvals/{id}/reject", reject)
            .needs(Need::Credential)
            .takes::<Decide>()
            .envelopes::<ApprovalDocument>()
            .once()
            .says("Say no; needs permission approvals:approve"),
        Route::post("/api/approvals/webhook", webhook)
            .needs(Need::Nothing)
            .takes::<SignedDecision>()
            .envelopes::<ApprovalDocument>()
            .says("A decision of another system, signed with the shared secret"),
    ]
}

/// The catalogue's type Approval, for the description of the API; `Approval::to_json` makes it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what another module writes")]
struct ApprovalDocument {
    request_id: String,
    tool: String,
    service: String,
    effect: String,
    #[schema(value_type = Object)]
    arguments: Value,
    arguments_hash: String,
    summary: String,
    /// pending, approved, rejected, expired or consumed.
    state: String,
    requester: String,
    requester_name: String,
    rule: String,
    required: u32,
    roles: Vec<String>,
    /// JSON Schema of what a yes comes with.
    #[schema(value_type = Option<Object>)]
    form: Option<Value>,
    reason_required: bool,
    #[schema(value_type = Vec<Object>)]
    votes: Vec<Value>,
    requested_at: String,
    expires_at: String,
    decided_at: Option<String>,
    #[schema(value_type = Option<Object>)]
    readiness: Option<Value>,
    correlation_id: String,
    url: String,
    text: String,
    /// For the requester only, once it is approved.
    token: Option<String>,
}

#[derive(Default, Deserialize)]
struct Wanted {
    state: Option<String>,
    limit: Option<u32>,
}

async fn list(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Response, Refusal> {
    let invalid = |message: &'static str| Refusal::new(Code::InvalidInput, message);
    let Ok(Query(wanted)) = Query::<Wanted>::try_from_uri(&uri) else {
        return Err(invalid("limit must be a whole number"));
    };
    let state = match wanted.state.as_deref() {
        None => None,
        Some(word) => {
            let state = ApprovalState::parse(word);
            Some(state.ok_or_else(|| invalid("state is none a request can have"))?)
        }
    };
    let (usual, most) = LISTED;
    let limit = wanted.limit.unwrap_or(usual);
    if !(1..=most).contains(&limit) {
        return Err(invalid("limit is 1 to 100"));
    }
    let principal = &caller.principal;
    let approvals = &hub.gateway.approvals;
    let listed = approvals
        .list(principal, state, limit)
        .await
        .map_err(refused)?;
    let documents: Vec<Value> = listed
        .iter()
        .map(|approval| approvals.to_json(approval, principal))
        .collect();
    Ok(output::data(documents))
}

async fn show(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let found = hub.gateway.approvals.get(&id, &caller.principal).await;
    Ok(shown(&hub, &caller, &found.map_err(refused)?))
}

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Decide {
    /// Why, for the record.
    #[serde(default)]
    note: Option<String>,
    /// The form of the request, filled in.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    form: Option<Value>,
}

impl Input for Decide {
    const REQUIRED: &'static [&'static str] = &[];
}

async fn approve(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Decide = input::read(&headers, body, hub.settings.body_bytes).await?;
    decide(&hub, &caller, &id, (Verdict::Approve, asked)).await
}

async fn reject(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Decide = input::read(&headers, body, hub.settings.body_bytes).await?;
    decide(&hub, &caller, &id, (Verdict::Reject, asked)).await
}

async fn decide(
    hub: &Hub,
    caller: &Caller,
    id: &str,
    (verdict, asked): (Verdict, Decide),
) -> Result<Response, Refusal> {
    let approvals = &hub.gateway.approvals;
    let said = Said {
        verdict,
        note: asked.note.as_deref(),
        form: asked.form.as_ref(),
    };
    let decided = approvals.decide(id, &caller.principal, said).await;
    Ok(shown(hub, caller, &decided.map_err(refused)?))
}

fn shown(hub: &Hub, caller: &Caller, approval: &Approval) -> Response {
    output::data(hub.gateway.approvals.to_json(approval, &caller.principal))
}

/// A decision of another system. Headers carry its time and its signature.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what another module reads")]
struct SignedDecision {
    request_id: String,
    /// approve or reject.
    decision: String,
    approver: String,
    note: Option<String>,
}

async fn webhook(
    State(hub): State<Hub>,
    headers: HeaderMap,
    raw: Body,
) -> Result<Response, Refusal> {
    let Some(secret) = &hub.webhook_secret else {
        let message = "no webhook secret is set";
        return Err(Refusal::new(Code::NotConfigured, message));
    };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (Some(timestamp), Some(signature)) = (text(TIMESTAMP_HEADER), text(SIGNATURE_HEADER))
    else {
        return Err(Refusal::new(
            Code::Unauthorized,
            "the signature headers are missing",
        ));
    };
    let bytes = body::read(&headers, raw, MAX_WEBHOOK).await?;
    let message = Signed {
        timestamp,
        signature,
        body: &bytes,
    };
    let decided = hub.gateway.approvals.decide_signed(secret, message).await;
    let approval = decided.map_err(unsigned)?;
    let base = &hub.settings.public_url;
    let url = format!("{base}/api/approvals/{}", approval.id);
    Ok(output::data(approval.to_json(&url)))
}

fn unsigned(error: WebhookError) -> Refusal {
    match error {
        WebhookError::Signature => Refusal::new(Code::Unauthorized, error.to_string()),
        WebhookError::Secret => Refusal::new(Code::NotConfigured, error.to_string()),
        WebhookError::Malformed(_) => {
            Refusal::new(Code::InvalidRequest, "the body is not a decision")
        }
        WebhookError::Field(field) => {
            Refusal::new(Code::InvalidInput, error.to_string()).with("field", field)
        }
        WebhookError::Approval(error) => refused(error),
    }
}

fn refused(error: ApprovalError) -> Refusal {
    match error {
        ApprovalError::Invalid(reason) => Refusal::new(Code::ValidationFailed, reason),
        ApprovalError::Form(_) => Refusal::new(Code::ValidationFailed, error.to_string()),
        ApprovalError::Flood => Refusal::new(Code::RateLimited, error.to_string()),
        ApprovalError::NotFound => Refusal::new(Code::NotFound, "there is no such request"),
        ApprovalError::Forbidden(reason) => Refusal::new(Code::InsufficientRights, reason),
        ApprovalError::Conflict(reason) => Refusal::new(Code::Conflict, reason),
        error @ (ApprovalError::Store(_)
        | ApprovalError::Audit(_)
        | ApprovalError::NoRandomness) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(event = "approvals_failed", %error, ?cause, "approvals could not be used");
            Refusal::new(
                Code::ServiceUnavailable,
                "approvals cannot be read or written now",
            )
        }
    }
}
