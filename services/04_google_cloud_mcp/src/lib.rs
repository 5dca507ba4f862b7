//! Spoke 04: instances, storage and databases of one Google Cloud project.
//!
//! The tools, in reading order: instances (`instances`, `power`, `create`), storage (`buckets`,
//! `objects`), databases (`sql`). Beneath them: the connection (`google`) and long operations
//! (`operation`).

mod buckets;
mod config;
mod create;
mod google;
mod instances;
mod names;
mod objects;
mod operation;
mod power;
mod sql;

use config::Config;
use google::{CloudCheck, Google};
use shared::spoke::{BuildError, BuildInput, Parts, Service, metrics_tool};
use shared::tool::boxed;
use std::future::ready;
use std::sync::Arc;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "04_google_cloud_mcp",
    number: 4,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["cloud.gcloud"],
    canary: "cloud.gcloud.getMetrics",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build: |input| Box::pin(ready(build(input))),
};

fn build(input: &BuildInput) -> Result<Parts, BuildError> {
    let config: Config = input.config()?;
    let google = Google::prepare(&config, &input.kit)
        .map_err(|error| BuildError::setup("the connection to Google Cloud", error))?;
    let google = Arc::new(google);
    let own = || Arc::clone(&google);
    let tools = vec![
        boxed(instances::ListInstances(own()))?,
        boxed(instances::GetInstanceInfo(own()))?,
        boxed(power::StartInstance(own()))?,
        boxed(power::StopInstance(own()))?,
        boxed(power::DeleteInstance(own()))?,
        boxed(create::CreateInstance(own()))?,
        boxed(buckets::ListBuckets(own()))?,
        boxed(objects::ListBucketObjects(own()))?,
        boxed(objects::DownloadObject(own()))?,
        boxed(objects::UploadObject(own()))?,
        boxed(objects::DeleteObject(own()))?,
        boxed(sql::ListSqlInstances(own()))?,
        boxed(sql::RestartSqlInstance(own()))?,
        metrics_tool(
            &input.kit.meter,
            "cloud.gcloud.getMetrics",
            Arc::new(Vec::new),
        )?,
    ];
    let checks = vec![Arc::new(CloudCheck(google)) as _];
    Ok(Parts { tools, checks })
}
