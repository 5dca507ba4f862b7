//! SQL servers and their databases: list.

use crate::arm::{Arm, version};
use crate::cloud::Azure;
use crate::machines::InGroup;
use crate::names;
use crate::vm::group_of;
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `cloud.azure.sql.listSqlServers`.
pub(crate) struct ListSqlServers(pub(crate) Arc<Azure>);
/// `cloud.azure.sql.listSqlDatabases`.
pub(crate) struct ListSqlDatabases(pub(crate) Arc<Azure>);

/// Arguments of `listSqlDatabases`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct OneServer {
    /// Name of the logical server.
    #[schemars(length(min = 1, max = 63))]
    server_name: String,
    /// Its resource group.
    #[schemars(length(min = 1, max = 90))]
    resource_group: String,
}

/// Result of `listSqlServers`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Servers {
    /// The servers, by id.
    servers: Vec<Server>,
    /// How many these are.
    count: usize,
}

/// One logical server.
#[derive(Debug, Serialize, JsonSchema)]
struct Server {
    /// Id of the resource.
    id: String,
    /// Its name.
    name: String,
    /// Its resource group.
    resource_group: String,
    /// Region.
    location: String,
    /// Ready, Disabled, …
    state: String,
    /// Version of the server.
    version: String,
    /// Its host name.
    fqdn: String,
}

/// Result of `listSqlDatabases`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Databases {
    /// The databases, by name.
    databases: Vec<Database>,
    /// How many these are.
    count: usize,
}

/// One database.
#[derive(Debug, Serialize, JsonSchema)]
struct Database {
    /// Its name.
    name: String,
    /// Online, Paused, Restoring, …
    status: String,
    /// Its size and tier, such as `S0`.
    sku: String,
    /// The largest size it may reach; null when Azure does not say.
    size_bytes: Option<i64>,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
}

/// Source: Microsoft.Sql 2021-11-01, `Server`.
#[derive(Deserialize)]
struct StoredServer {
    id: String,
    name: String,
    location: String,
    #[serde(default)]
    properties: ServerProperties,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ServerProperties {
    state: String,
    version: String,
    fully_qualified_domain_name: String,
}

/// A database of Resource Manager. Source: Microsoft.Sql 2021-11-01, `Database`.
#[derive(Deserialize)]
pub(crate) struct Stored {
    pub(crate) name: String,
    #[serde(default)]
    sku: Option<Sku>,
    properties: StoredProperties,
}

#[derive(Deserialize)]
struct Sku {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredProperties {
    #[serde(default)]
    status: String,
    max_size_bytes: Option<i64>,
    creation_date: Timestamp,
}

impl Stored {
    /// Online, Paused, Restoring, …
    pub(crate) fn status(&self) -> &str {
        &self.properties.status
    }
}

/// The databases of a logical server, by checked names.
pub(crate) async fn databases(
    arm: &Arm,
    group: &str,
    server: &str,
) -> Result<Vec<Stored>, ToolError> {
    let parts = ["Microsoft.Sql", "servers", server, "databases"];
    arm.list(arm.url(Some(group), &parts, version::SQL)).await
}

#[async_trait]
impl TypedTool for ListSqlServers {
    type Arguments = InGroup;
    type Output = Servers;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.sql.listSqlServers",
            Effect::Read,
            "List the logical SQL servers of the Azure subscription, or of one resource group.",
        )
        .open_world()
    }

    async fn run(&self, arguments: InGroup, _: &Call) -> Result<Servers, ToolError> {
        let group = names::maybe_group(arguments.resource_group.as_deref())?;
        let arm = &self.0.ready()?.arm;
        let url = arm.url(group, &["Microsoft.Sql", "servers"], version::SQL);
        let all: Vec<StoredServer> = arm.list(url).await?;
        let shown = |it: StoredServer| Server {
            resource_group: group_of(&it.id).to_owned(),
            id: it.id,
            name: it.name,
            location: it.location,
            state: it.properties.state,
            version: it.properties.version,
            fqdn: it.properties.fully_qualified_domain_name,
        };
        let mut servers: Vec<Server> = all.into_iter().map(shown).collect();
        servers.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(Servers {
            count: servers.len(),
            servers,
        })
    }
}

#[async_trait]
impl TypedTool for ListSqlDatabases {
    type Arguments = OneServer;
    type Output = Databases;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.sql.listSqlDatabases",
            Effect::Read,
            "List the databases of a logical SQL server of Azure.",
        )
        .open_world()
    }

    async fn run(&self, arguments: OneServer, _: &Call) -> Result<Databases, ToolError> {
        let group = names::group(&arguments.resource_group)?;
        let server = names::resource("serverName", &arguments.server_name)?;
        let all = databases(&self.0.ready()?.arm, group, server).await?;
        let shown = |it: Stored| Database {
            name: it.name,
            status: it.properties.status,
            sku: it.sku.map(|sku| sku.name).unwrap_or_default(),
            size_bytes: it.properties.max_size_bytes,
            created_at: it.properties.creation_date,
        };
        let mut databases: Vec<Database> = all.into_iter().map(shown).collect();
        databases.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Databases {
            count: databases.len(),
            databases,
        })
    }
}
