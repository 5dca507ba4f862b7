//! `cloud.gcloud.compute.createInstance`.

use crate::google::Google;
use crate::instances::Instance;
use crate::names;
use crate::operation::Work;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::error::Code;
use shared::files::sha256;
use shared::remote::{Operation, State};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The tool.
pub(crate) struct CreateInstance(pub(crate) Arc<Google>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Arguments {
    /// Name of the new instance.
    #[schemars(length(min = 1, max = 63))]
    instance_name: String,
    /// Zone, such as `europe-west1-b`.
    #[schemars(length(min = 1, max = 63))]
    zone: String,
    /// Type.
    #[serde(default = "default_type")]
    #[schemars(length(min = 1, max = 63))]
    machine_type: String,
    /// Project of the image.
    #[serde(default = "default_project")]
    #[schemars(length(min = 1, max = 63))]
    image_project: String,
    /// Family of the image; its newest is taken.
    #[serde(default = "default_family")]
    #[schemars(length(min = 1, max = 63))]
    image_family: String,
    /// Size of the boot disk.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 65536))]
    disk_size_gb: u32,
    /// Network of the project.
    #[serde(default = "default_network")]
    #[schemars(length(min = 1, max = 63))]
    network: String,
    /// Subnetwork in the zone's region; leave out for the network's own.
    #[serde(default)]
    #[schemars(length(min = 1, max = 63))]
    subnetwork: Option<String>,
    /// Give it an address on the Internet.
    #[serde(default)]
    public_ip: bool,
    /// Labels, at most 64.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// Wait until it is done, at most as long as the call may take.
    #[serde(default = "yes")]
    wait: bool,
}

fn default_type() -> String {
    "e2-medium".into()
}

fn default_project() -> String {
    "debian-cloud".into()
}

fn default_family() -> String {
    "debian-12".into()
}

fn default_network() -> String {
    "default".into()
}

const fn ten() -> u32 {
    10
}

const fn yes() -> bool {
    true
}

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Created {
    #[serde(flatten)]
    operation: Operation,
    /// The instance; null while it is not there yet.
    instance: Option<Instance>,
}

#[async_trait]
impl TypedTool for CreateInstance {
    type Arguments = Arguments;
    type Output = Created;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.gcloud.compute.createInstance",
            Effect::Mutate,
            "Create a Compute Engine instance of Google Cloud from the newest image of a family. An \
             instance that exists is not changed.",
        )
        .idempotent()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        arguments.check()?;
        let summary = format!(
            "Create Google Cloud instance {} in {}\nType {}, disk {} GB, image {} of {}\nNetwork {} {}, \
             address on the Internet: {}\nLabels {:?}",
            arguments.instance_name,
            arguments.zone,
            arguments.machine_type,
            arguments.disk_size_gb,
            arguments.image_family,
            arguments.image_project,
            arguments.network,
            arguments.subnetwork.as_deref().unwrap_or_default(),
            arguments.public_ip,
            arguments.labels,
        );
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Created, ToolError> {
        arguments.check()?;
        let cloud = self.0.ready()?;
        let (zone, name) = (arguments.zone.as_str(), arguments.instance_name.as_str());
        let mut url = cloud.compute(&["zones", zone, "instances"]);
        if let Some(key) = &call.idempotency_key {
            url.query_pairs_mut()
                .append_pair("requestId", &request_id(key));
        }
        let body = arguments.document(cloud.project());
        let work = Work {
            action: "create",
            target: name,
            request: cloud.post(url).json(&body),
            wait: arguments.wait,
        };
        let operation = cloud.zonal(work, zone, call).await.map_err(existing)?;
        let stored = match operation.status {
            // That it cannot be read just now does not undo it.
            State::Succeeded => cloud.instance(zone, name).await.ok(),
            _ => None,
        };
        Ok(Created {
            operation,
            instance: stored.map(|stored| stored.shown()),
        })
    }
}

fn existing(mut error: ToolError) -> ToolError {
    if error.code == Code::Conflict {
        error.code = Code::AlreadyExists;
    }
    error
}

/// Google wants a UUID: one made of the key's hash, so that a resend has the same.
fn request_id(key: &str) -> String {
    let hash = sha256(key.as_bytes());
    let part = |from, to| hash.get(from..to).unwrap_or_default();
    let (a, b, c, d, e) = (
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32),
    );
    format!("{a}-{b}-4{c}-8{d}-{e}")
}

impl Arguments {
    fn check(&self) -> Result<(), ToolError> {
        for (field, name) in [
            ("instanceName", &self.instance_name),
            ("zone", &self.zone),
            ("machineType", &self.machine_type),
            ("imageProject", &self.image_project),
            ("imageFamily", &self.image_family),
            ("network", &self.network),
        ] {
            names::resource(field, name)?;
        }
        if let Some(name) = &self.subnetwork {
            names::resource("subnetwork", name)?;
        }
        match self.labels.len() {
            0..=64 => Ok(()),
            _ => Err(ToolError::invalid("labels", "at most 64")),
        }
    }

    /// Source: discovery document of compute v1, `instances.insert`.
    fn document(&self, project: &str) -> Value {
        let region = self.zone.rsplit_once('-').map_or("", |(region, _)| region);
        let mut nic =
            json!({"network": format!("projects/{project}/global/networks/{}", self.network)});
        if let Some(nic) = nic.as_object_mut() {
            if let Some(name) = &self.subnetwork {
                let path = format!("projects/{project}/regions/{region}/subnetworks/{name}");
                nic.insert("subnetwork".into(), json!(path));
            }
            if self.public_ip {
                let access = json!([{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}]);
                nic.insert("accessConfigs".into(), access);
            }
        }
        let image = format!(
            "projects/{}/global/images/family/{}",
            self.image_project, self.image_family
        );
        json!({
            "name": self.instance_name,
            "machineType": format!("zones/{}/machineTypes/{}", self.zone, self.machine_type),
            "labels": self.labels,
            "disks": [{
                "boot": true,
                "autoDelete": true,
                "initializeParams": {"sourceImage": image, "diskSizeGb": self.disk_size_gb.to_string()},
            }],
            "networkInterfaces": [nic],
        })
    }
}
