//! `os.linux.cli.writeFile`: one file beneath the writable folders, its old content kept beside it.

use crate::host::Host;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use shared::command::shown;
use shared::files::Writing;
use shared::outcome::Written;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::path::Path;
use std::sync::Arc;

/// The tool.
pub(crate) struct WriteFile(pub(crate) Arc<Host>);

/// Its parameters.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Absolute path under `ALLOWED_WRITE_PATHS`; the type must be one that may be written.
    path: String,
    /// The text to write.
    content: String,
    /// After what is there, not in its place.
    #[serde(default)]
    append: bool,
    /// False means: refuse when approval is needed, do not open a request.
    #[serde(default = "yes")]
    #[expect(
        dead_code,
        reason = "read by the gates that open approval requests, which come before"
    )]
    requires_approval: bool,
}

const fn yes() -> bool {
    true
}

/// The result of a write on this host.
pub(crate) fn written(written: &shared::files::Written, content: &str) -> Written {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let backup = written.backup.as_deref().map(text);
    Written::of(content, text(&written.path), backup, written.sha256.clone())
}

#[async_trait]
impl TypedTool for WriteFile {
    type Arguments = Arguments;
    type Output = Written;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.linux.cli.writeFile",
            Effect::Mutate,
            "Write a text file of this Linux host under ALLOWED_WRITE_PATHS (types .txt, .json, .yaml \
             and .md unless configured otherwise, at most 10 MB). An existing file is copied to \
             NAME.BAK_YYYYMMDD_HHMMSS first. Needs a person's approval.",
        )
        .aliases(&["linux.writeFile"])
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        let (path, size) = (arguments.path.clone(), arguments.content.len());
        self.0
            .with_files(move |files| files.check_write(&path, size))
            .await?;
        let place = shown(&arguments.path);
        let summary = Written::summary(&place, &arguments.content, arguments.append);
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: Arguments, _: &Call) -> Result<Written, ToolError> {
        let _change = self.0.changes.begin();
        let now = self.0.clock.now();
        let writing = if arguments.append {
            Writing::Append
        } else {
            Writing::Replace
        };
        let given = arguments.clone();
        let done = self
            .0
            .with_files(move |files| {
                files.write(&given.path, given.content.as_bytes(), writing, now)
            })
            .await?;
        Ok(written(&done, &arguments.content))
    }
}
