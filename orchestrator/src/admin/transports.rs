//! The open connections: how many, and what operators and agents can say to them.
//!
//! What is sent this way is an event of its own kind on a stream, and a notification on a `WebSocket`:
//! never a message that could pass for an answer of the hub.

use super::input::{Input, read};
use super::output::data;
use super::table::Route;
use crate::auth::{Principal, Verb};
use crate::caller::Caller;
use crate::transport::access::Need;
use crate::transport::channels::{Channels, MESSAGE};
use crate::transport::refusal::Refusal;
use crate::transport::{Hub, frame, legacy_sse, mcp, rpc, websocket};
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::error::Code;
use std::sync::Arc;

/// Longest name of an event, in bytes.
const MAX_NAME: usize = 64;
/// Most events of one replay.
const MAX_REPLAY: usize = 1000;
const NOTE: &str = "notifications/waygate/message";

pub(super) fn routes() -> Vec<Route> {
    let all = [mcp_routes(), other_routes(), said_routes(), health_routes()];
    let all = all.into_iter().flatten();
    all.map(|route| route.needs(Need::Credential)).collect()
}

fn mcp_routes() -> Vec<Route> {
    vec![
        Route::post("/mcp", mcp::post).says("MCP: one JSON-RPC message (Streamable HTTP)"),
        Route::get("/mcp", mcp::get).says("MCP: the stream of a session"),
        Route::delete("/mcp", mcp::delete).says("MCP: end a session"),
        Route::post("/search/mcp", mcp::post_search)
            .says("MCP: one message, with tools to find, look at and call the others"),
        Route::get("/search/mcp", mcp::get).says("MCP: the stream of a session"),
        Route::delete("/search/mcp", mcp::delete).says("MCP: end a session"),
        Route::post("/views/{name}/mcp", mcp::post_view).says("MCP: one message to a view"),
        Route::get("/views/{name}/mcp", mcp::get).says("MCP: the stream of a session"),
        Route::delete("/views/{name}/mcp", mcp::delete).says("MCP: end a session"),
        Route::post("/servers/{id}/mcp", mcp::post_to)
            .says("MCP: one message to one server, under its own names"),
        Route::get("/servers/{id}/mcp", mcp::get).says("MCP: the stream of a session"),
        Route::delete("/servers/{id}/mcp", mcp::delete).says("MCP: end a session"),
    ]
}

fn other_routes() -> Vec<Route> {
    vec![
        Route::get("/sse", legacy_sse::get).says("MCP: a legacy event stream"),
        Route::get("/servers/{id}/sse", legacy_sse::get_of)
            .says("MCP: a legacy event stream of one server"),
        Route::post("/messages", legacy_sse::post)
            .says("MCP: one message of a legacy event stream"),
        Route::get("/ws", websocket::get).says("MCP over a WebSocket"),
        Route::get("/servers/{id}/ws", websocket::get_of)
            .says("MCP of one server over a WebSocket"),
        Route::post("/rpc", rpc::post).says("One JSON-RPC request"),
        Route::post("/servers/{id}/rpc", rpc::post_to).says("One JSON-RPC request to one server"),
        Route::post("/rpc/batch", rpc::batch).says("Up to 100 JSON-RPC requests"),
        Route::get("/rpc/introspection", rpc::introspection).says("The methods of /rpc"),
    ]
}

fn said_routes() -> Vec<Route> {
    vec![
        Route::post("/sse/events", send_event).says("Send an event to one stream"),
        Route::post("/sse/broadcast", broadcast_event)
            .says("Send an event to every stream of the namespace"),
        Route::get("/sse/status", sse_status).says("The open streams"),
        Route::get("/sse/replay/{session_id}", replay).says("The kept events of a stream"),
        Route::post("/ws/send", send_note).says("Send a notification to one WebSocket"),
        Route::post("/ws/broadcast", broadcast_note)
            .says("Send a notification to every WebSocket of the namespace"),
        Route::get("/ws/status", ws_status).says("The open WebSockets"),
        Route::get("/ws/ping", ws_ping).says("Whether WebSockets are served"),
        Route::delete("/ws/close", ws_close).says("End a WebSocket"),
    ]
}

fn health_routes() -> Vec<Route> {
    vec![
        Route::get("/rpc/health", async || health("rpc", &["batch"]))
            .says("Whether JSON-RPC is served"),
        Route::get("/sse/health", async || health("sse", &["resume", "replay"]))
            .says("Whether legacy streams are served"),
        Route::get("/ws/health", async || {
            health("websocket", &["text", "binary"])
        })
        .says("Whether WebSockets are served"),
        Route::get("/stdio/health", async || {
            health("stdio", &["execute", "process", "send"])
        })
        .says("Whether programs are run"),
        Route::get("/mcp/health", async || {
            health("mcp", &["streams", "sessions"])
        })
        .says("Whether MCP is served"),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    data: Value,
    /// Must be the caller's own, where it is given.
    #[serde(default)]
    namespace: Option<String>,
}

impl Input for Said {
    const REQUIRED: &'static [&'static str] = &["data"];
}

async fn send_event(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let said: Said = read(&headers, body, hub.settings.body_bytes).await?;
    let name = said.name()?;
    said.send(&hub, &hub.sse, &caller.principal, (name, said.document()))
}

async fn broadcast_event(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let said: Said = read(&headers, body, hub.settings.body_bytes).await?;
    let name = said.name()?;
    said.broadcast(&hub, &hub.sse, &caller.principal, (name, said.document()))
}

async fn send_note(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let said: Said = read(&headers, body, hub.settings.body_bytes).await?;
    let frame = said.note(&caller.principal);
    said.send(&hub, &hub.ws, &caller.principal, (MESSAGE.into(), frame))
}

async fn broadcast_note(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let said: Said = read(&headers, body, hub.settings.body_bytes).await?;
    let frame = said.note(&caller.principal);
    said.broadcast(&hub, &hub.ws, &caller.principal, (MESSAGE.into(), frame))
}

impl Said {
    /// The name of an event: one word that is none of MCP's.
    fn name(&self) -> Result<Arc<str>, Refusal> {
        let name = self.event.as_deref().unwrap_or("event");
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let fits = (1..=MAX_NAME).contains(&name.len()) && name.chars().all(word);
        if fits && !matches!(name, MESSAGE | "endpoint" | "error" | "open") {
            return Ok(name.into());
        }
        let message = "event must be one word that MCP does not use";
        Err(Refusal::new(Code::ValidationFailed, message).with("field", "event"))
    }

    fn document(&self) -> Bytes {
        Bytes::from(self.data.to_string())
    }

    fn note(&self, sender: &Principal) -> Bytes {
        let params = json!({"from": &*sender.id, "event": self.event, "data": self.data});
        frame::notification(NOTE, params)
    }

    fn send(
        &self,
        hub: &Hub,
        channels: &Channels,
        sender: &Principal,
        (name, data): (Arc<str>, Bytes),
    ) -> Result<Response, Refusal> {
        let id = self.session_id.as_deref().ok_or_else(|| {
            Refusal::new(Code::MissingRequiredField, "session_id is required")
                .with("field", "session_id")
        })?;
        let channel = channels
            .find(
                id,
                sender,
                sender.permissions.allow("sessions", Verb::Manage),
            )
            .ok_or_else(unknown)?;
        channels.say(&channel, &name, &data, hub.gateway.clock.now());
        Ok(self::data(json!({"sent": 1})))
    }

    fn broadcast(
        &self,
        hub: &Hub,
        channels: &Channels,
        sender: &Principal,
        (name, data): (Arc<str>, Bytes),
    ) -> Result<Response, Refusal> {
        Need::Permission("sessions", Verb::Write).check(sender)?;
        if self
            .namespace
            .as_deref()
            .is_some_and(|named| *named != *sender.namespace)
        {
            return Err(Refusal::new(Code::NotFound, "there is no such namespace"));
        }
        let sent = channels.broadcast(sender, &name, &data, hub.gateway.clock.now());
        Ok(self::data(json!({ "sent": sent })))
    }
}

async fn sse_status(State(hub): State<Hub>, Extension(caller): Extension<Caller>) -> Json<Value> {
    Json(hub.sse.status(&caller.principal))
}

async fn ws_status(State(hub): State<Hub>, Extension(caller): Extension<Caller>) -> Json<Value> {
    Json(hub.ws.status(&caller.principal))
}

async fn ws_ping(State(hub): State<Hub>) -> Json<Value> {
    Json(json!({"pong": true, "active_connections": hub.ws.active()}))
}

#[derive(Deserialize)]
struct Named {
    session_id: Option<String>,
}

async fn ws_close(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Query(named): Query<Named>,
) -> Result<Response, Refusal> {
    let id = named.session_id.ok_or_else(|| {
        Refusal::new(Code::MissingParameter, "session_id is required").with("field", "session_id")
    })?;
    let all = caller.principal.permissions.allow("sessions", Verb::Manage);
    let channel = hub
        .ws
        .find(&id, &caller.principal, all)
        .ok_or_else(unknown)?;
    channel.over.cancel();
    Ok(data(json!({"closed": id})))
}

#[derive(Deserialize)]
struct Replay {
    #[serde(default)]
    last_event_id: Option<String>,
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

async fn replay(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(wanted): Query<Replay>,
) -> Result<Response, Refusal> {
    let channel = hub
        .sse
        .find(&id, &caller.principal, false)
        .ok_or_else(unknown)?;
    let seen = wanted.last_event_id.as_deref().map_or(Ok(0), |text| {
        let number = text.rsplit(':').next().unwrap_or(text);
        number.parse().or(Err(odd("last_event_id")))
    })?;
    let since: Option<Timestamp> = match wanted.since.as_deref() {
        None => None,
        Some(text) => Some(text.parse().or(Err(odd("since")))?),
    };
    let limit = wanted.limit.unwrap_or(MAX_REPLAY).clamp(1, MAX_REPLAY);
    let kept = channel.after(seen, MAX_REPLAY).into_iter();
    let kept = kept.filter(|event| since.is_none_or(|since| event.at >= since));
    let events: Vec<Value> = kept
        .take(limit)
        .map(|event| {
            json!({
                "id": format!("{id}:{}", event.number),
                "event": &*event.name,
                "data": serde_json::from_slice::<Value>(&event.data).unwrap_or_default(),
                "timestamp": format!("{:.3}", event.at),
            })
        })
        .collect();
    Ok(Json(json!({"session_id": id, "events": events})).into_response())
}

fn health(transport: &'static str, capabilities: &'static [&'static str]) -> Json<Value> {
    use shared::clock::{Clock, SystemClock};
    Json(json!({
        "status": "healthy",
        "transport": transport,
        "timestamp": format!("{:.3}", SystemClock.now()),
        "capabilities": capabilities,
    }))
}

fn unknown() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such session")
}

fn odd(field: &'static str) -> Refusal {
    Refusal::new(Code::InvalidInput, format!("{field} cannot be read")).with("field", field)
}
