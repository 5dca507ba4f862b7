//! `os.linux.cli.readFile`: one file beneath the allowed folders.

use crate::host::Host;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use shared::outcome::{Encoding, Text};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

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
        let path = contents.path.to_string_lossy();
        let modified_at = contents.modified_at;
        Text::of(&path, &contents.bytes, arguments.encoding, modified_at)
    }
}
