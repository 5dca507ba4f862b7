//! What policy would say to a sample call. Nothing is called, asked or recorded.

use super::input::{self, Input};
use super::output;
use super::table::Route;
use crate::auth::{CredentialKind, Permissions, Principal, Role};
use crate::caller::{Caller, HttpFacts};
use crate::policy::{Decision, Request, Subject};
use crate::transport::Hub;
use crate::transport::refusal::Refusal;
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::error::Code;
use shared::id::ToolId;
use shared::tool::Effect;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use utoipa::ToSchema;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/admin/policies/test", test)
            .takes::<Sample>()
            .envelopes::<Said>()
            .says("What policy would say to a sample call"),
    ]
}

/// A sample call. What is left out is the caller's own.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Sample {
    /// Canonical id or alias.
    tool: String,
    /// read, `mutate_own`, mutate or critical; the tool's own when left out.
    effect: Option<String>,
    /// Folder name of the service; the tool's own when left out.
    service: Option<String>,
    #[serde(default)]
    #[schema(value_type = Object)]
    arguments: Map<String, Value>,
    role: Option<String>,
    permissions: Option<Vec<String>>,
    /// user or a2a.
    key_type: Option<String>,
    #[schema(value_type = Option<String>)]
    ip: Option<IpAddr>,
    namespace: Option<String>,
    method: Option<String>,
    path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

impl Input for Sample {
    const REQUIRED: &'static [&'static str] = &["tool"];
}

/// What policy says.
#[derive(Default, Serialize, ToSchema)]
struct Said {
    /// allow, ask or deny.
    decision: &'static str,
    /// Name of the rule that decides.
    rule: String,
    /// For the caller; only of a denial.
    message: Option<String>,
    /// People who must say yes; only of an ask.
    approvers: Option<u32>,
    roles: Vec<String>,
    self_approval: bool,
    /// The tool would be in the list of this caller.
    listed: bool,
    tool: String,
    effect: &'static str,
    /// Names the rules in force.
    policy_version: String,
}

async fn test(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let sample: Sample = input::read(&headers, body, hub.settings.body_bytes).await?;
    let (tool, service, effect) = target(&hub, &sample)?;
    let arguments = Value::Object(sample.arguments.clone());
    let caller = somebody(sample, caller)?;
    let policy = &hub.gateway.policy;
    let request = Request {
        caller: &caller,
        tool: &tool,
        service: &service,
        effect,
        arguments: Some(&arguments),
        arguments_hash: "",
        now: hub.gateway.clock.now().as_second(),
    };
    let subject = Subject {
        tool: &tool,
        service: &service,
        effect,
        per_call: false,
    };
    let said = Said {
        listed: policy.reach(&caller, subject).is_some(),
        tool: tool.to_string(),
        effect: effect.as_str(),
        policy_version: policy.version().to_string(),
        ..said(policy.decide(&request))
    };
    Ok(output::data(said))
}

fn said(decision: Decision) -> Said {
    match decision {
        Decision::Allow(permit) => Said {
            decision: "allow",
            rule: permit.rule().to_owned(),
            ..Said::default()
        },
        Decision::Ask(ask) => Said {
            decision: "ask",
            rule: ask.rule().to_owned(),
            approvers: Some(ask.approvers),
            self_approval: ask.self_approval,
            roles: ask.roles,
            ..Said::default()
        },
        Decision::Deny(denial) => Said {
            decision: "deny",
            rule: denial.rule.to_string(),
            message: Some(denial.message),
            ..Said::default()
        },
    }
}

/// Tool, service and effect: of the tool that is known under this name, unless said otherwise.
fn target(hub: &Hub, sample: &Sample) -> Result<(ToolId, Arc<str>, Effect), Refusal> {
    let snapshot = hub.gateway.router.snapshot();
    let known = snapshot.resolve(&sample.tool).ok();
    let tool = match known {
        Some(route) => route.tool.id.clone(),
        None => ToolId::parse(&sample.tool).or(Err(invalid("tool", "is no id of a tool")))?,
    };
    let service = match (&sample.service, known) {
        (Some(service), _) => Arc::from(service.as_str()),
        (None, Some(route)) => Arc::clone(&route.service),
        (None, None) => Arc::from("unknown"),
    };
    let effect = match (&sample.effect, known) {
        (Some(word), _) => Effect::parse(word),
        (None, Some(route)) => Some(route.tool.effect),
        (None, None) => None,
    };
    let rule = "must be read, mutate_own, mutate or critical for a tool that is not known";
    let effect = effect.ok_or_else(|| invalid("effect", rule))?;
    Ok((tool, service, effect))
}

/// The caller, changed as the sample says.
fn somebody(sample: Sample, mut caller: Caller) -> Result<Caller, Refusal> {
    let mut principal = Principal::clone(&caller.principal);
    if let Some(word) = sample.role {
        principal.role = Role::parse(&word).ok_or_else(|| invalid("role", "is no role"))?;
        principal.permissions = Permissions::of_role(principal.role);
    }
    if let Some(words) = sample.permissions {
        let parsed = Permissions::parse(words.iter().map(String::as_str));
        principal.permissions = parsed.or(Err(invalid("permissions", "hold one that is none")))?;
    }
    principal.kind = match sample.key_type.as_deref() {
        None => principal.kind,
        Some("user") => CredentialKind::UserKey,
        Some("a2a") => CredentialKind::A2aKey,
        Some(_) => return Err(invalid("key_type", "must be user or a2a")),
    };
    if let Some(namespace) = sample.namespace {
        principal.namespace = Arc::from(namespace);
    }
    caller.principal = Arc::new(principal);
    caller.address = sample.ip.or(caller.address);
    let mut http = HttpFacts::clone(&caller.http.unwrap_or_default());
    http.method = sample.method.unwrap_or(http.method);
    http.path = sample.path.unwrap_or(http.path);
    let named = sample.headers.into_iter();
    http.headers
        .extend(named.map(|(name, value)| (name.to_ascii_lowercase(), value)));
    caller.http = Some(Arc::new(http));
    Ok(caller)
}

fn invalid(field: &'static str, rule: &'static str) -> Refusal {
    Refusal::new(Code::ValidationFailed, format!("{field}: {rule}"))
        .with("fields", serde_json::json!({ field: rule }))
}
