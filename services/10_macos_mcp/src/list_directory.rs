//! `os.macos.cli.listDirectory`: what is in a folder of a Mac beneath the allowed ones.

use crate::files;
use crate::mac::{self, Mac};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use shared::outcome::Listing;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// The tool.
pub(crate) struct ListDirectory(pub(crate) Arc<Mac>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Absolute path under `ALLOWED_READ_PATHS`.
    path: String,
    /// A Mac in `SSH_HOSTS`, spelled as there. Default: the only one.
    host: Option<String>,
}

#[async_trait]
impl TypedTool for ListDirectory {
    type Arguments = Arguments;
    type Output = Listing;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.macos.cli.listDirectory",
            Effect::Read,
            "List a folder of a Mac in SSH_HOSTS under ALLOWED_READ_PATHS: name, type, size, mode, \
             owner and time of change of at most 1000 entries. Links are listed, not followed.",
        )
        .live()
        .open_world()
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Listing, ToolError> {
        let mac = &self.0;
        let pinned = mac.target(arguments.host.as_deref())?;
        files::list(mac, pinned, &arguments.path, mac::patience(call)).await
    }
}
