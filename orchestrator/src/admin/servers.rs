//! Third-party servers: register, show, change, remove; what they offer; a call of one of their tools.
//!
//! Calls go through the gateway like any other. Sessions of clients are `transport`'s matter.

mod shown;

use super::input::{self, Input};
use super::output;
use super::table::Route;
use crate::auth::Verb;
use crate::caller::Caller;
use crate::gateway::ToolCall;
use crate::servers::{ServerError, ServerView, Servers, Specification};
use crate::store::StoreError;
use crate::transport::access::Need;
use crate::transport::refusal::Refusal;
use crate::transport::{Hub, body, errors};
use crate::upstream::UpstreamError;
use crate::upstream::offers::OfferKind;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::HeaderMap;
use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::Progress;
use shown::{Server, Shown, Stats};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const READ: Need = Need::Permission("servers", Verb::Read);
const WRITE: Need = Need::Permission("servers", Verb::Write);
const DELETE: Need = Need::Permission("servers", Verb::Delete);

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/gateway/servers", list)
            .needs(READ)
            .envelopes::<Vec<Server>>()
            .says("Third-party servers"),
        Route::post("/gateway/servers", register)
            .needs(WRITE)
            .takes::<Specification>()
            .envelopes::<Server>()
            .says("Register a server: it is asked what it has first"),
        Route::post("/gateway/servers/test", test)
            .needs(WRITE)
            .takes::<Specification>()
            .envelopes::<Shown>()
            .says("Ask a server what it has, without registering it"),
        Route::get("/gateway/servers/{id}", get)
            .needs(READ)
            .envelopes::<Server>()
            .says("One server, by id or name"),
        Route::put("/gateway/servers/{id}", replace)
            .needs(WRITE)
            .takes::<Specification>()
            .envelopes::<Server>()
            .says("Replace a server's registration; its name stays"),
        Route::delete("/gateway/servers/{id}", remove)
            .needs(DELETE)
            .envelopes::<Server>()
            .says("Remove a server and end its connections"),
        Route::get("/gateway/servers/{id}/stats", stats)
            .needs(READ)
            .envelopes::<Stats>()
            .says("How a server is connected and protected"),
        Route::get("/gateway/servers/{id}/tools", tools)
            .needs_tools(Verb::Read)
            .envelopes::<Vec<Shown>>()
            .says("A server's tools the caller may see"),
        Route::get("/gateway/servers/{id}/resources", resources)
            .needs_tools(Verb::Read)
            .envelopes::<Vec<Shown>>()
            .says("A server's resources the caller may see"),
        Route::get("/gateway/servers/{id}/prompts", prompts)
            .needs_tools(Verb::Read)
            .envelopes::<Vec<Shown>>()
            .says("A server's prompts the caller may see"),
        Route::post("/gateway/servers/{id}/tools/{tool}", call)
            .needs_tools(Verb::Execute)
            .executes()
            .takes::<Shown>()
            .envelopes::<Shown>()
            .says("Call a tool by the server's own name of it; the body is its arguments"),
    ]
}

impl Input for Specification {
    const REQUIRED: &'static [&'static str] = &["name", "protocol"];
}

async fn list(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Refusal> {
    let views = servers(&hub)?.list(&caller).await.map_err(refused)?;
    let shown: Vec<Server> = views.into_iter().map(Server::of).collect();
    Ok(output::data(shown))
}

async fn register(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Specification = input::read(&headers, body, hub.settings.body_bytes).await?;
    let registered = servers(&hub)?.register(asked, &caller).await;
    let (view, findings) = registered.map_err(refused)?;
    let location = format!("/gateway/servers/{}", view.registered.id);
    let server = Server::of(view)
        .with_tools(shown::tools(&hub, &caller, None))
        .with_findings(&findings);
    Ok(output::created(server, &location))
}

async fn test(State(hub): State<Hub>, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let asked: Specification = input::read(&headers, body, hub.settings.body_bytes).await?;
    let (description, findings) = servers(&hub)?.test(&asked).await.map_err(refused)?;
    Ok(output::data(shown::tested(&description, &findings)))
}

async fn get(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let view = view(&hub, &caller, &id).await?;
    let listed = shown::tools(&hub, &caller, Some(&view.registered.specification.name));
    Ok(output::data(Server::of(view).with_tools(listed)))
}

async fn replace(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Specification = input::read(&headers, body, hub.settings.body_bytes).await?;
    let replaced = servers(&hub)?.replace(&id, asked, &caller).await;
    Ok(output::data(Server::of(replaced.map_err(refused)?)))
}

async fn remove(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let removed = servers(&hub)?.remove(&id, &caller).await;
    Ok(output::data(Server::of(removed.map_err(refused)?)))
}

async fn stats(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    Ok(output::data(Stats::of(view(&hub, &caller, &id).await?)))
}

async fn tools(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let view = view(&hub, &caller, &id).await?;
    let name = &view.registered.specification.name;
    Ok(output::data(shown::tools(&hub, &caller, Some(name))))
}

async fn resources(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    offers(&hub, &caller, &id, OfferKind::Resource).await
}

async fn prompts(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    offers(&hub, &caller, &id, OfferKind::Prompt).await
}

async fn offers(
    hub: &Hub,
    caller: &Caller,
    id: &str,
    kind: OfferKind,
) -> Result<Response, Refusal> {
    let view = view(hub, caller, id).await?;
    let name = &view.registered.specification.name;
    let listed = hub.gateway.offers(caller, kind, Some(name));
    let shown: Vec<Value> = listed
        .iter()
        .map(|it| shown::offer(&it.offer, &it.name))
        .collect();
    Ok(output::data(shown))
}

async fn call(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path((id, tool)): Path<(String, String)>,
    headers: HeaderMap,
    raw: Body,
) -> Result<Response, Refusal> {
    let view = view(&hub, &caller, &id).await?;
    let name = &view.registered.specification.name;
    let arguments = body::read(&headers, raw, hub.settings.body_bytes).await?;
    let cancelled = CancellationToken::new();
    let _on_hang_up = cancelled.clone().drop_guard();
    let call = ToolCall {
        caller,
        name: format!("{name}.{tool}"),
        arguments,
        approval_token: shown::header(&headers, "x-approval-token"),
        idempotency_key: shown::header(&headers, "idempotency-key"),
        budget: None,
        progress: Progress::ignored(),
        cancelled,
    };
    let answer = hub.gateway.call(call).await;
    let answer = answer.map_err(|error| errors::refusal(&error, &hub.settings.public_url))?;
    let output = &answer.output;
    let result = output
        .wire
        .as_ref()
        .map_or(&output.structured, |wire| &wire.json);
    Ok(Json(json!({ "success": true, "data": result })).into_response())
}

async fn view(hub: &Hub, caller: &Caller, id: &str) -> Result<ServerView, Refusal> {
    servers(hub)?.get(id, caller).await.map_err(refused)
}

pub(super) fn servers(hub: &Hub) -> Result<&Arc<Servers>, Refusal> {
    let none = || Refusal::new(Code::NotConfigured, "this hub has no third-party servers");
    hub.servers.as_ref().ok_or_else(none)
}

pub(super) fn refused(error: ServerError) -> Refusal {
    let message = error.to_string();
    match error {
        ServerError::Invalid { field, rule } => {
            Refusal::new(Code::ValidationFailed, message).with("fields", json!({ field: rule }))
        }
        ServerError::Program => Refusal::new(Code::PolicyViolation, message),
        ServerError::Address(why) => Refusal::new(Code::AddressRefused, why.to_string()),
        ServerError::Taken(_) | ServerError::Store(StoreError::Exists(_)) => {
            Refusal::new(Code::AlreadyExists, message)
        }
        ServerError::Unknown => Refusal::new(Code::ServerNotFound, message),
        ServerError::InSettings | ServerError::NoOAuth => Refusal::new(Code::Conflict, message),
        ServerError::OAuth(why) => {
            tracing::info!(event = "not_authorized", error = %why, cause = ?std::error::Error::source(&why),
                "a server could not be authorized");
            Refusal::new(Code::ProxyError, message).with("reason", why.to_string())
        }
        ServerError::TooMany => Refusal::new(Code::QuotaExceeded, message),
        ServerError::Probe(why) => {
            tracing::info!(event = "probe_failed", error = %why, "a server could not be listed");
            let reason = match why {
                UpstreamError::Unreachable(_) => "it cannot be reached",
                UpstreamError::Timeout => "it did not answer in time",
                UpstreamError::Refused(_) => "it refused the hub's credential",
                _ => "it does not answer as an MCP server does",
            };
            Refusal::new(Code::ProxyError, message).with("reason", reason)
        }
        ServerError::Client(_)
        | ServerError::Unrecorded(_)
        | ServerError::Registry(_)
        | ServerError::Store(_) => {
            tracing::error!(event = "server_not_kept", error = %message, "a server could not be kept");
            Refusal::internal()
        }
    }
}
