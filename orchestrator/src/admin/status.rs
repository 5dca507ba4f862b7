//! What the hub is and offers, for people and scripts.

use super::table::Route;
use super::tools::visible;
use crate::auth::Verb;
use crate::caller::Caller;
use crate::registry::{ServiceStatus, ServiceView};
use crate::transport::Hub;
use crate::transport::channels::Channels;
use crate::transport::revision::Revision;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/mcp/status", status)
            .needs_tools(Verb::Read)
            .answers::<Status>()
            .says("The engine and its transports"),
        Route::get("/mcp/capabilities", capabilities)
            .needs_tools(Verb::Read)
            .answers::<Capabilities>()
            .says("What the hub offers over MCP"),
        Route::get("/mcp/servers", servers)
            .needs_tools(Verb::Read)
            .answers::<Servers>()
            .says("Every service behind the hub"),
    ]
}

#[derive(Serialize, ToSchema)]
struct Status {
    engine: &'static str,
    version: &'static str,
    plugins_loaded: usize,
    commands_available: Vec<&'static str>,
    protocol_version: &'static str,
    protocol_versions: Vec<&'static str>,
    #[schema(value_type = Object)]
    capabilities: Value,
    active_connections: usize,
    total_connections: u64,
    sessions: u64,
    #[schema(value_type = Object)]
    transports: Value,
    transport_type: &'static str,
    #[schema(value_type = Object)]
    metrics: Value,
}

async fn status(State(hub): State<Hub>) -> Response {
    let calls = hub.gateway.metrics.call_totals();
    let streams = hub.open_streams();
    let sessions = hub.sessions.count().await;
    let kinds = [&hub.sse, &hub.ws];
    let active = streams + kinds.iter().map(|it| it.active()).sum::<usize>();
    let ever = kinds.iter().map(|it| it.total()).sum::<u64>();
    let one = |channels: &Channels| json!({"active": channels.active(), "total": channels.total()});
    let transports = json!({
        "streamable_http": {"active": streams, "total": sessions},
        "sse": one(&hub.sse),
        "websocket": one(&hub.ws),
    });
    Json(Status {
        engine: "waygate",
        version: env!("CARGO_PKG_VERSION"),
        plugins_loaded: 0,
        commands_available: super::engine::ACTIONS.to_vec(),
        protocol_version: Revision::July2026.as_str(),
        protocol_versions: versions(),
        capabilities: json!({
            "async": true, "batch": true, "streaming": true,
            "tools": true, "resources": true, "prompts": true,
        }),
        active_connections: active,
        total_connections: ever + u64::try_from(streams).unwrap_or(u64::MAX),
        sessions,
        transports,
        transport_type: "streamable_http",
        metrics: json!({
            "calls_total": calls.by_tool.values().sum::<u64>(),
            "errors_total": calls.errors,
        }),
    })
    .into_response()
}

#[derive(Serialize, ToSchema)]
struct Capabilities {
    protocol_versions: Vec<&'static str>,
    #[schema(value_type = Object)]
    capabilities: Value,
    transports: Vec<&'static str>,
    extensions: Vec<&'static str>,
}

async fn capabilities() -> Json<Capabilities> {
    Json(Capabilities {
        protocol_versions: versions(),
        capabilities: crate::transport::capabilities(),
        transports: vec!["streamable_http", "sse", "websocket", "rpc", "stdio"],
        extensions: Vec::new(),
    })
}

#[derive(Serialize, ToSchema)]
struct Servers {
    integration_status: &'static str,
    total_servers: usize,
    active_servers: usize,
    total_tools: usize,
    servers: Vec<Server>,
}

#[derive(Serialize, ToSchema)]
struct Server {
    name: String,
    display_name: String,
    server_type: &'static str,
    status: &'static str,
    tool_count: usize,
    communication_method: &'static str,
    last_sync: Option<String>,
    #[schema(value_type = Option<Object>)]
    plugin_info: Option<Value>,
}

async fn servers(State(hub): State<Hub>, Extension(caller): Extension<Caller>) -> Json<Servers> {
    let tools = visible(&hub, &caller);
    let services = hub.registry.services();
    let active = services
        .iter()
        .filter(|it| it.own || it.status.is_available())
        .count();
    Json(Servers {
        integration_status: if active == services.len() {
            "active"
        } else {
            "degraded"
        },
        total_servers: services.len(),
        active_servers: active,
        total_tools: tools.len(),
        servers: services.iter().map(server).collect(),
    })
}

fn server(service: &ServiceView) -> Server {
    Server {
        name: service.service.to_string(),
        display_name: display_name(&service.service),
        server_type: "spoke",
        status: match service.status {
            _ if service.own => "active",
            ServiceStatus::Healthy | ServiceStatus::Degraded => "active",
            ServiceStatus::Unhealthy => "unhealthy",
            ServiceStatus::Unreachable => "inactive",
        },
        tool_count: service.tool_count,
        communication_method: if service.own { "in_process" } else { "grpc" },
        last_sync: service.last_seen.map(|at| format!("{at:.3}")),
        plugin_info: None,
    }
}

/// `12_cmdb_mcp` → `cmdb`.
fn display_name(service: &str) -> String {
    let name = service.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
    name.trim_end_matches("_mcp").replace('_', " ")
}

fn versions() -> Vec<&'static str> {
    Revision::ALL.into_iter().map(Revision::as_str).collect()
}
