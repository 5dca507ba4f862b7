//! `cloud.azure.storage.uploadBlob`: a file of this host as a blob, in one piece or in blocks.

use crate::blob::{Ask, BlobService};
use crate::cloud::Azure;
use crate::names;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::files::{apart, sha256};
use shared::remote::Reply;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;
use url::Url;

/// Larger files are sent in blocks of this size, in bytes.
const BLOCK: usize = 4 * 1024 * 1024;
const PLAIN: &str = "application/octet-stream";

/// The tool.
pub(crate) struct UploadBlob(pub(crate) Arc<Azure>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Arguments {
    /// Name of the storage account.
    #[schemars(length(min = 3, max = 24))]
    account_name: String,
    /// Name of the container.
    #[schemars(length(min = 3, max = 63))]
    container_name: String,
    /// Absolute path of this service's host, under `ALLOWED_READ_PATHS`.
    #[schemars(length(min = 1, max = 4095))]
    source_path: String,
    /// Name of the blob.
    #[schemars(length(min = 1, max = 1024))]
    destination_blob_name: String,
    /// Replace a blob that is there.
    #[serde(default)]
    overwrite: bool,
    /// Media type; leave out for `application/octet-stream`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 200))]
    content_type: Option<String>,
}

/// What is there now.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Uploaded {
    /// Name of the blob.
    name: String,
    /// Changes whenever it does.
    etag: String,
    /// Its size.
    size_bytes: u64,
    /// Its address.
    url: String,
}

#[async_trait]
impl TypedTool for UploadBlob {
    type Arguments = Arguments;
    type Output = Uploaded;

    fn spec(&self) -> Spec {
        Spec::new(
            "cloud.azure.storage.uploadBlob",
            Effect::Mutate,
            "Upload a file of this service's host, under ALLOWED_READ_PATHS and at most 10 MB, as a \
             blob of Azure. A blob that is there is kept unless overwrite is true.",
        )
        .idempotent()
        .long_running()
        .open_world()
    }

    async fn assess(&self, given: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        given.names()?;
        let mut summary = format!(
            "Upload {:?} as {:?} to {} in {}, {}",
            given.source_path,
            given.destination_blob_name,
            given.container_name,
            given.account_name,
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

    async fn run(&self, given: Arguments, call: &Call) -> Result<Uploaded, ToolError> {
        let (account, container, name) = given.names()?;
        let cloud = self.0.ready()?;
        let path = given.source_path.clone();
        let content = apart(&cloud.files, move |files| files.read(&path)).await?;
        let upload = Upload {
            blobs: &cloud.blobs,
            url: cloud.blobs.blob(account, (container, name))?,
            kind: given.content_type.as_deref().unwrap_or(PLAIN),
            overwrite: given.overwrite,
        };
        let size = content.bytes.len();
        let reply = match size <= BLOCK {
            true => upload.whole(content.bytes).await?,
            false => upload.blocks(&content.bytes, call).await?,
        };
        Ok(Uploaded {
            etag: reply
                .header("etag")
                .unwrap_or_default()
                .trim_matches('"')
                .to_owned(),
            size_bytes: u64::try_from(size).unwrap_or(u64::MAX),
            url: upload.url.to_string(),
            name: given.destination_blob_name,
        })
    }
}

impl Arguments {
    fn names(&self) -> Result<(&str, &str, &str), ToolError> {
        let kind = self.content_type.as_deref().unwrap_or(PLAIN);
        if !kind.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            return Err(ToolError::invalid("contentType", "is no media type"));
        }
        Ok((
            names::account(&self.account_name)?,
            names::container(&self.container_name)?,
            names::blob("destinationBlobName", &self.destination_blob_name)?,
        ))
    }
}

/// One upload.
struct Upload<'a> {
    blobs: &'a BlobService,
    url: Url,
    kind: &'a str,
    overwrite: bool,
}

impl Upload<'_> {
    async fn whole(&self, body: Vec<u8>) -> Result<Reply, ToolError> {
        let mut headers = vec![("x-ms-blob-type", "BlockBlob"), ("content-type", self.kind)];
        headers.extend(self.condition());
        self.put(self.url.clone(), &headers, body).await
    }

    /// Blocks are not seen by anybody until the list of them is there.
    async fn blocks(&self, bytes: &[u8], call: &Call) -> Result<Reply, ToolError> {
        let mut list = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
        let blocks = bytes.len().div_ceil(BLOCK);
        for (number, block) in bytes.chunks(BLOCK).enumerate() {
            let id = STANDARD.encode(format!("waygate-{number:06}"));
            let mut url = self.url.clone();
            url.query_pairs_mut()
                .append_pair("comp", "block")
                .append_pair("blockid", &id);
            self.put(url, &[], block.to_vec()).await?;
            list.push_str(&format!("<Latest>{id}</Latest>"));
            let done = f64::from(u32::try_from(number + 1).unwrap_or(u32::MAX));
            let total = f64::from(u32::try_from(blocks).unwrap_or(u32::MAX));
            call.progress.report(done, Some(total), "sending the file");
        }
        list.push_str("</BlockList>");
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("comp", "blocklist");
        let mut headers = vec![("x-ms-blob-content-type", self.kind)];
        headers.extend(self.condition());
        self.put(url, &headers, list.into_bytes()).await
    }

    fn condition(&self) -> Option<(&'static str, &'static str)> {
        (!self.overwrite).then_some(("if-none-match", "*"))
    }

    async fn put(
        &self,
        url: Url,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Reply, ToolError> {
        let ask = Ask {
            method: Method::PUT,
            url,
            headers,
            body,
        };
        self.blobs.ask(ask).await
    }
}
