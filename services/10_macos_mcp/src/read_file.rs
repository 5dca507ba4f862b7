//! `os.macos.cli.readFile`: one file of a Mac beneath the allowed folders.

use crate::files;
use crate::mac::{self, Mac};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use shared::outcome::{Encoding, Text};
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// The tool.
pub(crate) struct ReadFile(pub(crate) Arc<Mac>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Absolute path under `ALLOWED_READ_PATHS`; links are followed if they lead there, too.
    path: String,
    /// A Mac in `SSH_HOSTS`, spelled as there. Default: the only one.
    host: Option<String>,
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
            "os.macos.cli.readFile",
            Effect::Read,
            "Read a file of a Mac in SSH_HOSTS, at most 10 MB, under ALLOWED_READ_PATHS. Content over \
             1 MiB is cut. Use base64 for files that are not text.",
        )
        .live()
        .open_world()
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Text, ToolError> {
        let mac = &self.0;
        let pinned = mac.target(arguments.host.as_deref())?;
        let found = files::read(mac, pinned, &arguments.path, mac::patience(call)).await?;
        let encoding = arguments.encoding;
        Text::of(&found.path, &found.bytes, encoding, found.modified_at)
    }
}
