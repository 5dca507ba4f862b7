//! Breakers, services and pinned definitions, for operators.

use super::input::{self, Input};
use super::output;
use super::table::Route;
use crate::audit::Event;
use crate::caller::Caller;
use crate::registry::{Pin, PinError, ServiceView};
use crate::resilience::BreakerView;
use crate::transport::Hub;
use crate::transport::refusal::{Refusal, milliseconds};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::error::Code;
use shared::id::ToolId;
use std::sync::Arc;
use utoipa::ToSchema;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/admin/breakers", breakers)
            .envelopes::<Vec<Breaker>>()
            .says("Every circuit breaker"),
        Route::post("/api/admin/breakers/{target}/reset", reset)
            .envelopes::<Vec<Breaker>>()
            .says("Close the breakers of one service"),
        Route::get("/api/admin/services", services)
            .envelopes::<Vec<Service>>()
            .says("Every service with its state"),
        Route::get("/api/admin/pins", pins)
            .envelopes::<Vec<PinDocument>>()
            .says("Pinned tool definitions, and changes that wait"),
        Route::post("/api/admin/pins/{tool}/accept", accept)
            .takes::<Accept>()
            .envelopes::<PinDocument>()
            .says("Accept the changed definition of a tool"),
    ]
}

/// One breaker.
#[derive(Serialize, ToSchema)]
struct Breaker {
    target: String,
    /// reads or changes.
    class: &'static str,
    /// closed, `half_open` or open.
    state: &'static str,
    failures: u32,
    retry_after_ms: Option<u64>,
}

impl Breaker {
    fn of(view: &BreakerView) -> Self {
        Self {
            target: view.target.to_string(),
            class: view.class.as_str(),
            state: view.state.as_str(),
            failures: view.failures,
            retry_after_ms: view.retry_after.map(milliseconds),
        }
    }
}

async fn breakers(State(hub): State<Hub>) -> Response {
    let breakers: Vec<Breaker> = hub.registry.breakers().iter().map(Breaker::of).collect();
    output::data(breakers)
}

async fn reset(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(target): Path<String>,
) -> Result<Response, Refusal> {
    if !hub.registry.reset_breakers(&target) {
        return Err(Refusal::new(Code::NotFound, "there is no such service"));
    }
    record(
        &hub,
        &caller,
        ("breaker.reset", "service", &target),
        json!({}),
    )
    .await?;
    let views = hub.registry.breakers();
    let own = views.iter().filter(|view| *view.target == *target);
    Ok(output::data(own.map(Breaker::of).collect::<Vec<_>>()))
}

/// One service.
#[derive(Serialize, ToSchema)]
struct Service {
    number: u8,
    service: String,
    namespaces: Vec<String>,
    url: String,
    /// healthy, degraded, unhealthy or unreachable.
    status: &'static str,
    version: Option<String>,
    tool_count: usize,
    quarantined: usize,
    last_seen: Option<String>,
    fault: Option<String>,
    breakers: Vec<Breaker>,
}

impl Service {
    fn of(view: ServiceView) -> Self {
        Self {
            number: view.number,
            service: view.service.to_string(),
            status: if view.own {
                "healthy"
            } else {
                view.status.as_str()
            },
            namespaces: view.namespaces,
            url: view.url,
            version: view.version,
            tool_count: view.tool_count,
            quarantined: view.quarantined,
            last_seen: view.last_seen.map(|at| format!("{at:.3}")),
            fault: view.fault,
            breakers: view.breakers.iter().flatten().map(Breaker::of).collect(),
        }
    }
}

async fn services(State(hub): State<Hub>) -> Response {
    let services: Vec<Service> = hub
        .registry
        .services()
        .into_iter()
        .map(Service::of)
        .collect();
    output::data(services)
}

/// One pinned definition.
#[derive(Serialize, ToSchema)]
struct PinDocument {
    tool: String,
    service: String,
    /// pinned or quarantined.
    state: &'static str,
    digest: String,
    #[schema(value_type = Object)]
    definition: Value,
    /// Digest of the definition that waits to be accepted.
    seen_digest: Option<String>,
    #[schema(value_type = Option<Object>)]
    seen_definition: Option<Value>,
    updated_at: String,
}

impl PinDocument {
    fn of(pin: Pin) -> Self {
        let parse = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        Self {
            state: if pin.waiting.is_some() {
                "quarantined"
            } else {
                "pinned"
            },
            definition: parse(&pin.definition),
            seen_definition: pin
                .waiting
                .as_ref()
                .map(|(_, definition)| parse(definition)),
            seen_digest: pin.waiting.map(|(digest, _)| digest),
            tool: pin.tool,
            service: pin.service,
            digest: pin.digest,
            updated_at: format!("{:.3}", pin.updated_at),
        }
    }
}

async fn pins(State(hub): State<Hub>) -> Result<Response, Refusal> {
    let pins = hub.registry.pins().await.map_err(|error| refused(&error))?;
    Ok(output::data(
        pins.into_iter().map(PinDocument::of).collect::<Vec<_>>(),
    ))
}

/// Which change is accepted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Accept {
    /// `seen_digest` of the change that was looked at.
    digest: String,
}

impl Input for Accept {
    const REQUIRED: &'static [&'static str] = &["digest"];
}

async fn accept(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(tool): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Accept = input::read(&headers, body, hub.settings.body_bytes).await?;
    let tool = ToolId::parse(&tool)
        .map_err(|error| Refusal::new(Code::InvalidInput, error.to_string()))?;
    let accepted = hub.registry.accept(&tool, &asked.digest, &caller).await;
    let pin = accepted.map_err(|error| refused(&error))?;
    Ok(output::data(PinDocument::of(pin)))
}

async fn record(
    hub: &Hub,
    caller: &Caller,
    (action, resource_type, resource_id): (&'static str, &'static str, &str),
    details: Value,
) -> Result<(), Refusal> {
    let event = Event {
        action,
        resource_type,
        resource_id: resource_id.to_owned(),
        actor: Arc::clone(&caller.principal.id),
        organization: Arc::clone(&caller.principal.organization),
        address: caller.address,
        details,
        correlation_id: Some(caller.correlation_id.clone()),
    };
    super::audit::written(hub.gateway.audit.event(event).await)
}

fn refused(error: &PinError) -> Refusal {
    match error {
        PinError::NotWaiting(_) => Refusal::new(Code::Conflict, error.to_string()),
        PinError::Store(_) | PinError::Unrecorded(_) => {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::error!(event = "pins_failed", %error, ?cause, "pins could not be used");
            Refusal::new(
                Code::ServiceUnavailable,
                "pins cannot be read or written now",
            )
        }
    }
}
