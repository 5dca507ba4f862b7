//! A virtual machine as Resource Manager has it, and as our tools give it.
//!
//! Source: Microsoft.Compute 2024-07-01, `VirtualMachine`; Microsoft.Network 2024-05-01.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// The tag whose value `true` protects a machine.
pub(crate) const PROTECT: &str = "waygate-protect";

/// A machine of Resource Manager.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Machine {
    pub(crate) id: String,
    name: String,
    #[serde(default)]
    location: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) properties: Properties,
}

/// Its properties.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Properties {
    hardware_profile: Hardware,
    storage_profile: Storage,
    network_profile: Network,
    provisioning_state: String,
    pub(crate) instance_view: View,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Hardware {
    vm_size: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Storage {
    image_reference: Value,
    os_disk: Value,
    data_disks: Vec<Value>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Network {
    network_interfaces: Vec<Reference>,
}

/// What runs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct View {
    pub(crate) statuses: Vec<Value>,
    vm_agent: Option<Agent>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Agent {
    statuses: Vec<Value>,
}

/// The id of something.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Reference {
    pub(crate) id: String,
}

/// A network interface, whole, and what we read of it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Nic {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) properties: NicProperties,
}

/// Properties of a network interface.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NicProperties {
    ip_configurations: Vec<IpConfiguration>,
    pub(crate) virtual_machine: Option<Reference>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct IpConfiguration {
    properties: IpProperties,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct IpProperties {
    #[serde(rename = "privateIPAddress")]
    private_address: Option<String>,
    #[serde(rename = "publicIPAddress")]
    public_address: Option<Reference>,
}

/// A public address.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct PublicIp {
    pub(crate) id: String,
    #[serde(default)]
    properties: PublicProperties,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct PublicProperties {
    #[serde(rename = "ipAddress")]
    address: Option<String>,
}

/// The interfaces and addresses of a subscription, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    nics: HashMap<String, Nic>,
    public: HashMap<String, String>,
}

/// A virtual machine.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Vm {
    /// Id of the resource.
    pub(crate) id: String,
    /// Its name.
    name: String,
    /// Its resource group.
    resource_group: String,
    /// Region, such as `westeurope`.
    location: String,
    /// Size, such as `Standard_B2s`.
    size: String,
    /// Linux or Windows.
    os_type: String,
    /// running, stopped, deallocated, starting, …; unknown when Azure does not say.
    pub(crate) power_state: String,
    /// Succeeded, Updating, Failed, …
    pub(crate) provisioning_state: String,
    /// Addresses in its networks.
    private_ips: Vec<String>,
    /// Addresses on the Internet.
    public_ips: Vec<String>,
    /// Its tags.
    tags: BTreeMap<String, String>,
}

impl Machine {
    /// running, stopped, deallocated, …
    pub(crate) fn power_state(&self) -> &str {
        let codes = self.properties.instance_view.statuses.iter();
        codes
            .filter_map(|status| status.get("code")?.as_str())
            .find_map(|code| code.strip_prefix("PowerState/"))
            .unwrap_or("unknown")
    }

    /// Whether something is being done to it.
    pub(crate) fn is_busy(&self) -> bool {
        let settled = ["succeeded", "failed", "canceled"];
        let state = self.properties.provisioning_state.to_ascii_lowercase();
        !settled.contains(&state.as_str())
    }

    /// Succeeded, Updating, Failed, …
    pub(crate) fn provisioning_state(&self) -> &str {
        &self.properties.provisioning_state
    }

    /// Whether its tag protects it.
    pub(crate) fn is_protected(&self) -> bool {
        let mut tags = self.tags.iter();
        tags.any(|(name, value)| {
            name.eq_ignore_ascii_case(PROTECT) && value.eq_ignore_ascii_case("true")
        })
    }

    /// What its agent says of itself.
    pub(crate) fn agent(&self) -> &str {
        let agent = self.properties.instance_view.vm_agent.as_ref();
        let mut statuses = agent.into_iter().flat_map(|agent| &agent.statuses);
        statuses
            .find_map(|status| status.get("displayStatus")?.as_str())
            .unwrap_or("not known")
    }

    /// Its disks, the system's first, as Azure has them.
    pub(crate) fn disks(&self) -> Vec<Value> {
        let storage = &self.properties.storage_profile;
        let system = Some(&storage.os_disk).filter(|disk| !disk.is_null());
        system
            .into_iter()
            .chain(&storage.data_disks)
            .cloned()
            .collect()
    }

    /// What it was made from.
    pub(crate) fn image(&self) -> Value {
        self.properties.storage_profile.image_reference.clone()
    }

    /// The ids of its interfaces.
    pub(crate) fn nic_ids(&self) -> impl Iterator<Item = &str> {
        let nics = self.properties.network_profile.network_interfaces.iter();
        nics.map(|nic| nic.id.as_str())
    }

    /// As our tools give it.
    pub(crate) fn shown(&self, addresses: &Addresses) -> Vm {
        let properties = &self.properties;
        let os_type = properties.storage_profile.os_disk.get("osType");
        let (private_ips, public_ips) = addresses.of(self);
        Vm {
            id: self.id.clone(),
            name: self.name.clone(),
            resource_group: group_of(&self.id).to_owned(),
            location: self.location.clone(),
            size: properties.hardware_profile.vm_size.clone(),
            os_type: os_type.and_then(Value::as_str).unwrap_or_default().into(),
            power_state: self.power_state().to_owned(),
            provisioning_state: properties.provisioning_state.clone(),
            private_ips,
            public_ips,
            tags: self.tags.clone(),
        }
    }
}

impl Nic {
    /// The ids of its public addresses.
    pub(crate) fn public_ids(&self) -> impl Iterator<Item = &str> {
        let configurations = self.properties.ip_configurations.iter();
        let public = configurations.filter_map(|it| it.properties.public_address.as_ref());
        public.map(|it| it.id.as_str())
    }
}

impl Addresses {
    /// From what was listed.
    pub(crate) fn new(nics: Vec<Nic>, public: Vec<PublicIp>) -> Self {
        let nics = nics.into_iter().map(|nic| (key(&nic.id), nic)).collect();
        let public = public.into_iter();
        let public = public
            .filter_map(|it| Some((key(&it.id), it.properties.address?)))
            .collect();
        Self { nics, public }
    }

    /// The private and the public ones of a machine.
    fn of(&self, machine: &Machine) -> (Vec<String>, Vec<String>) {
        let nics: Vec<&Nic> = machine
            .nic_ids()
            .filter_map(|id| self.nics.get(&key(id)))
            .collect();
        let private = nics.iter().flat_map(|nic| {
            let configurations = nic.properties.ip_configurations.iter();
            configurations.filter_map(|it| it.properties.private_address.clone())
        });
        let public = nics.iter().flat_map(|nic| nic.public_ids());
        let public = public.filter_map(|id| self.public.get(&key(id)).cloned());
        (private.collect(), public.collect())
    }
}

/// Ids are the same in any case.
pub(crate) fn key(id: &str) -> String {
    id.to_ascii_lowercase()
}

/// The resource group an id names; empty when it names none.
pub(crate) fn group_of(id: &str) -> &str {
    let mut parts = id.split('/');
    let found = parts.find(|part| part.eq_ignore_ascii_case("resourceGroups"));
    found.and_then(|_| parts.next()).unwrap_or_default()
}
