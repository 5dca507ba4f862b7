//! Virtual machines: start, stop, restart, delete.

mod readiness;

use crate::arm::Work;
use crate::arm::version;
use crate::cloud::{Azure, Connection, checks_or_why};
use crate::names;
use async_trait::async_trait;
use reqwest::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use shared::remote::Operation;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `cloud.azure.compute.startVM`.
pub(crate) struct StartVm(pub(crate) Arc<Azure>);
/// `cloud.azure.compute.stopVM`.
pub(crate) struct StopVm(pub(crate) Arc<Azure>);
/// `cloud.azure.compute.restartVM`.
pub(crate) struct RestartVm(pub(crate) Arc<Azure>);
/// `cloud.azure.compute.deleteVM`.
pub(crate) struct DeleteVm(pub(crate) Arc<Azure>);

/// Arguments of the tools that do one thing to one machine.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OneVm {
    /// Name of the virtual machine.
    #[serde(rename = "vmName")]
    #[schemars(length(min = 1, max = 64))]
    vm_name: String,
    /// Its resource group.
    #[serde(rename = "resourceGroup")]
    #[schemars(length(min = 1, max = 90))]
    resource_group: String,
    /// Wait until it is done, at most as long as the call may take.
    #[serde(default = "yes")]
    wait: bool,
}

/// Arguments of `stopVM`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopArguments {
    /// Name of the virtual machine.
    #[serde(rename = "vmName")]
    #[schemars(length(min = 1, max = 64))]
    vm_name: String,
    /// Its resource group.
    #[serde(rename = "resourceGroup")]
    #[schemars(length(min = 1, max = 90))]
    resource_group: String,
    /// Give its processors back, so that they cost nothing; a dynamic public address is lost.
    #[serde(default = "yes")]
    deallocate: bool,
    /// Wait until it is done, at most as long as the call may take.
    #[serde(default = "yes")]
    wait: bool,
}

const fn yes() -> bool {
    true
}

/// The machine that is meant, by checked names.
struct Target<'a> {
    group: &'a str,
    name: &'a str,
    wait: bool,
}

impl OneVm {
    fn target(&self) -> Result<Target<'_>, ToolError> {
        Target::of(&self.resource_group, &self.vm_name, self.wait)
    }
}

impl StopArguments {
    fn target(&self) -> Result<Target<'_>, ToolError> {
        Target::of(&self.resource_group, &self.vm_name, self.wait)
    }
}

impl<'a> Target<'a> {
    fn of(group: &'a str, name: &'a str, wait: bool) -> Result<Self, ToolError> {
        Ok(Self {
            group: names::group(group)?,
            name: names::resource("vmName", name)?,
            wait,
        })
    }
}

impl std::fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Azure virtual machine {} in {}", self.name, self.group)
    }
}

#[async_trait]
impl TypedTool for StartVm {
    type Arguments = OneVm;
    type Output = Operation;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.compute.startVM",
            Effect::Mutate,
            "Start an Azure virtual machine. It costs money from then on.",
        )
        .idempotent()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &OneVm, _: &Call) -> Result<Assessment, ToolError> {
        let summary = format!("Start {}", arguments.target()?);
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: OneVm, call: &Call) -> Result<Operation, ToolError> {
        let cloud = self.0.ready()?;
        cloud.switch(arguments.target()?, "start", call).await
    }
}

#[async_trait]
impl TypedTool for StopVm {
    type Arguments = StopArguments;
    type Output = Operation;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.compute.stopVM",
            Effect::Critical,
            "Stop an Azure virtual machine, and give its processors back unless told otherwise. It has \
             to run, to be at rest, and not to be tagged waygate-protect=true.",
        )
        .idempotent()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &StopArguments, _: &Call) -> Result<Assessment, ToolError> {
        let target = arguments.target()?;
        let how = match arguments.deallocate {
            true => "its processors are given back, a dynamic public address is lost",
            false => "its processors are kept and go on costing",
        };
        let summary = format!("Stop {target}: {how}");
        let mut assessment = Assessment::of(Effect::Critical, summary);
        assessment.checks = checks_or_why(readiness::running(&self.0, &target).await);
        Ok(assessment)
    }

    async fn run(&self, arguments: StopArguments, call: &Call) -> Result<Operation, ToolError> {
        let verb = match arguments.deallocate {
            true => "deallocate",
            false => "powerOff",
        };
        let cloud = self.0.ready()?;
        cloud.switch(arguments.target()?, verb, call).await
    }
}

#[async_trait]
impl TypedTool for RestartVm {
    type Arguments = OneVm;
    type Output = Operation;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.compute.restartVM",
            Effect::Critical,
            "Restart an Azure virtual machine. It has to run, to be at rest, and not to be tagged \
             waygate-protect=true.",
        )
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &OneVm, _: &Call) -> Result<Assessment, ToolError> {
        let target = arguments.target()?;
        let mut assessment = Assessment::of(Effect::Critical, format!("Restart {target}"));
        assessment.checks = checks_or_why(readiness::running(&self.0, &target).await);
        Ok(assessment)
    }

    async fn run(&self, arguments: OneVm, call: &Call) -> Result<Operation, ToolError> {
        let cloud = self.0.ready()?;
        cloud.switch(arguments.target()?, "restart", call).await
    }
}

#[async_trait]
impl TypedTool for DeleteVm {
    type Arguments = OneVm;
    type Output = Operation;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.compute.deleteVM",
            Effect::Critical,
            "Delete an Azure virtual machine for good. It has to be stopped, without a management \
             lock, and not tagged waygate-protect=true. Disks and interfaces stay unless their \
             settings say that they go with it.",
        )
        .idempotent()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &OneVm, _: &Call) -> Result<Assessment, ToolError> {
        let target = arguments.target()?;
        let mut assessment = Assessment::of(Effect::Critical, format!("Delete {target}"));
        assessment.checks = checks_or_why(readiness::stopped(&self.0, &target).await);
        Ok(assessment)
    }

    async fn run(&self, arguments: OneVm, call: &Call) -> Result<Operation, ToolError> {
        let cloud = self.0.ready()?;
        let target = arguments.target()?;
        let parts = ["Microsoft.Compute", "virtualMachines", target.name];
        let work = Work {
            action: "delete",
            target: target.name,
            method: Method::DELETE,
            url: cloud.arm.url(Some(target.group), &parts, version::COMPUTE),
            body: None,
            wait: target.wait,
        };
        cloud.arm.work(work, call).await
    }
}

impl Connection {
    async fn switch(
        &self,
        target: Target<'_>,
        verb: &str,
        call: &Call,
    ) -> Result<Operation, ToolError> {
        let parts = ["Microsoft.Compute", "virtualMachines", target.name, verb];
        let work = Work {
            action: verb,
            target: target.name,
            method: Method::POST,
            url: self.arm.url(Some(target.group), &parts, version::COMPUTE),
            body: None,
            wait: target.wait,
        };
        self.arm.work(work, call).await
    }
}
