//! Changes whose outcome nobody knows: look, and write down what a person found out.
//!
//! Callers see their own; who may decide about approvals sees those of the organisation and resolves
//! them. What became of a workflow's step is settled at the run.

use super::input::{self, Input, Paging};
use super::output;
use super::table::Route;
use crate::audit::Event;
use crate::auth::{CredentialKind, Principal, Verb};
use crate::caller::Caller;
use crate::ledger::{EffectView, Resolved, Whose};
use crate::store::StoreError;
use crate::transport::Hub;
use crate::transport::access::Need;
use crate::transport::refusal::Refusal;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, Uri};
use serde::Deserialize;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use shared::error::Code;
use std::sync::Arc;
use utoipa::ToSchema;

/// Longest reason, in bytes.
const MAX_REASON: usize = 4096;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/effects", list)
            .needs_tools(Verb::Read)
            .envelopes::<Vec<EffectDocument>>()
            .says("Changes whose outcome nobody knows, newest first"),
        Route::get("/api/effects/{id}", show)
            .needs_tools(Verb::Read)
            .envelopes::<EffectDocument>()
            .says("One of them"),
        Route::post("/api/effects/{id}/resolve", resolve)
            .needs(Need::Permission("approvals", Verb::Approve))
            .takes::<Resolve>()
            .envelopes::<EffectDocument>()
            .says("Write down what became of one: succeeded, failed, or retry for not made"),
    ]
}

/// A change of unknown outcome.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what `document` writes")]
struct EffectDocument {
    effect_id: String,
    principal: String,
    /// Of a step of a workflow: run, path and attempt.
    idempotency_key: String,
    tool: String,
    arguments_hash: String,
    /// unknown, done, failed or free.
    state: String,
    created_at: String,
    expires_at: String,
}

/// What a person found out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Resolve {
    /// `succeeded`, `failed`, or `retry`: it was not made, and its key is free again.
    outcome: String,
    /// How one knows; kept in the audit trail.
    reason: String,
    /// What it gave, for `succeeded`; who repeats the call gets it.
    #[serde(default)]
    #[schema(value_type = Object)]
    result: Option<Value>,
}

impl Input for Resolve {
    const REQUIRED: &'static [&'static str] = &["outcome", "reason"];
}

async fn list(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Paging(page): Paging,
    uri: Uri,
) -> Result<Response, Refusal> {
    let whose = visible_to(&caller.principal);
    let listed = hub.gateway.ledger.unknown(whose, page).await;
    let listed = listed.map_err(|error| failed(&error))?;
    let rows: Vec<Value> = listed
        .rows
        .iter()
        .map(|it| document(it, "unknown"))
        .collect();
    Ok(output::page(&rows, listed.total, page, &uri))
}

async fn show(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let effect = find(&hub, &caller.principal, &id).await?;
    Ok(output::data(document(&effect, "unknown")))
}

async fn resolve(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Resolve = input::read(&headers, body, hub.settings.body_bytes).await?;
    let (resolved, state) = asked.resolved()?;
    if caller.principal.kind == CredentialKind::A2aKey {
        let message = "an agent's key cannot settle this; a person has to";
        return Err(Refusal::new(Code::InsufficientRights, message));
    }
    let effect = find(&hub, &caller.principal, &id).await?;
    let record = Event {
        action: "effect.resolved",
        resource_type: "effect",
        resource_id: effect.id.clone(),
        actor: Arc::clone(&caller.principal.id),
        organization: Arc::clone(&caller.principal.organization),
        address: caller.address,
        details: json!({
            "outcome": asked.outcome, "reason": asked.reason, "tool": effect.tool,
            "principal": effect.principal, "idempotency_key": effect.key,
        }),
        correlation_id: Some(caller.correlation_id.clone()),
    };
    hub.gateway.audit.event(record).await.map_err(|error| {
        tracing::error!(event = "effect_unrecorded", %error, "a resolution could not be recorded");
        Refusal::new(Code::ServiceUnavailable, "this cannot be recorded now")
    })?;
    let ledger = &hub.gateway.ledger;
    let done = ledger
        .resolve(&effect.principal, &effect.key, resolved)
        .await;
    match done.map_err(|error| failed(&error))? {
        true => Ok(output::data(document(&effect, state))),
        false => Err(Refusal::new(
            Code::Conflict,
            "somebody settled it meanwhile",
        )),
    }
}

impl Resolve {
    fn resolved(&self) -> Result<(Resolved, &'static str), Refusal> {
        let invalid = |field: &'static str, rule: &'static str| {
            Err(Refusal::new(Code::InvalidInput, rule).with("field", field))
        };
        if self.reason.trim().is_empty() || self.reason.len() > MAX_REASON {
            return invalid("reason", "a reason of 1 to 4096 bytes is needed");
        }
        let result = self.result.as_ref().map(to_raw_value).transpose();
        let Ok(result) = result else {
            return invalid("result", "the result cannot be written as JSON");
        };
        Ok(match self.outcome.as_str() {
            "succeeded" => (Resolved::Done(result), "done"),
            "failed" => {
                let why = format!("a person found that it failed: {}", self.reason);
                (Resolved::Failed(why), "failed")
            }
            "retry" => (Resolved::DidNotRun, "free"),
            _ => return invalid("outcome", "outcome is succeeded, failed or retry"),
        })
    }
}

/// The own ones, or all of the organisation for who may settle them.
fn visible_to(principal: &Principal) -> Whose<'_> {
    let all = principal.permissions.allow("approvals", Verb::Approve);
    Whose {
        organization: &principal.organization,
        principal: (!all).then_some(&*principal.id),
    }
}

async fn find(hub: &Hub, principal: &Principal, id: &str) -> Result<EffectView, Refusal> {
    let found = hub
        .gateway
        .ledger
        .unknown_one(visible_to(principal), id)
        .await;
    let found = found.map_err(|error| failed(&error))?;
    found.ok_or_else(|| Refusal::new(Code::NotFound, "there is no such effect of unknown outcome"))
}

fn document(effect: &EffectView, state: &'static str) -> Value {
    json!({
        "effect_id": effect.id,
        "principal": effect.principal,
        "idempotency_key": effect.key,
        "tool": effect.tool,
        "arguments_hash": effect.arguments_hash,
        "state": state,
        "created_at": effect.created_at.to_string(),
        "expires_at": effect.expires_at.to_string(),
    })
}

fn failed(error: &StoreError) -> Refusal {
    tracing::error!(event = "ledger_failed", %error, "the effect ledger could not be used");
    Refusal::new(Code::ServiceUnavailable, "the ledger cannot be used now")
}
