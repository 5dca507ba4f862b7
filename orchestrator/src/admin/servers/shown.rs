//! Servers and what they offer, as the REST routes show them. Secrets stay references.

use crate::caller::Caller;
use crate::registry::ServiceStatus;
use crate::servers::{Finding, ServerView, Specification};
use crate::transport::Hub;
use crate::upstream::Description;
use crate::upstream::offers::Offer;
use http::HeaderMap;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// A registered server.
#[derive(Serialize, ToSchema)]
#[schema(as = McpServer)]
pub(super) struct Server {
    id: String,
    #[serde(flatten)]
    specification: Specification,
    /// active, unhealthy or configuring.
    status: &'static str,
    is_active: bool,
    tool_count: usize,
    /// Tools that wait for an operator to accept a changed definition.
    quarantined: usize,
    /// The MCP revision spoken; null while not connected.
    revision: Option<String>,
    server_info: Option<Value>,
    error_message: Option<String>,
    last_sync: Option<String>,
    created_by: String,
    updated_by: String,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<Value>>,
    /// What hosts will stumble over.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<Value>>,
}

impl Server {
    pub(super) fn of(view: ServerView) -> Self {
        let (registered, service) = (view.registered, view.service);
        let status = service.as_ref().map(|it| it.status);
        let connection = view.connection;
        let info = connection.as_ref().and_then(|it| it.server_info.as_ref());
        Self {
            id: registered.id,
            status: word(status),
            is_active: status.is_some_and(ServiceStatus::is_available),
            tool_count: service.as_ref().map_or(0, |it| it.tool_count),
            quarantined: service.as_ref().map_or(0, |it| it.quarantined),
            server_info: info.map(|(name, version)| json!({"name": name, "version": version})),
            revision: connection.and_then(|it| it.revision),
            error_message: service.as_ref().and_then(|it| it.fault.clone()),
            last_sync: service
                .as_ref()
                .and_then(|it| it.last_seen)
                .map(|at| format!("{at:.3}")),
            specification: registered.specification,
            created_by: registered.created_by,
            updated_by: registered.updated_by,
            created_at: format!("{:.3}", registered.created_at),
            updated_at: format!("{:.3}", registered.updated_at),
            tools: None,
            findings: None,
        }
    }

    pub(super) fn with_tools(mut self, mut tools: Vec<Value>) -> Self {
        let own = format!("{}.", self.specification.name);
        let is_own = |tool: &Value| {
            let id = tool.get("id").and_then(Value::as_str);
            id.is_some_and(|id| id.starts_with(&own))
        };
        tools.retain(is_own);
        self.tools = Some(tools);
        self
    }

    pub(super) fn with_findings(mut self, found: &[Finding]) -> Self {
        self.findings = Some(findings(found));
        self
    }
}

const fn word(status: Option<ServiceStatus>) -> &'static str {
    match status {
        None => "configuring",
        Some(ServiceStatus::Healthy | ServiceStatus::Degraded) => "active",
        Some(ServiceStatus::Unhealthy | ServiceStatus::Unreachable) => "unhealthy",
    }
}

/// A document whose members depend on the server.
#[derive(Serialize, ToSchema)]
#[schema(as = McpDocument)]
pub(super) struct Shown {
    #[serde(flatten)]
    members: Map<String, Value>,
}

/// How a server is connected and protected.
#[derive(Serialize, ToSchema)]
#[schema(as = McpServerStats)]
pub(super) struct Stats {
    id: String,
    status: &'static str,
    connections: usize,
    tool_count: usize,
    last_seen: Option<String>,
    breakers: Vec<Value>,
}

impl Stats {
    pub(super) fn of(view: ServerView) -> Self {
        let service = view.service;
        let breakers = service.as_ref().and_then(|it| it.breakers.as_ref());
        let breakers = breakers.into_iter().flatten();
        Self {
            id: view.registered.id,
            status: word(service.as_ref().map(|it| it.status)),
            connections: view.connection.map_or(0, |it| it.connections),
            tool_count: service.as_ref().map_or(0, |it| it.tool_count),
            last_seen: service
                .as_ref()
                .and_then(|it| it.last_seen)
                .map(|at| format!("{at:.3}")),
            breakers: breakers
                .map(|it| json!({"target": &*it.target, "state": it.state.as_str()}))
                .collect(),
        }
    }
}

/// The tools the caller may see; of one server, or of all.
pub(super) fn tools(hub: &Hub, caller: &Caller, server: Option<&str>) -> Vec<Value> {
    let listing = hub.gateway.list(caller);
    let of = listing
        .tools
        .iter()
        .filter(|it| server.is_none_or(|server| &*it.route.service == server));
    of.map(|it| {
        let tool = &it.route.tool;
        json!({
            "id": tool.id.as_str(),
            "name": tool.wire.as_ref().map(|wire| &*wire.name),
            "alias": &*it.route.alias,
            "title": tool.title,
            "description": tool.description,
            "input_schema": tool.input_schema,
            "effect": tool.effect.as_str(),
        })
    })
    .collect()
}

/// What a server that is not registered has.
pub(super) fn tested(description: &Description, found: &[Finding]) -> Shown {
    let tools = description.tools.iter().map(|tool| {
        json!({
            "id": tool.id.as_str(),
            "name": tool.wire.as_ref().map(|wire| &*wire.name),
            "description": tool.description,
            "effect": tool.effect.as_str(),
        })
    });
    let members = [
        ("version", json!(description.version)),
        ("tool_count", json!(description.tools.len())),
        ("tools", tools.collect()),
        ("findings", json!(findings(found))),
    ];
    Shown {
        members: members
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect(),
    }
}

/// One resource or prompt.
pub(super) fn offer(offer: &Offer, name: &str) -> Value {
    json!({"name": name, "key": &*offer.key, "definition": offer.definition})
}

/// A header that is text.
pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    (!value.is_empty()).then(|| value.to_owned())
}

fn findings(found: &[Finding]) -> Vec<Value> {
    let shown = |it: &Finding| json!({"tool": it.tool, "hosts": it.hosts, "message": it.message});
    found.iter().map(shown).collect()
}
