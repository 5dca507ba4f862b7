//! `linux.sshExecuteCommand`: one program on another Linux host, judged by the same policy.

use crate::host::Host;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::command::{self, Refusal, Scene, Verdict, listed, shown};
use shared::outcome::{self, About, Cmd};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use ssh::{Order, Pinned};
use std::sync::Arc;

/// The tool.
pub(crate) struct SshExecuteCommand(pub(crate) Arc<Host>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// A host in `SSH_HOSTS`, spelled as there.
    target_host: String,
    /// Program and arguments in one line, with quotes as in a shell; no pipes, no redirection, no
    /// expansion.
    remote_command: String,
    /// Default: `SSH_USER`.
    user: Option<String>,
    /// Port of its SSH server.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1, max = 65535))]
    port: u16,
    /// Seconds after which it is stopped.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 300))]
    timeout: u64,
}

const fn default_port() -> u16 {
    22
}

const fn default_timeout() -> u64 {
    60
}

/// The result of a command on another host.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RemoteCmd {
    #[serde(flatten)]
    cmd: Cmd,
    /// The words as they were quoted for the shell of the other host.
    command_executed: String,
}

struct Prepared {
    argv: Vec<String>,
    pinned: Pinned,
    verdict: Verdict,
}

impl SshExecuteCommand {
    fn prepare(&self, arguments: &Arguments) -> Result<Prepared, ToolError> {
        let host = &self.0;
        host.ssh.check(&arguments.target_host)?;
        let argv = command::split(&arguments.remote_command)
            .map_err(|error| ToolError::from(Refusal::Words(error)))?;
        let read = &host.files.rules().read;
        let verdict = host.policy.judge(&argv, &Scene::Elsewhere { read })?;
        let user = arguments.user.as_deref();
        let pinned = host.ssh.pin(&arguments.target_host, arguments.port, user)?;
        Ok(Prepared {
            argv,
            pinned,
            verdict,
        })
    }
}

#[async_trait]
impl TypedTool for SshExecuteCommand {
    type Arguments = Arguments;
    type Output = RemoteCmd;

    fn spec(&self) -> Spec {
        Spec::new(
            "linux.sshExecuteCommand",
            Effect::Mutate,
            "Run one program on another Linux host over SSH and get its output and exit code. Only \
             hosts in SSH_HOSTS whose key is known, only programs in ALLOWED_COMMANDS. A call that \
             is known to only read runs at once, any other needs a person's approval.",
        )
        .per_call()
        .live()
        .long_running()
        .open_world()
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        let prepared = self.prepare(arguments)?;
        let target = &prepared.pinned.target;
        let mut summary = format!(
            "Run on {} port {} as {} (host key {}), for at most {} s:\n{}",
            shown(&target.host),
            target.port,
            shown(&target.user),
            prepared.pinned.fingerprints(),
            arguments.timeout,
            listed(&prepared.argv),
        );
        if prepared.verdict.effect != Effect::Read {
            summary.push_str("\nNot known to only read: ");
            summary.push_str(&shown(&prepared.verdict.reason));
        }
        Ok(Assessment::of(prepared.verdict.effect, summary))
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<RemoteCmd, ToolError> {
        let prepared = self.prepare(&arguments)?;
        let changes = prepared.verdict.effect != Effect::Read;
        let _change = changes.then(|| self.0.changes.begin());
        let timeout = outcome::time_limit(arguments.timeout, call)?;
        let command_executed = command::quoted(&prepared.argv);
        let order = Order::new(prepared.argv);
        let running = self.0.ssh.run(prepared.pinned, order, timeout);
        let finished = outcome::watched(call, timeout, running).await?;
        let about = About {
            command: &command_executed,
            host: &arguments.target_host,
            read_only: prepared.verdict.effect == Effect::Read,
        };
        Ok(RemoteCmd {
            cmd: Cmd::of(&finished, about, call)?,
            command_executed,
        })
    }
}
