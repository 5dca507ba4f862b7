//! Tools over plain HTTP: the list a caller may see, and calls.

use super::input::{self, Input};
use super::table::Route;
use crate::auth::Verb;
use crate::caller::Caller;
use crate::gateway::{Answer, ToolCall};
use crate::transport::Hub;
use crate::transport::errors;
use crate::transport::refusal::Refusal;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use shared::error::Code;
use shared::tool::Progress;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/mcp/tools", list)
            .needs_tools(Verb::Read)
            .answers::<Tools>()
            .says("Every tool the caller may see"),
        Route::post("/mcp/tools/execute", execute)
            .needs_tools(Verb::Execute)
            .takes::<Execute>()
            .says("Call a tool; answers its result"),
        Route::get("/mcp/servers/{name}/tools", of_server)
            .needs_tools(Verb::Read)
            .answers::<ServerTools>()
            .says("The tools of one service"),
    ]
}

/// One tool.
#[derive(Serialize, ToSchema)]
pub(super) struct Tool {
    name: String,
    alias: String,
    description: String,
    #[schema(value_type = Object)]
    input_schema: Box<RawValue>,
    effect: &'static str,
    mcp_server: String,
    /// Its service answers now.
    available: bool,
}

#[derive(Serialize, ToSchema)]
struct Tools {
    total_tools: usize,
    /// Of the hub and its spokes.
    local_tools: usize,
    /// Of third-party servers.
    external_tools: usize,
    all_tools: Vec<Tool>,
}

#[derive(Serialize, ToSchema)]
struct ServerTools {
    server_name: String,
    server_type: &'static str,
    tool_count: usize,
    tools: Vec<Tool>,
}

/// What the caller may see, sorted by canonical id.
pub(super) fn visible(hub: &Hub, caller: &Caller) -> Vec<Tool> {
    let listing = hub.gateway.list(caller);
    let down = hub.registry.down();
    let tools = listing.tools.iter().map(|listed| {
        let facts = &listed.route.tool;
        Tool {
            name: facts.id.to_string(),
            alias: listed.route.alias.to_string(),
            description: facts.description.clone(),
            input_schema: facts.input_schema.clone(),
            effect: facts.effect.as_str(),
            mcp_server: listed.route.service.to_string(),
            available: !down.contains(&listed.route.service),
        }
    });
    tools.collect()
}

async fn list(State(hub): State<Hub>, Extension(caller): Extension<Caller>) -> Response {
    let all_tools = visible(&hub, &caller);
    Json(Tools {
        total_tools: all_tools.len(),
        local_tools: all_tools.len(),
        external_tools: 0,
        all_tools,
    })
    .into_response()
}

async fn of_server(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    if !hub
        .registry
        .services()
        .iter()
        .any(|service| *service.service == *name)
    {
        return Err(Refusal::new(
            Code::ServerNotFound,
            "there is no such server",
        ));
    }
    let tools: Vec<Tool> = visible(&hub, &caller)
        .into_iter()
        .filter(|tool| tool.mcp_server == name)
        .collect();
    let answer = ServerTools {
        server_name: name,
        server_type: "spoke",
        tool_count: tools.len(),
        tools,
    };
    Ok(Json(answer).into_response())
}

/// A call of one tool of one server.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Execute {
    /// Folder name of the service, such as `12_cmdb_mcp`.
    server_name: String,
    /// Canonical id or alias.
    tool_name: String,
    #[serde(default)]
    #[schema(value_type = Object)]
    parameters: Map<String, Value>,
}

impl Input for Execute {
    const REQUIRED: &'static [&'static str] = &["server_name", "tool_name"];
}

async fn execute(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Execute = input::read(&headers, body, hub.settings.body_bytes).await?;
    let snapshot = hub.gateway.router.snapshot();
    match snapshot.resolve(&asked.tool_name) {
        Ok(route) if *route.service == *asked.server_name => {}
        _ => {
            return Err(Refusal::new(
                Code::ToolNotFound,
                "this server has no such tool",
            ));
        }
    }
    let call = Call {
        tool: asked.tool_name,
        arguments: asked.parameters,
        approval_token: header(&headers, "x-approval-token"),
        idempotency_key: header(&headers, "idempotency-key"),
        budget: None,
    };
    let answer = make(&hub, caller, call)
        .await
        .map_err(|error| errors::refusal(&error, &hub.settings.public_url))?;
    let json = answer.output.structured.get().to_owned();
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}

/// One tool call from a plain route.
pub(super) struct Call {
    pub(super) tool: String,
    pub(super) arguments: Map<String, Value>,
    pub(super) approval_token: Option<String>,
    pub(super) idempotency_key: Option<String>,
    pub(super) budget: Option<Duration>,
}

/// Calls a tool through the gateway.
pub(super) async fn make(
    hub: &Hub,
    caller: Caller,
    call: Call,
) -> Result<Answer, crate::error::CallError> {
    let call = ToolCall {
        caller,
        name: call.tool,
        arguments: Bytes::from(Value::Object(call.arguments).to_string()),
        approval_token: call.approval_token,
        idempotency_key: call.idempotency_key,
        budget: call.budget,
        progress: Progress::ignored(),
        cancelled: CancellationToken::new(),
    };
    hub.gateway.call(call).await
}

/// The text of a header; `None` when it is absent or no text.
pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
