//! Spoke 12: the configuration database, a CSV file of one's own and `ServiceNow`.
//!
//! The tools, in reading order: one server and searches (`lookup`), changes (`edit`, `links`,
//! `transfer`), `ServiceNow` (`ci`, `incident`), both together (`assets`), figures (`state`). Beneath
//! them: what a server is (`server`), the texts (`sheet`, `inventory`, `relations`), the files
//! (`store`), the remote system (`servicenow`).

mod assets;
mod ci;
mod config;
mod edit;
mod incident;
mod inventory;
mod links;
mod lookup;
mod relations;
mod server;
mod servicenow;
mod sheet;
mod state;
mod store;
#[cfg(test)]
mod testing;
mod transfer;

use config::Config;
use futures::future::BoxFuture;
use servicenow::{ServiceNow, SetupError};
use shared::spoke::{BuildError, BuildInput, HealthCheck, Parts, Service};
use shared::tool::{Tool, boxed};
use state::{LocalCheck, RemoteCheck};
use std::sync::Arc;
use store::Store;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "12_cmdb_mcp",
    number: 12,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["cmdb"],
    canary: "cmdb.local.validate",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build,
};

fn build(input: &BuildInput) -> BoxFuture<'_, Result<Parts, BuildError>> {
    Box::pin(async move {
        let config: Config = input.config()?;
        let clock = Arc::clone(&input.kit.clock);
        let store = Store::open(&config.local, clock);
        let store = store.map_err(|error| BuildError::setup("the local CMDB", error))?;
        let store = Arc::new(store);
        let remote = ServiceNow::prepare(&config, input.kit.secrets.as_ref());
        let remote = Arc::new(remote.map_err(unprepared)?);
        let checks: Vec<Arc<dyn HealthCheck>> = vec![
            Arc::new(LocalCheck(Arc::clone(&store))),
            Arc::new(RemoteCheck(Arc::clone(&remote))),
        ];
        let mut tools = local_tools(&store)?;
        tools.extend([
            boxed(ci::GetCiDetails(Arc::clone(&remote)))?,
            boxed(incident::GetIncident(Arc::clone(&remote)))?,
            boxed(assets::QueryAssets {
                store: Arc::clone(&store),
                remote: Arc::clone(&remote),
                table: config.servicenow.asset_table,
            })?,
            state::metrics_tool(&input.kit.meter, store, remote)?,
        ]);
        Ok(Parts { tools, checks })
    })
}

fn local_tools(store: &Arc<Store>) -> Result<Vec<Arc<dyn Tool>>, BuildError> {
    let store = || Arc::clone(store);
    Ok(vec![
        boxed(lookup::GetServerInfo(store()))?,
        boxed(lookup::FindServers(store()))?,
        boxed(lookup::GetServiceInfo(store()))?,
        boxed(lookup::Validate(store()))?,
        boxed(edit::CreateServer(store()))?,
        boxed(edit::UpdateServer(store()))?,
        boxed(edit::DeleteServer(store()))?,
        boxed(links::ListRelations(store()))?,
        boxed(links::AddRelation(store()))?,
        boxed(links::RemoveRelation(store()))?,
        boxed(transfer::ImportCsv(store()))?,
        boxed(transfer::ExportCsv(store()))?,
    ])
}

fn unprepared(error: SetupError) -> BuildError {
    match error {
        SetupError::Secret(error) => error.into(),
        error => BuildError::setup("the connection to ServiceNow", error),
    }
}
