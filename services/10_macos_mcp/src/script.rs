//! `os.macos.script.*`: `AppleScript` and JavaScript for Automation. The text goes to `osascript`
//! as its input, never into a command line.

use crate::mac::{self, Mac};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::command::{quoted, shown};
use shared::files::sha256;
use shared::outcome::{About, Cmd};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use ssh::Order;
use std::sync::Arc;

/// Longest script, in bytes.
const MAX_SCRIPT: usize = 100_000;
/// Of it shown to the person who approves, in characters; the hash stands for the rest.
const MAX_SHOWN: usize = 8000;

/// Runs an `AppleScript`.
pub(crate) struct RunAppleScript(pub(crate) Arc<Mac>);
/// Runs JavaScript for Automation.
pub(crate) struct RunJxaScript(pub(crate) Arc<Mac>);

/// Their parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// The text of the script, at most 100,000 bytes.
    #[schemars(length(min = 1, max = 100_000))]
    script: String,
    /// Seconds after which it is stopped.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 300))]
    timeout: u64,
    /// A Mac in `SSH_HOSTS`, spelled as there. Default: the only one.
    host: Option<String>,
}

const fn default_timeout() -> u64 {
    60
}

/// The result of a script.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Scripted {
    #[serde(flatten)]
    cmd: Cmd,
    /// The value of the script, as `osascript` prints it, without the last line break.
    output: String,
}

#[async_trait]
impl TypedTool for RunAppleScript {
    type Arguments = Arguments;
    type Output = Scripted;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.macos.script.runAppleScript",
            Effect::Mutate,
            "Run an AppleScript on a Mac in SSH_HOSTS and get its value, output and exit code. Needs \
             a person's approval, who sees the script. Scripts that open dialogs wait until the \
             timeout.",
        )
        .live()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        assess(&self.0, "AppleScript", arguments)
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Scripted, ToolError> {
        run(&self.0, &["osascript", "-"], arguments, call).await
    }
}

#[async_trait]
impl TypedTool for RunJxaScript {
    type Arguments = Arguments;
    type Output = Scripted;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.macos.script.runJxaScript",
            Effect::Mutate,
            "Run JavaScript for Automation (JXA) on a Mac in SSH_HOSTS and get its value, output and \
             exit code. Needs a person's approval, who sees the script.",
        )
        .live()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        assess(&self.0, "JavaScript", arguments)
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Scripted, ToolError> {
        let words = ["osascript", "-l", "JavaScript", "-"];
        run(&self.0, &words, arguments, call).await
    }
}

fn assess(mac: &Mac, language: &str, arguments: &Arguments) -> Result<Assessment, ToolError> {
    check(&arguments.script)?;
    let pinned = mac.target(arguments.host.as_deref())?;
    let lines = arguments.script.lines().map(shown);
    let mut text = lines.collect::<Vec<_>>().join("\n");
    if let Some((end, _)) = text.char_indices().nth(MAX_SHOWN) {
        text.truncate(end);
        text.push_str("\n(the rest is not shown)");
    }
    let summary = format!(
        "Run {language} on {}, for at most {} s\n{} bytes, SHA-256 {}\nScript:\n{text}",
        mac::place(&pinned),
        arguments.timeout,
        arguments.script.len(),
        sha256(arguments.script.as_bytes()),
    );
    Ok(Assessment::of(Effect::Mutate, summary))
}

async fn run(
    mac: &Mac,
    words: &[&str],
    arguments: Arguments,
    call: &Call,
) -> Result<Scripted, ToolError> {
    check(&arguments.script)?;
    let pinned = mac.target(arguments.host.as_deref())?;
    let host = pinned.target.host.clone();
    let words: Vec<String> = words.iter().copied().map(str::to_owned).collect();
    let command = quoted(&words);
    let about = About {
        command: &command,
        host: &host,
        read_only: false,
    };
    let order = Order::new(words).reading(arguments.script);
    let cmd = mac
        .run(pinned, (order, arguments.timeout), about, call)
        .await?;
    let output = cmd.stdout.strip_suffix('\n').unwrap_or(&cmd.stdout);
    Ok(Scripted {
        output: output.to_owned(),
        cmd,
    })
}

fn check(script: &str) -> Result<(), ToolError> {
    if script.trim().is_empty() || script.len() > MAX_SCRIPT {
        return Err(ToolError::invalid(
            "script",
            "expected 1 to 100,000 bytes that are not all blank",
        ));
    }
    if script.contains('\0') {
        return Err(ToolError::invalid("script", "a NUL is in it"));
    }
    Ok(())
}
