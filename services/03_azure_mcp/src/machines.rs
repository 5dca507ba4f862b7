//! Virtual machines: list and read.

use crate::arm::{Arm, version};
use crate::cloud::{Azure, Connection};
use crate::names;
use crate::vm::{Addresses, Machine, Nic, PublicIp, Vm, key};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::collections::HashMap;
use std::sync::Arc;

/// Interfaces of one machine that are looked at.
const MAX_NICS: usize = 8;

/// `cloud.azure.compute.listVMs`.
pub(crate) struct ListVms(pub(crate) Arc<Azure>);
/// `cloud.azure.compute.getVMInfo`.
pub(crate) struct GetVmInfo(pub(crate) Arc<Azure>);

/// Arguments of the lists.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InGroup {
    /// Only those of this resource group; leave out for the whole subscription.
    #[serde(default, rename = "resourceGroup")]
    #[schemars(length(min = 1, max = 90))]
    pub(crate) resource_group: Option<String>,
}

/// Arguments of `getVMInfo`.
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
}

/// Result of `listVMs`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Vms {
    /// The machines, by id.
    vms: Vec<Vm>,
    /// How many these are.
    count: usize,
}

/// Result of `getVMInfo`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Whole {
    #[serde(flatten)]
    vm: Vm,
    /// Its disks as Azure has them, the system's first.
    disks: Vec<Value>,
    /// Its network interfaces as Azure has them.
    nics: Vec<Value>,
    /// What it was made from; null when Azure does not say.
    image: Value,
    /// Its states with their dates, as Azure has them.
    statuses: Vec<Value>,
}

#[async_trait]
impl TypedTool for ListVms {
    type Arguments = InGroup;
    type Output = Vms;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.compute.listVMs",
            Effect::Read,
            "List the virtual machines of the Azure subscription, or of one resource group, with \
             size, power state, addresses and tags.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: InGroup, _: &Call) -> Result<Vms, ToolError> {
        let group = names::maybe_group(arguments.resource_group.as_deref())?;
        let arm = &self.0.ready()?.arm;
        let compute = ["Microsoft.Compute", "virtualMachines"];
        let url = |group| arm.url(group, &compute, version::COMPUTE);
        let mut states = url(None);
        states.query_pairs_mut().append_pair("statusOnly", "true");
        // The list has no states, and the list of states not much else.
        let (machines, states, addresses) = tokio::try_join!(
            arm.list::<Machine>(url(group)),
            arm.list_if_allowed::<Machine>(states),
            addresses(arm),
        )?;
        let states = states.into_iter();
        let mut states: HashMap<_, _> = states.map(|it| (key(&it.id), it)).collect();
        let shown = |mut machine: Machine| {
            if let Some(state) = states.remove(&key(&machine.id)) {
                machine.properties.instance_view = state.properties.instance_view;
            }
            machine.shown(&addresses)
        };
        let mut vms: Vec<Vm> = machines.into_iter().map(shown).collect();
        vms.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(Vms {
            count: vms.len(),
            vms,
        })
    }
}

#[async_trait]
impl TypedTool for GetVmInfo {
    type Arguments = OneVm;
    type Output = Whole;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.compute.getVMInfo",
            Effect::Read,
            "Read one Azure virtual machine with its state, disks, network interfaces and image.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: OneVm, _: &Call) -> Result<Whole, ToolError> {
        let group = names::group(&arguments.resource_group)?;
        let name = names::resource("vmName", &arguments.vm_name)?;
        self.0.ready()?.whole(group, name).await
    }
}

impl Connection {
    /// One machine with its state.
    pub(crate) async fn machine(&self, group: &str, name: &str) -> Result<Machine, ToolError> {
        let parts = ["Microsoft.Compute", "virtualMachines", name];
        let mut url = self.arm.url(Some(group), &parts, version::COMPUTE);
        url.query_pairs_mut().append_pair("$expand", "instanceView");
        self.arm.get(url).await
    }

    /// One machine with all that belongs to it.
    pub(crate) async fn whole(&self, group: &str, name: &str) -> Result<Whole, ToolError> {
        let machine = self.machine(group, name).await?;
        let mut nics: Vec<Value> = Vec::new();
        let (mut known, mut public) = (Vec::new(), Vec::new());
        for id in machine.nic_ids().take(MAX_NICS) {
            let url = self.arm.by_id(id, version::NETWORK)?;
            // They may be where we may not look.
            let Ok(whole) = self.arm.get::<Value>(url).await else {
                continue;
            };
            if let Ok(nic) = Nic::deserialize(&whole) {
                public.append(&mut self.public_ips(&nic).await?);
                known.push(nic);
            }
            nics.push(whole);
        }
        Ok(Whole {
            vm: machine.shown(&Addresses::new(known, public)),
            disks: machine.disks(),
            nics,
            image: machine.image(),
            statuses: machine.properties.instance_view.statuses,
        })
    }

    async fn public_ips(&self, nic: &Nic) -> Result<Vec<PublicIp>, ToolError> {
        let mut found = Vec::new();
        for id in nic.public_ids().take(MAX_NICS) {
            let url = self.arm.by_id(id, version::NETWORK)?;
            found.extend(self.arm.get(url).await.ok());
        }
        Ok(found)
    }
}

impl Whole {
    /// The machine alone.
    pub(crate) fn into_vm(self) -> Vm {
        self.vm
    }
}

async fn addresses(arm: &Arm) -> Result<Addresses, ToolError> {
    let url = |kind| arm.url(None, &["Microsoft.Network", kind], version::NETWORK);
    let (nics, public) = tokio::try_join!(
        arm.list_if_allowed(url("networkInterfaces")),
        arm.list_if_allowed(url("publicIPAddresses")),
    )?;
    Ok(Addresses::new(nics, public))
}
