//! Storage accounts and their containers, over Resource Manager.

use crate::arm::version;
use crate::cloud::Azure;
use crate::machines::InGroup;
use crate::names;
use crate::vm::group_of;
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `cloud.azure.storage.listStorageAccounts`.
pub(crate) struct ListStorageAccounts(pub(crate) Arc<Azure>);
/// `cloud.azure.storage.listBlobContainers`.
pub(crate) struct ListBlobContainers(pub(crate) Arc<Azure>);

/// Arguments of `listBlobContainers`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct OneAccount {
    /// Name of the storage account.
    #[schemars(length(min = 3, max = 24))]
    account_name: String,
    /// Its resource group.
    #[schemars(length(min = 1, max = 90))]
    resource_group: String,
}

/// Result of `listStorageAccounts`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Accounts {
    /// The accounts, by id.
    accounts: Vec<Account>,
    /// How many these are.
    count: usize,
}

/// One storage account.
#[derive(Debug, Serialize, JsonSchema)]
struct Account {
    /// Id of the resource.
    id: String,
    /// Its name.
    name: String,
    /// Its resource group.
    resource_group: String,
    /// Region.
    location: String,
    /// `StorageV2`, `BlobStorage`, …
    kind: String,
    /// `Standard_LRS`, …
    sku: String,
    /// Where its blobs are; empty when it has none.
    blob_endpoint: String,
}

/// Result of `listBlobContainers`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Containers {
    /// The containers, by name.
    containers: Vec<Container>,
    /// How many these are.
    count: usize,
}

/// One container.
#[derive(Debug, Serialize, JsonSchema)]
struct Container {
    /// Its name.
    name: String,
    /// None, Blob or Container; null when Azure does not say.
    public_access: Option<String>,
    /// When it was changed last.
    #[schemars(with = "String", extend("format" = "date-time"))]
    modified_at: Timestamp,
    /// available, leased, expired, breaking or broken.
    lease_state: String,
}

/// Source: Microsoft.Storage 2023-05-01, `StorageAccount`.
#[derive(Deserialize)]
struct Stored {
    id: String,
    name: String,
    location: String,
    #[serde(default)]
    kind: String,
    sku: Sku,
    #[serde(default)]
    properties: StoredProperties,
}

#[derive(Deserialize)]
struct Sku {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StoredProperties {
    primary_endpoints: Endpoints,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Endpoints {
    blob: String,
}

/// Source: Microsoft.Storage 2023-05-01, `ListContainerItem`.
#[derive(Deserialize)]
struct Item {
    name: String,
    properties: ItemProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ItemProperties {
    public_access: Option<String>,
    last_modified_time: Timestamp,
    #[serde(default)]
    lease_state: String,
}

#[async_trait]
impl TypedTool for ListStorageAccounts {
    type Arguments = InGroup;
    type Output = Accounts;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.storage.listStorageAccounts",
            Effect::Read,
            "List the storage accounts of the Azure subscription, or of one resource group.",
        )
        .open_world()
    }

    async fn run(&self, arguments: InGroup, _: &Call) -> Result<Accounts, ToolError> {
        let group = names::maybe_group(arguments.resource_group.as_deref())?;
        let arm = &self.0.ready()?.arm;
        let parts = ["Microsoft.Storage", "storageAccounts"];
        let all: Vec<Stored> = arm.list(arm.url(group, &parts, version::STORAGE)).await?;
        let shown = |it: Stored| Account {
            resource_group: group_of(&it.id).to_owned(),
            id: it.id,
            name: it.name,
            location: it.location,
            kind: it.kind,
            sku: it.sku.name,
            blob_endpoint: it.properties.primary_endpoints.blob,
        };
        let mut accounts: Vec<Account> = all.into_iter().map(shown).collect();
        accounts.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(Accounts {
            count: accounts.len(),
            accounts,
        })
    }
}

#[async_trait]
impl TypedTool for ListBlobContainers {
    type Arguments = OneAccount;
    type Output = Containers;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.storage.listBlobContainers",
            Effect::Read,
            "List the blob containers of an Azure storage account.",
        )
        .open_world()
    }

    async fn run(&self, arguments: OneAccount, _: &Call) -> Result<Containers, ToolError> {
        let group = names::group(&arguments.resource_group)?;
        let account = names::account(&arguments.account_name)?;
        let arm = &self.0.ready()?.arm;
        let parts = [
            "Microsoft.Storage",
            "storageAccounts",
            account,
            "blobServices",
            "default",
            "containers",
        ];
        let url = arm.url(Some(group), &parts, version::STORAGE);
        let all: Vec<Item> = arm.list(url).await?;
        let shown = |it: Item| Container {
            name: it.name,
            public_access: it.properties.public_access,
            modified_at: it.properties.last_modified_time,
            lease_state: it.properties.lease_state.to_ascii_lowercase(),
        };
        let mut containers: Vec<Container> = all.into_iter().map(shown).collect();
        containers.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Containers {
            count: containers.len(),
            containers,
        })
    }
}
