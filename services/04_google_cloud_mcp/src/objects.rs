//! Buckets and objects of Cloud Storage: list, download, upload, delete.

mod readiness;
mod stored;

use crate::google::{Google, checks_or_why};
use crate::names;
use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::files::{Files, Writing, apart, sha256};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;
use stored::{Page, Stored};

const PLAIN: &str = "application/octet-stream";

/// `cloud.gcloud.storage.listBucketObjects`.
pub(crate) struct ListBucketObjects(pub(crate) Arc<Google>);
/// `cloud.gcloud.storage.downloadObject`.
pub(crate) struct DownloadObject(pub(crate) Arc<Google>);
/// `cloud.gcloud.storage.uploadObject`.
pub(crate) struct UploadObject(pub(crate) Arc<Google>);
/// `cloud.gcloud.storage.deleteObject`.
pub(crate) struct DeleteObject(pub(crate) Arc<Google>);

/// Arguments of `listBucketObjects`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ListArguments {
    /// Name of the bucket.
    #[schemars(length(min = 3, max = 222))]
    bucket_name: String,
    /// Only objects whose names begin so.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1024))]
    prefix: Option<String>,
    /// Give what lies behind it as a prefix only, such as `/`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 16))]
    delimiter: Option<String>,
    /// Most objects to give, 1 to 1000.
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

/// Result of `listBucketObjects`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Objects {
    /// The objects of this page, by name.
    objects: Vec<Object>,
    /// What the delimiter cut off.
    prefixes: Vec<String>,
    /// How many objects these are.
    count: usize,
    /// Give it as `cursor` for the next page; null on the last one.
    next_cursor: Option<String>,
}

/// One object.
#[derive(Debug, Serialize, JsonSchema)]
struct Object {
    /// Its name.
    name: String,
    /// Its size.
    size_bytes: u64,
    /// Its media type.
    content_type: String,
    /// Changes whenever its content does.
    generation: String,
    /// When it was changed last.
    #[schemars(with = "String", extend("format" = "date-time"))]
    updated_at: Timestamp,
}

/// Arguments of `downloadObject`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct DownloadArguments {
    /// Name of the bucket.
    #[schemars(length(min = 3, max = 222))]
    bucket_name: String,
    /// Name of the object.
    #[schemars(length(min = 1, max = 1024))]
    object_name: String,
    /// Absolute path of this service's host, under `ALLOWED_WRITE_PATHS`.
    #[schemars(length(min = 1, max = 4095))]
    destination_path: String,
}

/// Result of `downloadObject`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Downloaded {
    /// Where it is.
    path: String,
    /// Its size.
    size_bytes: u64,
    /// SHA-256, lower-case hex.
    sha256: String,
    /// The object's, when it was read.
    generation: String,
    /// Copy of the file that was there before; null when there was none.
    backup_path: Option<String>,
}

/// Arguments of `uploadObject`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct UploadArguments {
    /// Name of the bucket.
    #[schemars(length(min = 3, max = 222))]
    bucket_name: String,
    /// Absolute path of this service's host, under `ALLOWED_READ_PATHS`.
    #[schemars(length(min = 1, max = 4095))]
    source_path: String,
    /// Name of the object.
    #[schemars(length(min = 1, max = 1024))]
    destination_object_name: String,
    /// Replace an object that is there.
    #[serde(default)]
    overwrite: bool,
    /// Media type; leave out for `application/octet-stream`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 200))]
    content_type: Option<String>,
}

/// Result of `uploadObject`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Uploaded {
    /// Name of the object.
    name: String,
    /// Its generation.
    generation: String,
    /// Its size.
    size_bytes: u64,
}

/// Arguments of `deleteObject`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct DeleteArguments {
    /// Name of the bucket.
    #[schemars(length(min = 3, max = 222))]
    bucket_name: String,
    /// Name of the object.
    #[schemars(length(min = 1, max = 1024))]
    object_name: String,
    /// Only this generation; leave out for the live one.
    #[serde(default)]
    #[schemars(length(min = 1, max = 20))]
    generation: Option<String>,
}

/// Result of `deleteObject`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Deleted {
    /// Name of the object.
    name: String,
    /// False when there was none.
    deleted: bool,
    /// Whether it can be had back.
    recoverable: bool,
}

#[async_trait]
impl TypedTool for ListBucketObjects {
    type Arguments = ListArguments;
    type Output = Objects;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.gcloud.storage.listBucketObjects",
            Effect::Read,
            "List the objects of a Google Cloud Storage bucket with size, type and generation, page \
             by page.",
        )
        .open_world()
    }

    async fn run(&self, given: ListArguments, _: &Call) -> Result<Objects, ToolError> {
        let bucket = names::bucket(&given.bucket_name)?;
        let cloud = self.0.ready()?;
        let mut url = cloud.storage(false, &["b", bucket, "o"]);
        url.query_pairs_mut()
            .append_pair("maxResults", &given.limit.to_string())
            .extend_pairs(given.prefix.iter().map(|it| ("prefix", it)))
            .extend_pairs(given.delimiter.iter().map(|it| ("delimiter", it)))
            .extend_pairs(given.cursor.iter().map(|it| ("pageToken", it)));
        let page: Page = cloud.get(url).await?;
        let shown = |it: Stored| Object {
            size_bytes: it.size.parse().unwrap_or_default(),
            name: it.name,
            content_type: it.content_type,
            generation: it.generation,
            updated_at: it.updated,
        };
        Ok(Objects {
            count: page.items.len(),
            objects: page.items.into_iter().map(shown).collect(),
            prefixes: page.prefixes,
            next_cursor: page.next_page_token.filter(|it| !it.is_empty()),
        })
    }
}

#[async_trait]
impl TypedTool for DownloadObject {
    type Arguments = DownloadArguments;
    type Output = Downloaded;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.gcloud.storage.downloadObject",
            Effect::MutateOwn,
            "Download an object of Google Cloud Storage to a file of this service's host under \
             ALLOWED_WRITE_PATHS. A file that is there is copied to NAME.BAK_YYYYMMDD_HHMMSS first.",
        )
        .idempotent()
        .long_running()
        .open_world()
    }

    async fn run(&self, given: DownloadArguments, call: &Call) -> Result<Downloaded, ToolError> {
        let bucket = names::bucket(&given.bucket_name)?;
        let name = names::object("objectName", &given.object_name)?;
        let cloud = self.0.ready()?;
        let path = given.destination_path.clone();
        // Nothing is fetched for a place that is refused.
        apart(&cloud.files, move |files| files.check_write(&path, 0)).await?;
        let mut url = cloud.storage(false, &["b", bucket, "o", name]);
        url.query_pairs_mut().append_pair("alt", "media");
        call.progress.report(0.0, None, "fetching the object");
        let reply = cloud.ask(cloud.request(Method::GET, url)).await?;
        let generation = reply
            .header("x-goog-generation")
            .unwrap_or_default()
            .to_owned();
        let (now, body, path) = (cloud.clock.now(), reply.body, given.destination_path);
        let write = move |files: &Files| files.write(&path, &body, Writing::Replace, now);
        let written = apart(&cloud.files, write).await?;
        let text = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
        Ok(Downloaded {
            path: text(&written.path),
            size_bytes: written.size,
            sha256: written.sha256,
            generation,
            backup_path: written.backup.as_ref().map(text),
        })
    }
}

#[async_trait]
impl TypedTool for UploadObject {
    type Arguments = UploadArguments;
    type Output = Uploaded;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.gcloud.storage.uploadObject",
            Effect::Mutate,
            "Upload a file of this service's host, under ALLOWED_READ_PATHS and at most 10 MB, as an \
             object of Google Cloud Storage. An object that is there is kept unless overwrite is true.",
        )
        .idempotent()
        .long_running()
        .open_world()
    }

    async fn assess(&self, given: &UploadArguments, _: &Call) -> Result<Assessment, ToolError> {
        names::bucket(&given.bucket_name)?;
        names::object("destinationObjectName", &given.destination_object_name)?;
        let mut summary = format!(
            "Upload {:?} as {:?} to bucket {}, {}",
            given.source_path,
            given.destination_object_name,
            given.bucket_name,
            match given.overwrite {
                true => "replacing what is there",
                false => "unless it is there",
            }
        );
        if let Ok(cloud) = self.0.ready() {
            let path = given.source_path.clone();
            let content = apart(&cloud.files, move |files| files.read(&path)).await?;
            let (size, hash) = (content.bytes.len(), sha256(&content.bytes));
            summary.push_str(&format!("\n{size} bytes, SHA-256 {hash}"));
        }
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, given: UploadArguments, _: &Call) -> Result<Uploaded, ToolError> {
        let bucket = names::bucket(&given.bucket_name)?;
        let name = names::object("destinationObjectName", &given.destination_object_name)?;
        let kind = given.content_type.as_deref().unwrap_or(PLAIN);
        if !kind.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            return Err(ToolError::invalid("contentType", "is no media type"));
        }
        let cloud = self.0.ready()?;
        let path = given.source_path.clone();
        let content = apart(&cloud.files, move |files| files.read(&path)).await?;
        let mut url = cloud.storage(true, &["b", bucket, "o"]);
        url.query_pairs_mut()
            .append_pair("uploadType", "media")
            .append_pair("name", name);
        if !given.overwrite {
            url.query_pairs_mut().append_pair("ifGenerationMatch", "0");
        }
        let request = cloud.post(url).header("content-type", kind);
        let reply = cloud
            .ask(request.body(content.bytes))
            .await
            .map_err(|mut error| {
                if error.code == Code::Conflict && !given.overwrite {
                    error.code = Code::AlreadyExists;
                }
                error
            })?;
        let stored: Stored = cloud.read(&reply)?;
        Ok(Uploaded {
            name: stored.name,
            generation: stored.generation,
            size_bytes: stored.size.parse().unwrap_or_default(),
        })
    }
}

#[async_trait]
impl TypedTool for DeleteObject {
    type Arguments = DeleteArguments;
    type Output = Deleted;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.gcloud.storage.deleteObject",
            Effect::Critical,
            "Delete an object of Google Cloud Storage. It must have no hold or retention lock; whether \
             it can be had back is shown to the approver.",
        )
        .idempotent()
        .open_world()
    }

    async fn assess(&self, given: &DeleteArguments, _: &Call) -> Result<Assessment, ToolError> {
        let (bucket, name, generation) = given.names()?;
        let which = generation.map_or(String::new(), |it| format!(", generation {it}"));
        let summary = format!("Delete object {name:?}{which} of bucket {bucket}");
        let mut assessment = Assessment::of(Effect::Critical, summary);
        assessment.checks = checks_or_why(readiness::of(&self.0, given).await);
        Ok(assessment)
    }

    async fn run(&self, given: DeleteArguments, _: &Call) -> Result<Deleted, ToolError> {
        let (bucket, name, generation) = given.names()?;
        let cloud = self.0.ready()?;
        let recoverable = readiness::recoverable(cloud, bucket, generation).await;
        let url = given.url(cloud)?;
        let deleted = match cloud.ask(cloud.request(Method::DELETE, url)).await {
            Err(error) if error.code == Code::NotFound => false,
            other => other.map(|_| true)?,
        };
        Ok(Deleted {
            name: name.to_owned(),
            deleted,
            recoverable: deleted && recoverable.unwrap_or_default(),
        })
    }
}
