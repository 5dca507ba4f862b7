//! `os.macos.cli.runCommand`: one program with its arguments, judged by the command policy.

use crate::mac::{self, Mac};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use shared::command::{self, Refusal, Scene, Verdict, listed, quoted, shown};
use shared::outcome::{About, Cmd};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use ssh::{Order, Pinned};
use std::sync::Arc;

const MAX_PATH: usize = 1023;

/// The tool.
pub(crate) struct RunCommand(pub(crate) Arc<Mac>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Program and arguments in one line, with quotes as in a shell; no pipes, no redirection, no
    /// expansion.
    command: String,
    /// Working directory, absolute. Default: the home folder of the user there.
    cwd: Option<String>,
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

struct Prepared {
    argv: Vec<String>,
    pinned: Pinned,
    verdict: Verdict,
}

impl RunCommand {
    fn prepare(&self, arguments: &Arguments) -> Result<Prepared, ToolError> {
        let mac = &self.0;
        let argv = command::split(&arguments.command)
            .map_err(|error| ToolError::from(Refusal::Words(error)))?;
        let read = &mac.rules.read;
        let mut verdict = mac.policy.judge(&argv, &Scene::Elsewhere { read })?;
        if let Some(cwd) = &arguments.cwd {
            check_directory(cwd)?;
            if !read.hold_by_name(cwd) && verdict.effect == Effect::Read {
                verdict.effect = Effect::Mutate;
                verdict.reason = "its working directory is not under ALLOWED_READ_PATHS".into();
            }
        }
        let pinned = mac.target(arguments.host.as_deref())?;
        Ok(Prepared {
            argv,
            pinned,
            verdict,
        })
    }
}

#[async_trait]
impl TypedTool for RunCommand {
    type Arguments = Arguments;
    type Output = Cmd;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.macos.cli.runCommand",
            Effect::Mutate,
            "Run one program on a Mac over SSH and get its output and exit code. Only Macs in \
             SSH_HOSTS whose key is known, only programs in ALLOWED_COMMANDS; there is no shell. A \
             call that is known to only read runs at once, any other needs a person's approval. \
             Paths are absolute.",
        )
        .per_call()
        .live()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        let prepared = self.prepare(arguments)?;
        let mut summary = format!(
            "Run on {}, in {}, for at most {} s:\n{}",
            mac::place(&prepared.pinned),
            shown(arguments.cwd.as_deref().unwrap_or("the home folder")),
            arguments.timeout,
            listed(&prepared.argv),
        );
        if prepared.verdict.effect != Effect::Read {
            summary.push_str("\nNot known to only read: ");
            summary.push_str(&shown(&prepared.verdict.reason));
        }
        Ok(Assessment::of(prepared.verdict.effect, summary))
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Cmd, ToolError> {
        let Prepared {
            argv,
            pinned,
            verdict,
        } = self.prepare(&arguments)?;
        let host = pinned.target.host.clone();
        let command = quoted(&argv);
        let about = About {
            command: &command,
            host: &host,
            read_only: verdict.effect == Effect::Read,
        };
        let order = Order::new(argv).within(arguments.cwd.as_deref());
        let order = (order, arguments.timeout);
        self.0.run(pinned, order, about, call).await
    }
}

fn check_directory(cwd: &str) -> Result<(), ToolError> {
    let fits = cwd.starts_with('/') && cwd.len() <= MAX_PATH && !cwd.chars().any(char::is_control);
    match fits {
        true => Ok(()),
        false => Err(ToolError::invalid("cwd", "expected an absolute path")),
    }
}
