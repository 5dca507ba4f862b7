//! `system.listServices` and `master.getServerInfo`: what the hub is made of.

use super::{MasterParts, NoArguments};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};

/// Version of the hub's HTTP API.
pub(super) const API_VERSION: &str = "1";

pub(super) struct ListServices(pub(super) MasterParts);

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Services {
    /// One entry per namespace.
    configured_services: Vec<Configured>,
    /// Number of entries.
    count: usize,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Configured {
    /// Dotted prefix of its tools.
    namespace: String,
    /// Folder name of the service.
    service: String,
    /// Where it is reached; empty for the hub itself.
    url: String,
    /// Its number; 0 for the hub itself.
    number: u8,
    /// `grpc` for a spoke, `virtual` for the hub itself.
    transport: &'static str,
    /// healthy, degraded, unhealthy or unreachable.
    status: &'static str,
    /// Tools of the whole service.
    tool_count: usize,
}

#[async_trait]
impl TypedTool for ListServices {
    type Arguments = NoArguments;
    type Output = Services;

    fn spec(&self) -> Spec {
        Spec::new(
            "system.listServices",
            Effect::Read,
            "List the services behind the hub with their namespaces, addresses, status and number of tools.",
        )
        .live()
        .aliases(&["system.listServers"])
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<Services, ToolError> {
        let mut entries = Vec::new();
        for service in self.0.services()? {
            for namespace in &service.namespaces {
                entries.push(Configured {
                    namespace: namespace.clone(),
                    service: service.service.to_string(),
                    url: service.url.clone(),
                    number: service.number,
                    transport: if service.own { "virtual" } else { "grpc" },
                    status: service.status.as_str(),
                    tool_count: service.tool_count,
                });
            }
        }
        Ok(Services {
            count: entries.len(),
            configured_services: entries,
        })
    }
}

pub(super) struct GetServerInfo(pub(super) MasterParts);

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ServerInfo {
    /// Name of the hub.
    name: &'static str,
    /// Version of its build.
    version: &'static str,
    /// Version of its HTTP API.
    api_version: &'static str,
    /// Port it is reached at.
    port: u16,
    /// Prefixes it routes to spokes.
    proxied_namespaces: Vec<String>,
    /// MCP revisions it speaks, newest first.
    protocol_versions: Vec<&'static str>,
}

#[async_trait]
impl TypedTool for GetServerInfo {
    type Arguments = NoArguments;
    type Output = ServerInfo;

    fn spec(&self) -> Spec {
        Spec::new(
            "master.getServerInfo",
            Effect::Read,
            "Tell the hub's name, versions, port, the namespaces it routes and the MCP revisions it speaks.",
        )
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<ServerInfo, ToolError> {
        let services = self.0.downstream()?;
        let mut proxied: Vec<_> = services
            .into_iter()
            .flat_map(|service| service.namespaces)
            .collect();
        proxied.sort();
        let legacy = proto::mcp::LEGACY.iter().copied();
        Ok(ServerInfo {
            name: "waygate",
            version: self.0.version,
            api_version: API_VERSION,
            port: self.0.port,
            proxied_namespaces: proxied,
            protocol_versions: std::iter::once(proto::mcp::MODERN).chain(legacy).collect(),
        })
    }
}
