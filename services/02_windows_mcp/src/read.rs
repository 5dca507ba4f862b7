//! `os.windows.fs.readFile`, `listDirectory`, `testPath`: what is beneath the folders that may be read.

use crate::windows::{Script, Windows};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::error::Code;
use shared::outcome::{self, Encoding, Listing, Text};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

const READ: Script = Script(include_str!("scripts/read_file.ps1"));
const LIST: Script = Script(include_str!("scripts/list_directory.ps1"));
const TEST: Script = Script(include_str!("scripts/test_path.ps1"));
/// Bytes that are sent: what a result takes, and the rest of a last character.
const MAX_SENT: usize = 1024 * 1024 + 4;
/// Entries of one answer.
const MOST: usize = 1000;

/// Reads a file.
pub(crate) struct ReadFile(pub(crate) Arc<Windows>);
/// Lists a folder.
pub(crate) struct ListDirectory(pub(crate) Arc<Windows>);
/// Looks whether something is there.
pub(crate) struct TestPath(pub(crate) Arc<Windows>);

/// Arguments of `readFile`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadArguments {
    /// Absolute path under `ALLOWED_READ_PATHS`, such as `C:\inetpub\logs\u_ex.log`; links are not
    /// followed.
    path: String,
    /// A host in `WINRM_HOSTS`, spelled as there. Default: the only one.
    host: Option<String>,
    /// How the content is returned.
    #[serde(default)]
    encoding: Encoding,
}

/// Arguments of the others.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PathArguments {
    /// Absolute path under `ALLOWED_READ_PATHS`; links are not followed.
    path: String,
    /// A host in `WINRM_HOSTS`, spelled as there. Default: the only one.
    host: Option<String>,
}

#[async_trait]
impl TypedTool for ReadFile {
    type Arguments = ReadArguments;
    type Output = Text;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.windows.fs.readFile",
            Effect::Read,
            "Read a file of a Windows host in WINRM_HOSTS, at most 10 MB, under ALLOWED_READ_PATHS. \
             Content over 1 MiB is cut. Use base64 for files that are not UTF-8 text.",
        )
        .live()
        .open_world()
    }

    async fn run(&self, arguments: ReadArguments, call: &Call) -> Result<Text, ToolError> {
        #[derive(Deserialize)]
        struct Found {
            path: String,
            size: u64,
            modified: Timestamp,
            content: String,
        }
        let path = self.0.read.check(&arguments.path)?;
        let max_bytes = self.0.rules.max_bytes;
        let parameters = json!({"path": path, "limit": MAX_SENT, "max_bytes": max_bytes});
        let host = arguments.host.as_deref();
        let found: Found = self.0.ask(host, READ, &parameters, call).await?;
        let bytes = STANDARD.decode(&found.content).map_err(|error| {
            tracing::warn!(event = "winrm_content", %error, "content cannot be read");
            ToolError::new(Code::BadGateway, "the host sent content that is not base64")
        })?;
        let times = (found.modified, found.size);
        Text::beginning(&found.path, &bytes, arguments.encoding, times)
    }
}

#[async_trait]
impl TypedTool for ListDirectory {
    type Arguments = PathArguments;
    type Output = Listing;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.windows.fs.listDirectory",
            Effect::Read,
            "List a folder of a Windows host in WINRM_HOSTS under ALLOWED_READ_PATHS: name, type, \
             size, attributes, owner and time of change of at most 1000 entries.",
        )
        .live()
        .open_world()
    }

    async fn run(&self, arguments: PathArguments, call: &Call) -> Result<Listing, ToolError> {
        #[derive(Deserialize)]
        struct Found {
            path: String,
            entries: Vec<Entry>,
            truncated: bool,
        }
        #[derive(Deserialize)]
        struct Entry {
            name: String,
            path: String,
            #[serde(rename = "type")]
            kind: String,
            size: u64,
            mode: String,
            owner: String,
            modified: String,
        }
        let path = self.0.read.check(&arguments.path)?;
        let parameters = json!({"path": path, "limit": MOST});
        let host = arguments.host.as_deref();
        let found: Found = self.0.ask(host, LIST, &parameters, call).await?;
        let entry = |entry: Entry| outcome::Entry {
            name: entry.name,
            path: entry.path,
            kind: entry.kind,
            size_bytes: entry.size,
            mode: entry.mode,
            owner: entry.owner,
            modified_at: entry.modified,
        };
        let entries = found.entries.into_iter().map(entry).collect();
        Ok(Listing::of(found.path, entries, found.truncated))
    }
}

/// Whether something is there.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Tested {
    #[serde(default)]
    path: String,
    exists: bool,
    /// `file` or `dir`; null when there is nothing.
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[async_trait]
impl TypedTool for TestPath {
    type Arguments = PathArguments;
    type Output = Tested;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.windows.fs.testPath",
            Effect::Read,
            "Tell whether a file or folder is there on a Windows host in WINRM_HOSTS, under \
             ALLOWED_READ_PATHS.",
        )
        .live()
        .open_world()
    }

    async fn run(&self, arguments: PathArguments, call: &Call) -> Result<Tested, ToolError> {
        let path = self.0.read.check(&arguments.path)?;
        let parameters = json!({"path": path});
        let host = arguments.host.as_deref();
        let tested: Tested = self.0.ask(host, TEST, &parameters, call).await?;
        Ok(Tested { path, ..tested })
    }
}
