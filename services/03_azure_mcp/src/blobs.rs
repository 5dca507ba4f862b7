//! Blobs: list, download, delete. The upload is in `upload`.

use crate::blob::{Blob, date};
use crate::cloud::{Azure, check, checks_or_why};
use crate::names;
use async_trait::async_trait;
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::clock::SharedClock;
use shared::error::Code;
use shared::files::{Writing, apart};
use shared::tool::{Assessment, Call, Check, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `cloud.azure.storage.listBlobs`.
pub(crate) struct ListBlobs(pub(crate) Arc<Azure>);
/// `cloud.azure.storage.downloadBlob`.
pub(crate) struct DownloadBlob(pub(crate) Arc<Azure>, pub(crate) SharedClock);
/// `cloud.azure.storage.deleteBlob`.
pub(crate) struct DeleteBlob(pub(crate) Arc<Azure>, pub(crate) SharedClock);

/// Arguments of `listBlobs`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ListArguments {
    /// Name of the storage account.
    #[schemars(length(min = 3, max = 24))]
    account_name: String,
    /// Name of the container.
    #[schemars(length(min = 3, max = 63))]
    container_name: String,
    /// Only blobs whose names begin so.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1024))]
    prefix: Option<String>,
    /// Most blobs to give, 1 to 1000.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// `next_cursor` of the page before.
    #[serde(default)]
    #[schemars(length(min = 1, max = 4096))]
    cursor: Option<String>,
}

const fn hundred() -> usize {
    100
}

/// Result of `listBlobs`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Blobs {
    /// The blobs of this page, by name.
    blobs: Vec<Blob>,
    /// How many these are.
    count: usize,
    /// Give it as `cursor` for the next page; null on the last one.
    next_cursor: Option<String>,
}

/// Arguments of `downloadBlob`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct DownloadArguments {
    /// Name of the storage account.
    #[schemars(length(min = 3, max = 24))]
    account_name: String,
    /// Name of the container.
    #[schemars(length(min = 3, max = 63))]
    container_name: String,
    /// Name of the blob.
    #[schemars(length(min = 1, max = 1024))]
    blob_name: String,
    /// Absolute path of this service's host, under `ALLOWED_WRITE_PATHS`.
    #[schemars(length(min = 1, max = 4095))]
    destination_path: String,
}

/// Result of `downloadBlob`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Downloaded {
    /// Where it is.
    path: String,
    /// Its size.
    size_bytes: u64,
    /// SHA-256, lower-case hex.
    sha256: String,
    /// The blob's, when it was read.
    etag: String,
    /// Copy of the file that was there before; null when there was none.
    backup_path: Option<String>,
}

/// Arguments of `deleteBlob`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct OneBlob {
    /// Name of the storage account.
    #[schemars(length(min = 3, max = 24))]
    account_name: String,
    /// Name of the container.
    #[schemars(length(min = 3, max = 63))]
    container_name: String,
    /// Name of the blob.
    #[schemars(length(min = 1, max = 1024))]
    blob_name: String,
}

/// Result of `deleteBlob`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Deleted {
    /// Name of the blob.
    name: String,
    /// False when there was none.
    deleted: bool,
    /// Whether it can be had back for a while.
    soft_deleted: bool,
}

#[async_trait]
impl TypedTool for ListBlobs {
    type Arguments = ListArguments;
    type Output = Blobs;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.storage.listBlobs",
            Effect::Read,
            "List the blobs of an Azure container with size, type, tag and tier, page by page.",
        )
        .open_world()
    }

    async fn run(&self, arguments: ListArguments, _: &Call) -> Result<Blobs, ToolError> {
        let account = names::account(&arguments.account_name)?;
        let container = names::container(&arguments.container_name)?;
        let blobs = &self.0.ready()?.blobs;
        let mut url = blobs.at(account, &[container])?;
        url.query_pairs_mut()
            .append_pair("restype", "container")
            .append_pair("comp", "list")
            .append_pair("maxresults", &arguments.limit.to_string())
            .extend_pairs(arguments.prefix.iter().map(|it| ("prefix", it)))
            .extend_pairs(arguments.cursor.iter().map(|it| ("marker", it)));
        let page = blobs.page(url).await?;
        Ok(Blobs {
            count: page.blobs.len(),
            blobs: page.blobs,
            next_cursor: page.next,
        })
    }
}

#[async_trait]
impl TypedTool for DownloadBlob {
    type Arguments = DownloadArguments;
    type Output = Downloaded;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.storage.downloadBlob",
            Effect::MutateOwn,
            "Download a blob of Azure to a file of this service's host under ALLOWED_WRITE_PATHS. A \
             file that is there is copied to NAME.BAK_YYYYMMDD_HHMMSS first.",
        )
        .idempotent()
        .long_running()
        .open_world()
    }

    async fn assess(&self, given: &DownloadArguments, _: &Call) -> Result<Assessment, ToolError> {
        let summary = format!(
            "Download {:?} of {} in {} to {:?}",
            given.blob_name, given.container_name, given.account_name, given.destination_path
        );
        Ok(Assessment::of(Effect::MutateOwn, summary))
    }

    async fn run(&self, given: DownloadArguments, call: &Call) -> Result<Downloaded, ToolError> {
        let account = names::account(&given.account_name)?;
        let container = names::container(&given.container_name)?;
        let name = names::blob("blobName", &given.blob_name)?;
        let cloud = self.0.ready()?;
        let path = given.destination_path.clone();
        // Nothing is fetched for a place that is refused.
        apart(&cloud.files, move |files| files.check_write(&path, 0)).await?;
        let url = cloud.blobs.blob(account, (container, name))?;
        call.progress.report(0.0, None, "fetching the blob");
        let reply = cloud.blobs.plain(Method::GET, url).await?;
        let etag = reply.header("etag").unwrap_or_default();
        let etag = etag.trim_matches('"').to_owned();
        let (now, body, path) = (self.1.now(), reply.body, given.destination_path);
        let write =
            move |files: &shared::files::Files| files.write(&path, &body, Writing::Replace, now);
        let written = apart(&cloud.files, write).await?;
        let text = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
        Ok(Downloaded {
            path: text(&written.path),
            size_bytes: written.size,
            sha256: written.sha256,
            etag,
            backup_path: written.backup.as_ref().map(text),
        })
    }
}

#[async_trait]
impl TypedTool for DeleteBlob {
    type Arguments = OneBlob;
    type Output = Deleted;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.storage.deleteBlob",
            Effect::Critical,
            "Delete a blob of Azure. It must have no lease, hold or retention lock; whether it can be \
             had back is shown to the approver.",
        )
        .idempotent()
        .open_world()
    }

    async fn assess(&self, arguments: &OneBlob, _: &Call) -> Result<Assessment, ToolError> {
        let summary = format!(
            "Delete blob {:?} of {} in {}",
            arguments.blob_name, arguments.container_name, arguments.account_name
        );
        arguments.names()?;
        let mut assessment = Assessment::of(Effect::Critical, summary);
        assessment.checks = checks_or_why(self.readiness(arguments).await);
        Ok(assessment)
    }

    async fn run(&self, arguments: OneBlob, _: &Call) -> Result<Deleted, ToolError> {
        let (account, container, name) = arguments.names()?;
        let blobs = &self.0.ready()?.blobs;
        let url = blobs.blob(account, (container, name))?;
        let reply = match blobs.plain(Method::DELETE, url).await {
            Err(error) if error.code == Code::NotFound => {
                return Ok(Deleted {
                    name: arguments.blob_name,
                    deleted: false,
                    soft_deleted: false,
                });
            }
            other => other?,
        };
        let soft_deleted = match reply.header("x-ms-delete-type-permanent") {
            Some(permanent) => permanent == "false",
            None => blobs.soft_delete(account).await.unwrap_or_default(),
        };
        Ok(Deleted {
            name: arguments.blob_name,
            deleted: true,
            soft_deleted,
        })
    }
}

impl OneBlob {
    fn names(&self) -> Result<(&str, &str, &str), ToolError> {
        Ok((
            names::account(&self.account_name)?,
            names::container(&self.container_name)?,
            names::blob("blobName", &self.blob_name)?,
        ))
    }
}

impl DeleteBlob {
    /// Source: `catalogue.md` 5.
    async fn readiness(&self, arguments: &OneBlob) -> Result<Vec<Check>, ToolError> {
        let (account, container, name) = arguments.names()?;
        let blobs = &self.0.ready()?.blobs;
        let url = blobs.blob(account, (container, name))?;
        let reply = match blobs.plain(Method::HEAD, url).await {
            Err(error) if error.code == Code::NotFound => {
                return Ok(vec![check("blob_exists", false, "there is no such blob")]);
            }
            other => other?,
        };
        let header = |name: &str| reply.header(name).unwrap_or_default();
        let lease = header("x-ms-lease-status");
        let until = header("x-ms-immutability-policy-until-date");
        let kept = date(until).is_some_and(|until| until > self.1.now());
        let size = format!("{} bytes", header("content-length"));
        let recoverable = match blobs.soft_delete(account).await {
            Some(true) => "deleted blobs are kept for a while",
            Some(false) => "deleted blobs are gone for good",
            None => "not known: treat it as gone for good",
        };
        Ok(vec![
            check("blob_exists", true, size),
            check("no_lease", lease != "locked", lease),
            check(
                "no_legal_hold",
                header("x-ms-legal-hold") != "true",
                header("x-ms-legal-hold"),
            ),
            check("no_retention", !kept, until),
            check("recoverable", true, recoverable),
        ])
    }
}
