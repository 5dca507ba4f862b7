//! Spoke 03: virtual machines, storage and SQL servers of one Azure subscription.
//!
//! The tools, in reading order: machines (`machines`, `power`, `create`), storage (`accounts`, `blobs`,
//! `upload`), databases (`sql`, `restart`). Beneath them: the connection (`cloud`) with Resource Manager
//! (`arm`), the Blob service (`blob`) and our identity (`credential`).

mod accounts;
mod arm;
mod blob;
mod blobs;
mod cloud;
mod config;
mod create;
mod credential;
mod machines;
mod names;
mod power;
mod restart;
mod sql;
mod upload;
mod vm;

use cloud::{Azure, CloudCheck};
use config::Config;
use credential::IdentityError;
use shared::spoke::{BuildError, BuildInput, Parts, Service, metrics_tool};
use shared::tool::boxed;
use std::future::ready;
use std::sync::Arc;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "03_azure_mcp",
    number: 3,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["cloud.azure"],
    canary: "cloud.azure.getMetrics",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build: |input| Box::pin(ready(build(input))),
};

fn build(input: &BuildInput) -> Result<Parts, BuildError> {
    let config: Config = input.config()?;
    let azure = Arc::new(Azure::prepare(&config, &input.kit).map_err(unprepared)?);
    let own = || Arc::clone(&azure);
    let clock = || Arc::clone(&input.kit.clock);
    let tools = vec![
        boxed(machines::ListVms(own()))?,
        boxed(machines::GetVmInfo(own()))?,
        boxed(power::StartVm(own()))?,
        boxed(power::StopVm(own()))?,
        boxed(power::RestartVm(own()))?,
        boxed(power::DeleteVm(own()))?,
        boxed(create::CreateVm(own()))?,
        boxed(accounts::ListStorageAccounts(own()))?,
        boxed(accounts::ListBlobContainers(own()))?,
        boxed(blobs::ListBlobs(own()))?,
        boxed(blobs::DownloadBlob(own(), clock()))?,
        boxed(upload::UploadBlob(own()))?,
        boxed(blobs::DeleteBlob(own(), clock()))?,
        boxed(sql::ListSqlServers(own()))?,
        boxed(sql::ListSqlDatabases(own()))?,
        boxed(restart::RestartSqlServer(own()))?,
        metrics_tool(
            &input.kit.meter,
            "cloud.azure.getMetrics",
            Arc::new(Vec::new),
        )?,
    ];
    let checks = vec![Arc::new(CloudCheck(azure)) as _];
    Ok(Parts { tools, checks })
}

fn unprepared(error: IdentityError) -> BuildError {
    match error {
        IdentityError::Secret(error) => error.into(),
        error => BuildError::setup("the connection to Azure", error),
    }
}
