//! Instances of Compute Engine: start, stop, delete.

use crate::google::{Connection, Google, check, checks_or_why};
use crate::instances::{PROTECT, Stored};
use crate::names;
use crate::operation::Work;
use async_trait::async_trait;
use reqwest::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use shared::remote::Operation;
use shared::tool::{Assessment, Call, Check, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `cloud.gcloud.compute.startInstance`.
pub(crate) struct StartInstance(pub(crate) Arc<Google>);
/// `cloud.gcloud.compute.stopInstance`.
pub(crate) struct StopInstance(pub(crate) Arc<Google>);
/// `cloud.gcloud.compute.deleteInstance`.
pub(crate) struct DeleteInstance(pub(crate) Arc<Google>);

/// Arguments of the tools that do one thing to one instance.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OneInstance {
    /// Name of the instance.
    #[serde(rename = "instanceName")]
    #[schemars(length(min = 1, max = 63))]
    instance_name: String,
    /// Its zone, such as `europe-west1-b`.
    #[schemars(length(min = 1, max = 63))]
    zone: String,
    /// Wait until it is done, at most as long as the call may take.
    #[serde(default = "yes")]
    wait: bool,
}

const fn yes() -> bool {
    true
}

impl OneInstance {
    fn names(&self) -> Result<(&str, &str), ToolError> {
        let zone = names::resource("zone", &self.zone)?;
        Ok((zone, names::resource("instanceName", &self.instance_name)?))
    }

    fn summary(&self, verb: &str) -> Result<String, ToolError> {
        let (zone, name) = self.names()?;
        Ok(format!("{verb} Google Cloud instance {name} in {zone}"))
    }
}

#[async_trait]
impl TypedTool for StartInstance {
    type Arguments = OneInstance;
    type Output = Operation;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.gcloud.compute.startInstance",
            Effect::Mutate,
            "Start a Compute Engine instance of Google Cloud. It costs money from then on.",
        )
        .idempotent()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &OneInstance, _: &Call) -> Result<Assessment, ToolError> {
        Ok(Assessment::of(Effect::Mutate, arguments.summary("Start")?))
    }

    async fn run(&self, arguments: OneInstance, call: &Call) -> Result<Operation, ToolError> {
        self.0.ready()?.switch(&arguments, "start", call).await
    }
}

#[async_trait]
impl TypedTool for StopInstance {
    type Arguments = OneInstance;
    type Output = Operation;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.gcloud.compute.stopInstance",
            Effect::Critical,
            "Stop a Compute Engine instance of Google Cloud. It has to run and not to be labelled \
             waygate-protect=true.",
        )
        .idempotent()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &OneInstance, _: &Call) -> Result<Assessment, ToolError> {
        let summary = arguments.summary("Stop")?;
        let mut assessment = Assessment::of(Effect::Critical, summary);
        assessment.checks = checks_or_why(running(&self.0, arguments).await);
        Ok(assessment)
    }

    async fn run(&self, arguments: OneInstance, call: &Call) -> Result<Operation, ToolError> {
        self.0.ready()?.switch(&arguments, "stop", call).await
    }
}

#[async_trait]
impl TypedTool for DeleteInstance {
    type Arguments = OneInstance;
    type Output = Operation;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.gcloud.compute.deleteInstance",
            Effect::Critical,
            "Delete a Compute Engine instance of Google Cloud for good, with the disks that are set to \
             go with it. It has to be stopped, without deletion protection, and not labelled \
             waygate-protect=true.",
        )
        .idempotent()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &OneInstance, _: &Call) -> Result<Assessment, ToolError> {
        let summary = arguments.summary("Delete")?;
        let mut assessment = Assessment::of(Effect::Critical, summary);
        assessment.checks = checks_or_why(stopped(&self.0, arguments).await);
        Ok(assessment)
    }

    async fn run(&self, arguments: OneInstance, call: &Call) -> Result<Operation, ToolError> {
        let (zone, name) = arguments.names()?;
        let cloud = self.0.ready()?;
        let url = cloud.compute(&["zones", zone, "instances", name]);
        let work = Work {
            action: "delete",
            target: name,
            request: cloud.request(Method::DELETE, url),
            wait: arguments.wait,
        };
        cloud.zonal(work, zone, call).await
    }
}

impl Connection {
    async fn switch(
        &self,
        arguments: &OneInstance,
        verb: &str,
        call: &Call,
    ) -> Result<Operation, ToolError> {
        let (zone, name) = arguments.names()?;
        let url = self.compute(&["zones", zone, "instances", name, verb]);
        let work = Work {
            action: verb,
            target: name,
            request: self.request(Method::POST, url),
            wait: arguments.wait,
        };
        self.zonal(work, zone, call).await
    }

    /// Work whose operation is one of a zone.
    pub(crate) async fn zonal(
        &self,
        work: Work<'_>,
        zone: &str,
        call: &Call,
    ) -> Result<Operation, ToolError> {
        let look = |name: &str| self.compute(&["zones", zone, "operations", name]);
        self.work(work, look, call).await
    }
}

/// Source: `catalogue.md` 5.
async fn running(cloud: &Google, arguments: &OneInstance) -> Result<Vec<Check>, ToolError> {
    let (zone, name) = arguments.names()?;
    let instance = cloud.ready()?.instance(zone, name).await?;
    let status = instance.status.as_str();
    Ok(vec![
        check("machine_runs", status == "RUNNING", status),
        at_rest(&instance),
        unprotected(&instance),
    ])
}

/// Source: `catalogue.md` 5.
async fn stopped(cloud: &Google, arguments: &OneInstance) -> Result<Vec<Check>, ToolError> {
    let (zone, name) = arguments.names()?;
    let instance = cloud.ready()?.instance(zone, name).await?;
    let status = instance.status.as_str();
    let kept = instance.deletion_protection;
    Ok(vec![
        check("machine_stopped", status == "TERMINATED", status),
        at_rest(&instance),
        check(
            "no_deletion_protection",
            !kept,
            format!("protected: {kept}"),
        ),
        unprotected(&instance),
        check("disks", true, fate(&instance)),
    ])
}

/// Every state but these is on the way to another one.
fn at_rest(instance: &Stored) -> Check {
    let settled = ["RUNNING", "TERMINATED", "SUSPENDED"];
    let status = instance.status.as_str();
    check(
        "no_operation_in_progress",
        settled.contains(&status),
        status,
    )
}

fn unprotected(instance: &Stored) -> Check {
    let protected = instance.is_protected();
    check(
        "not_protected",
        !protected,
        format!("{PROTECT}: {protected}"),
    )
}

fn fate(instance: &Stored) -> String {
    let told = |disk: &Value| {
        let name = disk.get("deviceName").and_then(Value::as_str);
        let name = name.unwrap_or("unnamed");
        match disk.get("autoDelete") == Some(&Value::Bool(true)) {
            true => format!("{name}: deleted with it"),
            false => format!("{name}: stays"),
        }
    };
    let disks: Vec<String> = instance.disks.iter().map(told).collect();
    disks.join("; ")
}
