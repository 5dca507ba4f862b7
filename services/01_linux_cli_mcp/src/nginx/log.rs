//! `os.linux.nginx.getAccessLogTail`: the last lines of a log.

use crate::host::Host;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::files::{Files, Roots, Rules};
use shared::outcome::bounded;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// From the end of the file.
const MAX_BYTES: u64 = 1024 * 1024;

/// The tool.
pub(crate) struct GetAccessLogTail(pub(crate) Arc<Host>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// How many lines.
    #[serde(default = "default_lines")]
    #[schemars(range(min = 1, max = 1000))]
    lines: usize,
    /// Name of a file in `NGINX_LOG_DIR`.
    #[serde(default = "default_log")]
    log: String,
}

const fn default_lines() -> usize {
    50
}

fn default_log() -> String {
    "access.log".into()
}

/// The last lines, oldest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Tail {
    path: String,
    lines: Vec<String>,
    /// Number of lines returned.
    count: usize,
}

#[async_trait]
impl TypedTool for GetAccessLogTail {
    type Arguments = Arguments;
    type Output = Tail;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.linux.nginx.getAccessLogTail",
            Effect::Read,
            "Show the last lines of an nginx log of this host (NGINX_LOG_DIR), oldest first.",
        )
        .live()
    }

    async fn run(&self, arguments: Arguments, _: &Call) -> Result<Tail, ToolError> {
        let name = &arguments.log;
        if name.is_empty() || name.contains('/') || name.starts_with('.') {
            return Err(ToolError::invalid(
                "log",
                "the name of a file, without a folder",
            ));
        }
        let folder = self.0.config.nginx.logs().to_owned();
        let path = format!("{folder}/{name}");
        let roots = Roots::new([folder], "NGINX_LOG_DIR");
        // A file of logs of its own rules: this folder, and no other.
        let logs = Files::new(Rules::new(
            roots.clone(),
            Roots::new([""; 0], "NGINX_LOG_DIR"),
        ));
        let contents = self
            .0
            .with_files(move |_| logs.read_end(&path, MAX_BYTES))
            .await?;
        let text = String::from_utf8_lossy(&contents.bytes);
        let lines = last_lines(&text, arguments.lines.clamp(1, 1000));
        Ok(Tail {
            path: contents.path.to_string_lossy().into_owned(),
            count: lines.len(),
            lines,
        })
    }
}

/// The last lines that fit into a result.
fn last_lines(text: &str, count: usize) -> Vec<String> {
    let lines: Vec<_> = text.lines().collect();
    let first = lines.len().saturating_sub(count);
    let joined = lines.get(first..).unwrap_or_default().join("\n");
    let (fitting, _) = bounded(&joined);
    fitting.lines().map(str::to_owned).collect()
}
