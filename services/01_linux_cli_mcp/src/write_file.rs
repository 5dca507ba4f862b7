//! `os.linux.cli.writeFile`: one file beneath the writable folders, its old content kept beside it.

use crate::host::Host;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::command::shown;
use shared::files::{Writing, sha256};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Content shown to the person who approves, in characters; the hash stands for the rest.
const MAX_SHOWN: usize = 4000;

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

/// What was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Written {
    /// Where it is, links resolved.
    pub(crate) path: String,
    /// Bytes of the content that was given.
    pub(crate) bytes_written: u64,
    /// Copy of the file as it was; null when there was none.
    pub(crate) backup_path: Option<String>,
    /// SHA-256 of the whole file now, lower-case hex.
    pub(crate) sha256: String,
    pub(crate) message: String,
}

impl Written {
    pub(crate) fn of(written: &shared::files::Written, content: &str) -> Self {
        let backup = written.backup.as_ref();
        Self {
            path: written.path.to_string_lossy().into_owned(),
            bytes_written: u64::try_from(content.len()).unwrap_or(u64::MAX),
            backup_path: backup.map(|path| path.to_string_lossy().into_owned()),
            sha256: written.sha256.clone(),
            message: match backup {
                Some(_) => "written; the old content was kept".into(),
                None => "written; the file is new".into(),
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
        Ok(Assessment::of(Effect::Mutate, summary(arguments)))
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
        let written = self
            .0
            .with_files(move |files| {
                files.write(&given.path, given.content.as_bytes(), writing, now)
            })
            .await?;
        Ok(Written::of(&written, &arguments.content))
    }
}

fn summary(arguments: &Arguments) -> String {
    let verb = if arguments.append {
        "Append to"
    } else {
        "Write"
    };
    let lines = arguments.content.lines().map(shown);
    let mut text = lines.collect::<Vec<_>>().join("\n");
    if let Some((end, _)) = text.char_indices().nth(MAX_SHOWN) {
        text.truncate(end);
        text.push_str("\n(the rest is not shown)");
    }
    format!(
        "{verb} {}\n{} bytes, SHA-256 {}\nContent:\n{text}",
        shown(&arguments.path),
        arguments.content.len(),
        sha256(arguments.content.as_bytes()),
    )
}
