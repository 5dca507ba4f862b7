//! `os.linux.cli.readFile`: one file beneath the allowed folders.

use crate::host::Host;
use crate::outcome::bounded;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::files::Contents;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Bytes whose base64 form is 1 MiB.
const MAX_BINARY: usize = 1024 * 1024 / 4 * 3;

/// The tool.
pub(crate) struct ReadFile(pub(crate) Arc<Host>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Absolute path under `ALLOWED_READ_PATHS`; links are followed if they lead there, too.
    path: String,
    /// How the content is returned.
    #[serde(default)]
    encoding: Encoding,
}

/// Forms of content.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
pub(crate) enum Encoding {
    /// As text.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// As base64, for files that are no text.
    #[serde(rename = "base64")]
    Base64,
}

/// A file's content.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Text {
    /// Where it is, links resolved.
    path: String,
    content: String,
    encoding: Encoding,
    /// Size of the whole file.
    size_bytes: u64,
    /// Whether content was left out at 1 MiB.
    truncated: bool,
    /// RFC 3339, UTC.
    modified_at: String,
}

#[async_trait]
impl TypedTool for ReadFile {
    type Arguments = Arguments;
    type Output = Text;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.linux.cli.readFile",
            Effect::Read,
            "Read a file of this Linux host, at most 10 MB, under ALLOWED_READ_PATHS. Content over \
             1 MiB is cut. Use base64 for files that are not text.",
        )
        .live()
        .aliases(&["linux.readFile"])
    }

    async fn run(&self, arguments: Arguments, _: &Call) -> Result<Text, ToolError> {
        let path = arguments.path;
        let contents = self.0.with_files(move |files| files.read(&path)).await?;
        text(&contents, arguments.encoding)
    }
}

fn text(contents: &Contents, encoding: Encoding) -> Result<Text, ToolError> {
    let (content, truncated) = match encoding {
        Encoding::Base64 => {
            let kept = contents.bytes.get(..MAX_BINARY).unwrap_or(&contents.bytes);
            (STANDARD.encode(kept), kept.len() < contents.bytes.len())
        }
        Encoding::Utf8 => match std::str::from_utf8(&contents.bytes) {
            Ok(text) => {
                let (kept, cut) = bounded(text);
                (kept.to_owned(), cut)
            }
            Err(error) => {
                tracing::debug!(event = "file_not_text", %error, "a file is not text");
                let rule = "the file is not UTF-8 text; ask for base64";
                return Err(ToolError::invalid("encoding", rule));
            }
        },
    };
    Ok(Text {
        path: contents.path.to_string_lossy().into_owned(),
        content,
        encoding,
        size_bytes: u64::try_from(contents.bytes.len()).unwrap_or(u64::MAX),
        truncated,
        modified_at: contents.modified_at.to_string(),
    })
}
