//! `cloud.azure.compute.createVM`: a Linux machine, with an interface of its own where a subnet is named.

use crate::arm::{Work, is_id, version};
use crate::cloud::{Azure, Connection};
use crate::names;
use crate::vm::{Nic, Vm};
use async_trait::async_trait;
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::error::Code;
use shared::remote::{Operation, State};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The tool.
pub(crate) struct CreateVm(pub(crate) Arc<Azure>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Arguments {
    /// Name of the new machine, which is its host name, too.
    #[schemars(length(min = 1, max = 64))]
    vm_name: String,
    /// An existing resource group.
    #[schemars(length(min = 1, max = 90))]
    resource_group: String,
    /// Region, such as `westeurope`.
    #[schemars(length(min = 1, max = 64))]
    location: String,
    /// Size.
    #[serde(default = "default_size")]
    #[schemars(length(min = 1, max = 64))]
    vm_size: String,
    /// What it is made from.
    image: Image,
    /// Name of the first user.
    #[schemars(length(min = 1, max = 64))]
    admin_username: String,
    /// Public SSH key of the first user; this or `adminPasswordSecret`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 4096))]
    ssh_public_key: Option<String>,
    /// Password of the first user, as a `secretref://…`; this or `sshPublicKey`.
    #[serde(default)]
    #[schemars(extend("writeOnly" = true, "pattern" = "^secretref://"))]
    admin_password_secret: Option<String>,
    /// Id of an existing network interface; this or `subnetId`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 2048))]
    network_interface_id: Option<String>,
    /// Id of a subnet, in which an interface without public address is made; this or
    /// `networkInterfaceId`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 2048))]
    subnet_id: Option<String>,
    /// Size of the system's disk.
    #[serde(default = "default_disk")]
    #[schemars(range(min = 1, max = 4095))]
    os_disk_size_gb: u32,
    /// Tags, at most 50.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// Wait until it is done, at most as long as the call may take.
    #[serde(default = "yes")]
    wait: bool,
}

fn default_size() -> String {
    "Standard_B2s".into()
}

const fn default_disk() -> u32 {
    30
}

const fn yes() -> bool {
    true
}

/// An image of the marketplace.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Image {
    /// Such as `Debian`.
    publisher: String,
    /// Such as `debian-12`.
    offer: String,
    /// Such as `12-gen2`.
    sku: String,
    /// Such as `latest`.
    version: String,
}

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Created {
    #[serde(flatten)]
    operation: Operation,
    /// The machine; null while it is not there yet.
    vm: Option<Vm>,
}

#[async_trait]
impl TypedTool for CreateVm {
    type Arguments = Arguments;
    type Output = Created;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.compute.createVM",
            Effect::Mutate,
            "Create a Linux virtual machine in Azure from an image of the marketplace. Name an \
             existing network interface or a subnet, and a public SSH key or a reference to a \
             password. A machine that exists is not changed.",
        )
        .idempotent()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        arguments.check()?;
        Ok(Assessment::of(Effect::Mutate, arguments.summary()))
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Created, ToolError> {
        arguments.check()?;
        let cloud = self.0.ready()?;
        let nic = match (&arguments.network_interface_id, &arguments.subnet_id) {
            (Some(id), _) => id.clone(),
            (None, Some(subnet)) => cloud.nic(&arguments, subnet, call).await?,
            (None, None) => return Err(arguments.one_of("networkInterfaceId", "subnetId")),
        };
        let (group, name) = (&arguments.resource_group, &arguments.vm_name);
        let parts = ["Microsoft.Compute", "virtualMachines", name.as_str()];
        let work = Work {
            action: "create",
            target: name,
            method: Method::PUT,
            url: cloud.arm.url(Some(group), &parts, version::COMPUTE),
            body: Some(arguments.document(&nic)),
            wait: arguments.wait,
        };
        let operation = cloud.arm.work(work, call).await.map_err(existing)?;
        let vm = match operation.status {
            // That it cannot be read just now does not undo it.
            State::Succeeded => cloud.whole(group, name).await.ok(),
            _ => None,
        };
        let vm = vm.map(crate::machines::Whole::into_vm);
        Ok(Created { operation, vm })
    }
}

/// Azure answers 412 when the machine is there already.
fn existing(mut error: ToolError) -> ToolError {
    if error.code == Code::Conflict && error.message.contains("precondition") {
        error.code = Code::AlreadyExists;
    }
    error
}

impl Arguments {
    fn check(&self) -> Result<(), ToolError> {
        names::group(&self.resource_group)?;
        names::resource("vmName", &self.vm_name)?;
        names::resource("location", &self.location)?;
        if self.ssh_public_key.is_some() == self.admin_password_secret.is_some() {
            return Err(self.one_of("sshPublicKey", "adminPasswordSecret"));
        }
        if self.network_interface_id.is_some() == self.subnet_id.is_some() {
            return Err(self.one_of("networkInterfaceId", "subnetId"));
        }
        for (field, id) in [
            ("networkInterfaceId", &self.network_interface_id),
            ("subnetId", &self.subnet_id),
        ] {
            if id.as_deref().is_some_and(|id| !is_id(id)) {
                return Err(ToolError::invalid(field, "is no id of a resource"));
            }
        }
        match self.tags.len() {
            0..=50 => Ok(()),
            _ => Err(ToolError::invalid("tags", "at most 50")),
        }
    }

    fn one_of(&self, one: &str, other: &str) -> ToolError {
        let rule = format!("give either this or {other} for {}", self.vm_name);
        ToolError::invalid(one, rule)
    }

    fn summary(&self) -> String {
        let Image {
            publisher,
            offer,
            sku,
            version,
        } = &self.image;
        let network = self.network_interface_id.as_ref();
        let network = network.or(self.subnet_id.as_ref());
        format!(
            "Create Azure virtual machine {} in {} ({})\nSize {}, disk {} GB, image \
             {publisher:?} {offer:?} {sku:?} {version:?}\nNetwork {}\nFirst user {:?}, signs in with {}\n\
             Tags {:?}",
            self.vm_name,
            self.resource_group,
            self.location,
            self.vm_size,
            self.os_disk_size_gb,
            network.map_or("", String::as_str),
            self.admin_username,
            match self.ssh_public_key {
                Some(_) => "an SSH key",
                None => "a password",
            },
            self.tags,
        )
    }

    /// Source: Microsoft.Compute 2024-07-01, `VirtualMachines_CreateOrUpdate`.
    fn document(&self, nic: &str) -> Value {
        let mut os = json!({
            "computerName": self.vm_name,
            "adminUsername": self.admin_username,
            "linuxConfiguration": {"disablePasswordAuthentication": self.ssh_public_key.is_some()},
        });
        if let Some(key) = &self.ssh_public_key {
            let path = format!("/home/{}/.ssh/authorized_keys", self.admin_username);
            let keys = json!({"publicKeys": [{"path": path, "keyData": key}]});
            if let Some(linux) = os
                .get_mut("linuxConfiguration")
                .and_then(Value::as_object_mut)
            {
                linux.insert("ssh".into(), keys);
            }
        }
        if let (Some(password), Some(os)) = (&self.admin_password_secret, os.as_object_mut()) {
            os.insert("adminPassword".into(), json!(password));
        }
        json!({
            "location": self.location,
            "tags": self.tags,
            "properties": {
                "hardwareProfile": {"vmSize": self.vm_size},
                "storageProfile": {
                    "imageReference": self.image,
                    "osDisk": {
                        "createOption": "FromImage",
                        "diskSizeGB": self.os_disk_size_gb,
                        "deleteOption": "Detach",
                    },
                },
                "osProfile": os,
                "networkProfile": {
                    "networkInterfaces": [{"id": nic, "properties": {"primary": true}}],
                },
            },
        })
    }
}

impl Connection {
    /// The id of an interface in a subnet: of a free one that bears the machine's name, or a new one.
    async fn nic(
        &self,
        arguments: &Arguments,
        subnet: &str,
        call: &Call,
    ) -> Result<String, ToolError> {
        let name = format!("{}-nic", arguments.vm_name);
        let parts = ["Microsoft.Network", "networkInterfaces", name.as_str()];
        let group = Some(arguments.resource_group.as_str());
        let url = self.arm.url(group, &parts, version::NETWORK);
        match self.arm.get::<Nic>(url.clone()).await {
            Ok(nic) if nic.properties.virtual_machine.is_none() => return Ok(nic.id),
            Ok(_) => {
                let message = format!("the network interface {name} belongs to another machine");
                return Err(ToolError::refused(Code::Conflict, message));
            }
            Err(error) if error.code != Code::NotFound => return Err(error),
            Err(_) => {}
        }
        let id = url.path().to_owned();
        let work = Work {
            action: "create",
            target: &name,
            method: Method::PUT,
            url,
            body: Some(json!({
                "location": arguments.location,
                "tags": arguments.tags,
                "properties": {"ipConfigurations": [{
                    "name": "primary",
                    "properties": {
                        "primary": true,
                        "privateIPAllocationMethod": "Dynamic",
                        "subnet": {"id": subnet},
                    },
                }]},
            })),
            wait: true,
        };
        let done = self.arm.work(work, call).await?;
        match done.error {
            None => Ok(percent_encoding::percent_decode_str(&id)
                .decode_utf8_lossy()
                .into_owned()),
            Some(error) => Err(ToolError::new(Code::BadGateway, error)),
        }
    }
}
