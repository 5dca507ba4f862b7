//! Reading the local CMDB: one server, servers by column, servers by service, what is wrong.
//!
//! The answers change whenever somebody edits the file, so none of them may be cached.

use crate::inventory::Problem;
use crate::server::{Column, Server};
use crate::store::Store;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Most rows of one answer.
pub(crate) const MAX_ROWS: usize = 1000;

/// `cmdb.local.getServerInfo`.
pub(crate) struct GetServerInfo(pub(crate) Arc<Store>);

/// Arguments of `cmdb.local.getServerInfo`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ByHostname {
    /// Host name of the server; case does not matter.
    #[schemars(length(min = 1, max = 253))]
    pub(crate) hostname: String,
}

/// Result of `cmdb.local.getServerInfo`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ServerInfo {
    /// The server; null when it is not known.
    server: Option<Server>,
}

#[async_trait]
impl TypedTool for GetServerInfo {
    type Arguments = ByHostname;
    type Output = ServerInfo;

    fn spec(&self) -> Spec {
        Spec::new(
            "cmdb.local.getServerInfo",
            Effect::Read,
            "Look up one server of the local CMDB by its host name: address, operating system, \
             services, access notes. Gives null when the server is not known. To search by \
             anything else use cmdb.local.findServers.",
        )
        .aliases(&["cmdb.local.servers.getServerInfo"])
        .live()
    }

    async fn run(&self, arguments: ByHostname, _: &Call) -> Result<ServerInfo, ToolError> {
        let cmdb = self.0.get().await?;
        let server = cmdb.inventory.find(&arguments.hostname).cloned();
        Ok(ServerInfo { server })
    }
}

/// `cmdb.local.findServers`.
pub(crate) struct FindServers(pub(crate) Arc<Store>);

/// Arguments of `cmdb.local.findServers`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FindArguments {
    /// The column to look in.
    query_field: Column,
    /// What the column must contain; case does not matter.
    #[schemars(length(max = 1024))]
    query_value: String,
}

/// Result of `cmdb.local.findServers`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Servers {
    /// In the order of the file, at most 1000.
    servers: Vec<Server>,
    /// Number of servers listed.
    count: usize,
    /// Whether there are more.
    truncated: bool,
}

impl Servers {
    /// The first servers that fit.
    fn of<'a>(found: impl Iterator<Item = &'a Server>) -> Self {
        let mut servers: Vec<Server> = found.take(MAX_ROWS + 1).cloned().collect();
        let truncated = servers.len() > MAX_ROWS;
        servers.truncate(MAX_ROWS);
        Self {
            count: servers.len(),
            servers,
            truncated,
        }
    }
}

#[async_trait]
impl TypedTool for FindServers {
    type Arguments = FindArguments;
    type Output = Servers;

    fn spec(&self) -> Spec {
        Spec::new(
            "cmdb.local.findServers",
            Effect::Read,
            "Find servers of the local CMDB whose column contains a text, without regard to case, \
             such as query_field os_type and query_value linux.",
        )
        .live()
    }

    async fn run(&self, arguments: FindArguments, _: &Call) -> Result<Servers, ToolError> {
        let cmdb = self.0.get().await?;
        let wanted = arguments.query_value.to_lowercase();
        Ok(Servers::of(cmdb.inventory.servers().filter(|server| {
            let text = server.get(arguments.query_field).to_lowercase();
            text.contains(&wanted)
        })))
    }
}

/// `cmdb.local.services.getServiceInfo`.
pub(crate) struct GetServiceInfo(pub(crate) Arc<Store>);

/// Arguments of `cmdb.local.services.getServiceInfo`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ByService {
    /// Name of the service; case does not matter.
    #[serde(rename = "serviceName")]
    #[schemars(length(min = 1, max = 1024))]
    service_name: String,
}

/// Result of `cmdb.local.services.getServiceInfo`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ServiceInfo {
    /// The service as it was asked for.
    service: String,
    /// Servers whose list of services names it, in the order of the file, at most 1000.
    servers: Vec<Server>,
    /// Number of servers listed.
    count: usize,
    /// Whether there are more.
    truncated: bool,
}

#[async_trait]
impl TypedTool for GetServiceInfo {
    type Arguments = ByService;
    type Output = ServiceInfo;

    fn spec(&self) -> Spec {
        Spec::new(
            "cmdb.local.services.getServiceInfo",
            Effect::Read,
            "List the servers of the local CMDB that run a service of this name.",
        )
        .live()
    }

    async fn run(&self, arguments: ByService, _: &Call) -> Result<ServiceInfo, ToolError> {
        let cmdb = self.0.get().await?;
        let service = arguments.service_name;
        let wanted = service.trim().to_lowercase();
        let runs = |server: &&Server| server.service_names().any(|n| n.to_lowercase() == wanted);
        let Servers {
            servers,
            count,
            truncated,
        } = Servers::of(cmdb.inventory.servers().filter(runs));
        Ok(ServiceInfo {
            service,
            servers,
            count,
            truncated,
        })
    }
}

/// `cmdb.local.validate`.
pub(crate) struct Validate(pub(crate) Arc<Store>);

/// Tools without parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoArguments {}

/// Result of `cmdb.local.validate`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Validation {
    /// Rows that are used.
    valid_rows: usize,
    /// What is wrong with the other rows, in the order of the file, at most 1000.
    errors: Vec<Problem>,
    /// Number of errors listed.
    count: usize,
    /// Whether there are more.
    truncated: bool,
}

#[async_trait]
impl TypedTool for Validate {
    type Arguments = NoArguments;
    type Output = Validation;

    fn spec(&self) -> Spec {
        Spec::new(
            "cmdb.local.validate",
            Effect::Read,
            "Check every row of the local CMDB file. Rows with a bad host name or address, or a \
             host name that stands in an earlier row, are listed by number and not used by the \
             other tools.",
        )
        .live()
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<Validation, ToolError> {
        let cmdb = self.0.get().await?;
        let problems = cmdb.inventory.problems();
        let errors: Vec<Problem> = problems.iter().take(MAX_ROWS).cloned().collect();
        Ok(Validation {
            valid_rows: cmdb.inventory.len(),
            count: errors.len(),
            truncated: problems.len() > errors.len(),
            errors,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::run;
    use serde_json::json;

    const TEXT: &str = "hostname,ip_address,os_type,services\n\
                        web1,10.0.0.1,Debian Linux,nginx;redis\n\
                        web2,10.0.0.2,debian,Nginx-Exporter\n\
                        bad host,10.0.0.3,debian,nginx\n";

    /// Acceptance: 53
    #[tokio::test]
    async fn a_known_host_is_a_row_and_an_unknown_one_null() {
        let (store, _dir) = crate::store::tests::store(Some(TEXT));
        let tool = GetServerInfo(store);
        let found = run(&tool, json!({"hostname": "WEB1"})).await.unwrap();
        assert_eq!(found["server"]["ip_address"], "10.0.0.1");
        let missing = run(&tool, json!({"hostname": "bad host"})).await.unwrap();
        assert_eq!(missing, json!({"server": null}));
    }

    /// Acceptance: 53
    #[tokio::test]
    async fn servers_are_found_by_part_of_a_column_without_regard_to_case() {
        let (store, _dir) = crate::store::tests::store(Some(TEXT));
        let tool = FindServers(store);
        for (value, count) in [("DEBIAN", 2), ("linux", 1), ("", 2), ("bsd", 0)] {
            let arguments = json!({"query_field": "os_type", "query_value": value});
            let found = run(&tool, arguments).await.unwrap();
            assert_eq!(found["count"], count, "{value}");
        }
    }

    #[tokio::test]
    async fn a_service_is_a_whole_name_in_the_list() {
        let (store, _dir) = crate::store::tests::store(Some(TEXT));
        let found = run(&GetServiceInfo(store), json!({"serviceName": "NGINX"}))
            .await
            .unwrap();
        assert_eq!(found["service"], "NGINX");
        assert_eq!(found["servers"][0]["hostname"], "web1");
        assert_eq!(found["count"], 1);
    }

    /// Acceptance: 55
    #[tokio::test]
    async fn validation_names_the_row_and_the_field() {
        let (store, _dir) = crate::store::tests::store(Some(TEXT));
        let report = run(&Validate(store), json!({})).await.unwrap();
        assert_eq!(report["valid_rows"], 2);
        let error =
            json!({"row": 4, "field": "hostname", "message": "is not a host name by RFC 1123"});
        assert_eq!(report["errors"], json!([error]));
    }
}
