//! `os.windows.ps.runCommand` and `runScript`: `PowerShell` of the caller, as data.

use crate::grammar;
use crate::windows::{self, Script, Windows, legible};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use shared::exec::OUTPUT_LIMIT;
use shared::files::sha256;
use shared::outcome::{self, About, Cmd};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

const SCRIPT: Script = Script(include_str!("scripts/run.ps1"));
/// Longest script, in bytes.
const MAX_SCRIPT: usize = 100_000;
/// Of it shown to the person who approves, in characters; the hash stands for the rest.
const MAX_SHOWN: usize = 8000;

/// Runs one pipeline.
pub(crate) struct RunCommand(pub(crate) Arc<Windows>);
/// Runs a script.
pub(crate) struct RunScript(pub(crate) Arc<Windows>);

/// Arguments of `runCommand`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandArguments {
    /// A line of `PowerShell`, such as `Get-Service | Sort-Object Name`.
    #[schemars(length(min = 1, max = 8000))]
    command: String,
    /// A host in `WINRM_HOSTS`, spelled as there. Default: the only one.
    host: Option<String>,
    /// Seconds after which it is stopped.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 300))]
    timeout: u64,
}

/// Arguments of `runScript`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ScriptArguments {
    /// The text of a `PowerShell` script, at most 100,000 bytes.
    #[schemars(length(min = 1, max = 100_000))]
    script_block: String,
    /// A host in `WINRM_HOSTS`, spelled as there. Default: the only one.
    host: Option<String>,
    /// Seconds after which it is stopped.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 300))]
    timeout: u64,
}

const fn default_timeout() -> u64 {
    60
}

impl RunCommand {
    fn judge(&self, arguments: &CommandArguments) -> Result<Option<String>, ToolError> {
        let windows = &self.0;
        let allowed = &windows.config.commands.allowed;
        grammar::judge(&arguments.command, allowed, &windows.read)
    }
}

#[async_trait]
impl TypedTool for RunCommand {
    type Arguments = CommandArguments;
    type Output = Cmd;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.windows.ps.runCommand",
            Effect::Mutate,
            "Run a line of PowerShell on a Windows host in WINRM_HOSTS and get its output and exit \
             code. A pipeline of cmdlets in ALLOWED_COMMANDS (Get-Process, Get-Service, Get-Content \
             on allowed paths and the like) with plain words runs at once, anything else needs a \
             person's approval.",
        )
        .per_call()
        .live()
        .long_running()
        .open_world()
    }

    async fn assess(
        &self,
        arguments: &CommandArguments,
        _: &Call,
    ) -> Result<Assessment, ToolError> {
        let changes = self.judge(arguments)?;
        let place = self.0.place(arguments.host.as_deref())?;
        let (text, seconds) = (legible(&arguments.command), arguments.timeout);
        let mut summary = format!("Run PowerShell on {place}, for at most {seconds} s:\n{text}");
        let effect = match changes {
            None => Effect::Read,
            Some(why) => {
                summary.push_str("\nNot known to only read: ");
                summary.push_str(&why);
                Effect::Mutate
            }
        };
        Ok(Assessment::of(effect, summary))
    }

    async fn run(&self, arguments: CommandArguments, call: &Call) -> Result<Cmd, ToolError> {
        let read_only = self.judge(&arguments)?.is_none();
        let about = About {
            command: &arguments.command,
            host: self.0.host(arguments.host.as_deref())?,
            read_only,
        };
        run(&self.0, about, arguments.timeout, call).await
    }
}

#[async_trait]
impl TypedTool for RunScript {
    type Arguments = ScriptArguments;
    type Output = Cmd;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.windows.ps.runScript",
            Effect::Mutate,
            "Run a PowerShell script on a Windows host in WINRM_HOSTS and get its output and exit \
             code. Needs a person's approval, who sees the script. It cannot ask for input.",
        )
        .live()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &ScriptArguments, _: &Call) -> Result<Assessment, ToolError> {
        check(&arguments.script_block)?;
        let lines = arguments.script_block.lines().map(legible);
        let mut text = lines.collect::<Vec<_>>().join("\n");
        if let Some((end, _)) = text.char_indices().nth(MAX_SHOWN) {
            text.truncate(end);
            text.push_str("\n(the rest is not shown)");
        }
        let summary = format!(
            "Run a PowerShell script on {}, for at most {} s\n{} bytes, SHA-256 {}\nScript:\n{text}",
            self.0.place(arguments.host.as_deref())?,
            arguments.timeout,
            arguments.script_block.len(),
            sha256(arguments.script_block.as_bytes()),
        );
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: ScriptArguments, call: &Call) -> Result<Cmd, ToolError> {
        check(&arguments.script_block)?;
        let about = About {
            command: &arguments.script_block,
            host: self.0.host(arguments.host.as_deref())?,
            read_only: false,
        };
        run(&self.0, about, arguments.timeout, call).await
    }
}

/// Runs the text of `about` and records it.
async fn run(
    windows: &Windows,
    about: About<'_>,
    seconds: u64,
    call: &Call,
) -> Result<Cmd, ToolError> {
    let parameters = json!({"script": about.command});
    let job = windows::job(SCRIPT, (&parameters, &[]), OUTPUT_LIMIT);
    let timeout = outcome::time_limit(seconds, call)?;
    let running = windows.run(about.host, job, timeout);
    let finished = outcome::watched(call, timeout, running).await?;
    Cmd::of(&finished, about, call)
}

fn check(script: &str) -> Result<(), ToolError> {
    if script.trim().is_empty() || script.len() > MAX_SCRIPT || script.contains('\0') {
        let rule = "expected 1 to 100,000 bytes that are not all blank, without NUL";
        return Err(ToolError::invalid("scriptBlock", rule));
    }
    Ok(())
}
