//! `os.macos.cli.writeFile`: one file of a Mac beneath the writable folders, its old content kept
//! beside it.

use crate::files::{self, Draft};
use crate::mac::{self, Mac};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use shared::command::shown;
use shared::files::Writing;
use shared::outcome::Written;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// The tool.
pub(crate) struct WriteFile(pub(crate) Arc<Mac>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Absolute path under `ALLOWED_WRITE_PATHS`; the type must be one that may be written.
    path: String,
    /// The text to write.
    content: String,
    /// After what is there, not in its place.
    #[serde(default)]
    append: bool,
    /// A Mac in `SSH_HOSTS`, spelled as there. Default: the only one.
    host: Option<String>,
}

impl Arguments {
    fn draft(&self) -> Draft {
        Draft {
            path: self.path.clone(),
            content: self.content.clone(),
            writing: match self.append {
                true => Writing::Append,
                false => Writing::Replace,
            },
        }
    }
}

#[async_trait]
impl TypedTool for WriteFile {
    type Arguments = Arguments;
    type Output = Written;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.macos.cli.writeFile",
            Effect::Mutate,
            "Write a text file of a Mac in SSH_HOSTS under ALLOWED_WRITE_PATHS (types .txt, .json, \
             .yaml and .md unless configured otherwise, at most 10 MB). An existing file is copied to \
             NAME.BAK_YYYYMMDD_HHMMSS first. Needs a person's approval.",
        )
        .open_world()
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        let mac = &self.0;
        files::check(mac, &arguments.draft())?;
        let pinned = mac.target(arguments.host.as_deref())?;
        let place = format!("{} on {}", shown(&arguments.path), mac::place(&pinned));
        let summary = Written::summary(&place, &arguments.content, arguments.append);
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Written, ToolError> {
        let mac = &self.0;
        let pinned = mac.target(arguments.host.as_deref())?;
        let patience = mac::patience(call);
        files::write(mac, pinned, arguments.draft(), patience).await
    }
}
