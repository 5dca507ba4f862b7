//! Instances of Compute Engine: list and read.

use crate::google::{Connection, Google};
use crate::names;
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::error::Code;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;
use std::sync::Arc;
use url::Url;

/// Pages of one list at most.
const MAX_PAGES: usize = 40;
/// The label whose value `true` protects an instance.
pub(crate) const PROTECT: &str = "waygate-protect";

/// `cloud.gcloud.compute.listInstances`.
pub(crate) struct ListInstances(pub(crate) Arc<Google>);
/// `cloud.gcloud.compute.getInstanceInfo`.
pub(crate) struct GetInstanceInfo(pub(crate) Arc<Google>);

/// Arguments of `listInstances`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InZone {
    /// Only those of this zone, such as `europe-west1-b`; leave out for all zones.
    #[serde(default)]
    #[schemars(length(min = 1, max = 63))]
    zone: Option<String>,
}

/// Arguments of `getInstanceInfo`.
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
}

/// Result of `listInstances`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Instances {
    /// The instances, by zone and name.
    instances: Vec<Instance>,
    /// How many these are.
    count: usize,
}

/// An instance.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Instance {
    /// Its number.
    id: String,
    /// Its name.
    name: String,
    /// Its zone.
    zone: String,
    /// RUNNING, TERMINATED, STOPPING, …
    status: String,
    /// Its type, such as `e2-medium`.
    machine_type: String,
    /// Address in its network; null when it has none.
    internal_ip: Option<String>,
    /// Address on the Internet; null when it has none.
    external_ip: Option<String>,
    /// Its labels.
    labels: BTreeMap<String, String>,
    /// When it was made.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
}

/// Result of `getInstanceInfo`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Whole {
    #[serde(flatten)]
    instance: Instance,
    /// Its disks as Google has them.
    disks: Vec<Value>,
    /// Its network interfaces as Google has them.
    network_interfaces: Vec<Value>,
    /// Its network tags.
    tags: Vec<String>,
    /// Whether it cannot be deleted.
    deletion_protection: bool,
}

/// An instance of Compute Engine. Source: discovery document of compute v1, `Instance`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stored {
    id: String,
    name: String,
    zone: String,
    pub(crate) status: String,
    machine_type: String,
    creation_timestamp: Timestamp,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) disks: Vec<Value>,
    #[serde(default)]
    network_interfaces: Vec<Value>,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    pub(crate) deletion_protection: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Tags {
    #[serde(default)]
    items: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    #[serde(default, bound(deserialize = "T: Deserialize<'de> + Default"))]
    items: T,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Default, Deserialize)]
struct Scope {
    #[serde(default)]
    instances: Vec<Stored>,
}

impl Stored {
    /// Whether its label protects it.
    pub(crate) fn is_protected(&self) -> bool {
        self.labels
            .get(PROTECT)
            .is_some_and(|value| value == "true")
    }

    /// As our tools give it.
    pub(crate) fn shown(&self) -> Instance {
        let nic = self.network_interfaces.first();
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let internal_ip = text(nic.and_then(|nic| nic.get("networkIP")));
        let access = nic.and_then(|nic| nic.get("accessConfigs")?.get(0));
        Instance {
            id: self.id.clone(),
            name: self.name.clone(),
            zone: last(&self.zone).to_owned(),
            status: self.status.clone(),
            machine_type: last(&self.machine_type).to_owned(),
            internal_ip,
            external_ip: text(access.and_then(|access| access.get("natIP"))),
            labels: self.labels.clone(),
            created_at: self.creation_timestamp,
        }
    }
}

fn last(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

impl Connection {
    /// One instance, by checked names.
    pub(crate) async fn instance(&self, zone: &str, name: &str) -> Result<Stored, ToolError> {
        self.get(self.compute(&["zones", zone, "instances", name]))
            .await
    }

    /// Reads a list to its end.
    async fn pages<T>(&self, url: Url) -> Result<Vec<T>, ToolError>
    where
        T: serde::de::DeserializeOwned + Default,
    {
        let mut pages = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut url = url.clone();
            url.query_pairs_mut()
                .append_pair("maxResults", "500")
                .extend_pairs(cursor.iter().map(|it| ("pageToken", it)));
            let page: Page<T> = self.get(url).await?;
            pages.push(page.items);
            cursor = page.next_page_token.filter(|it| !it.is_empty());
            if cursor.is_none() {
                return Ok(pages);
            }
        }
        let message = "the list of Google Cloud is too long; name a zone";
        Err(ToolError::refused(Code::PayloadTooLarge, message))
    }
}

#[async_trait]
impl TypedTool for ListInstances {
    type Arguments = InZone;
    type Output = Instances;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.gcloud.compute.listInstances",
            Effect::Read,
            "List the Compute Engine instances of the Google Cloud project, or of one zone, with \
             state, type, addresses and labels.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: InZone, _: &Call) -> Result<Instances, ToolError> {
        let zone = arguments.zone.as_deref();
        let zone = zone.map(|zone| names::resource("zone", zone)).transpose()?;
        let cloud = self.0.ready()?;
        let all: Vec<Stored> = match zone {
            Some(zone) => {
                let url = cloud.compute(&["zones", zone, "instances"]);
                cloud
                    .pages::<Vec<Stored>>(url)
                    .await?
                    .into_iter()
                    .flatten()
                    .collect()
            }
            None => {
                let url = cloud.compute(&["aggregated", "instances"]);
                let pages = cloud.pages::<BTreeMap<String, Scope>>(url).await?;
                let scopes = pages.into_iter().flat_map(BTreeMap::into_values);
                scopes.flat_map(|scope| scope.instances).collect()
            }
        };
        let mut instances: Vec<Instance> = all.iter().map(Stored::shown).collect();
        instances.sort_by(|one, other| (&one.zone, &one.name).cmp(&(&other.zone, &other.name)));
        Ok(Instances {
            count: instances.len(),
            instances,
        })
    }
}

#[async_trait]
impl TypedTool for GetInstanceInfo {
    type Arguments = OneInstance;
    type Output = Whole;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.gcloud.compute.getInstanceInfo",
            Effect::Read,
            "Read one Compute Engine instance of Google Cloud with its disks, network interfaces and \
             tags.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: OneInstance, _: &Call) -> Result<Whole, ToolError> {
        let zone = names::resource("zone", &arguments.zone)?;
        let name = names::resource("instanceName", &arguments.instance_name)?;
        let stored = self.0.ready()?.instance(zone, name).await?;
        Ok(Whole {
            instance: stored.shown(),
            disks: stored.disks,
            network_interfaces: stored.network_interfaces,
            tags: stored.tags.items,
            deletion_protection: stored.deletion_protection,
        })
    }
}
