//! `os.windows.fs.writeFile`: one file beneath the writable folders, its old content kept beside it.

use crate::windows::{Script, Windows, legible};
use async_trait::async_trait;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use shared::outcome::Written;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

const SCRIPT: Script = Script(include_str!("scripts/write_file.ps1"));

/// The tool.
pub(crate) struct WriteFile(pub(crate) Arc<Windows>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Absolute path under `ALLOWED_WRITE_PATHS`; the type must be one that may be written.
    path: String,
    /// The text to write, as UTF-8.
    content: String,
    /// After what is there, not in its place.
    #[serde(default)]
    append: bool,
    /// A host in `WINRM_HOSTS`, spelled as there. Default: the only one.
    host: Option<String>,
}

impl WriteFile {
    /// The path in its plain form.
    fn check(&self, arguments: &Arguments) -> Result<String, ToolError> {
        let windows = &self.0;
        let path = windows.write.check(&arguments.path)?;
        windows.rules.check_size(arguments.content.len())?;
        let name = path.rsplit('\\').next().unwrap_or_default();
        windows.rules.check_type(name)?;
        Ok(path)
    }
}

#[async_trait]
impl TypedTool for WriteFile {
    type Arguments = Arguments;
    type Output = Written;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.windows.fs.writeFile",
            Effect::Mutate,
            "Write a text file of a Windows host in WINRM_HOSTS under ALLOWED_WRITE_PATHS (types \
             .txt, .json, .yaml and .md unless configured otherwise, at most 10 MB). An existing file \
             is copied to NAME.BAK_YYYYMMDD_HHMMSS first. Needs a person's approval.",
        )
        .open_world()
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        let path = self.check(arguments)?;
        let host = self.0.place(arguments.host.as_deref())?;
        let place = format!("{} on {host}", legible(&path));
        let summary = Written::summary(&place, &arguments.content, arguments.append);
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Written, ToolError> {
        #[derive(Deserialize)]
        struct Done {
            path: String,
            backup: Option<String>,
            sha256: String,
        }
        let path = self.check(&arguments)?;
        let now = self.0.clock.now().to_zoned(TimeZone::UTC);
        let parameters = json!({
            "path": path,
            "append": arguments.append,
            "stamp": now.strftime("%Y%m%d_%H%M%S").to_string(),
            "max_bytes": self.0.rules.max_bytes,
        });
        let input = (&parameters, arguments.content.as_bytes());
        let host = arguments.host.as_deref();
        let done: Done = self.0.tell(host, SCRIPT, input, call).await?;
        let Done {
            path,
            backup,
            sha256,
        } = done;
        Ok(Written::of(&arguments.content, path, backup, sha256))
    }
}
