//! `os.linux.runCommand`: one program with its arguments, judged by the command policy.

use crate::closed;
use crate::host::Host;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use shared::command::{self, Refusal, Scene, Verdict, listed, shown};
use shared::exec::Run;
use shared::outcome::{self, About, Cmd};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest name of a session.
const MAX_SESSION: usize = 128;

/// The tool.
pub(crate) struct RunCommand(pub(crate) Arc<Host>);

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Program and arguments in one line, with quotes as in a shell. There is no shell: no pipes, no
    /// redirection, no expansion.
    command: String,
    /// Further arguments, taken as they are.
    #[serde(default)]
    args: Vec<String>,
    /// Remembers the working directory of reading calls for 24 hours.
    session_id: Option<String>,
    /// Working directory, absolute. Default: that of the session, else the first writable folder.
    cwd: Option<String>,
    /// Seconds after which it is stopped with everything it started.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 300))]
    timeout: u64,
    /// False means: refuse a command that needs approval, do not open a request.
    #[serde(default = "yes")]
    #[expect(
        dead_code,
        reason = "read by the gates that open approval requests, which come before"
    )]
    requires_approval: bool,
}

const fn default_timeout() -> u64 {
    60
}

const fn yes() -> bool {
    true
}

/// A command that may be run.
struct Prepared {
    argv: Vec<String>,
    directory: PathBuf,
    verdict: Verdict,
}

impl RunCommand {
    fn prepare(&self, arguments: &Arguments, call: &Call) -> Result<Prepared, ToolError> {
        let host = &self.0;
        host.check_system()?;
        let mut argv = command::split(&arguments.command)
            .map_err(|error| ToolError::from(Refusal::Words(error)))?;
        argv.extend(arguments.args.iter().cloned());
        let (directory, remembered) = self.directory(arguments, call)?;
        let read = &host.files.rules().read;
        let scene = Scene::Here {
            read,
            directory: &directory,
        };
        let mut verdict = host.policy.judge(&argv, &scene)?;
        if arguments.cwd.is_some() && !read.hold(".", &directory) && verdict.reason.is_empty() {
            verdict.effect = Effect::Mutate;
            verdict.reason = "its working directory is not under ALLOWED_READ_PATHS".into();
        }
        if let Some(name) = &verdict.remote_host {
            host.ssh.check(name)?;
            argv = closed::with_closed_options(&host.ssh, argv)?;
        }
        // What a person approves is the arguments, so they must say where it runs.
        if remembered && verdict.effect != Effect::Read {
            return Err(ToolError::invalid(
                "cwd",
                "name the working directory; only reading calls use the one of the session",
            ));
        }
        Ok(Prepared {
            argv,
            directory,
            verdict,
        })
    }

    /// Where it runs, and whether the session says so.
    fn directory(&self, arguments: &Arguments, call: &Call) -> Result<(PathBuf, bool), ToolError> {
        let host = &self.0;
        if let Some(id) = &arguments.session_id
            && (id.is_empty() || id.len() > MAX_SESSION)
        {
            return Err(ToolError::invalid("session_id", "1 to 128 bytes"));
        }
        if let Some(cwd) = &arguments.cwd {
            let directory = Path::new(cwd).canonicalize();
            return match directory {
                Ok(directory) if Path::new(cwd).is_absolute() && directory.is_dir() => {
                    Ok((directory, false))
                }
                _ => Err(ToolError::invalid("cwd", "there is no such directory")),
            };
        }
        let session = arguments.session_id.as_ref();
        let now = host.clock.now();
        match session.and_then(|id| host.sessions.recall(&call.principal, id, now)) {
            Some(directory) => Ok((directory, true)),
            None => Ok((host.default_directory(), false)),
        }
    }
}

#[async_trait]
impl TypedTool for RunCommand {
    type Arguments = Arguments;
    type Output = Cmd;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.linux.runCommand",
            Effect::Mutate,
            "Run one program on this Linux host and get its output and exit code. Only programs in \
             ALLOWED_COMMANDS; there is no shell. A call that is known to only read (ls, cat, grep, \
             ps, df, stat, head, tail, find and the like on allowed paths) runs at once, any other \
             needs a person's approval. Programs that want a terminal are refused.",
        )
        .per_call()
        .live()
        .long_running()
        .aliases(&["os.linux.cli.runCommand", "linux.runLocalCommand"])
    }

    async fn assess(&self, arguments: &Arguments, call: &Call) -> Result<Assessment, ToolError> {
        let prepared = self.prepare(arguments, call)?;
        let mut summary = format!(
            "Run on {} in {}, for at most {} s:\n{}",
            shown(&self.0.name()),
            shown(&prepared.directory.to_string_lossy()),
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
        let prepared = self.prepare(&arguments, call)?;
        let read_only = prepared.verdict.effect == Effect::Read;
        let _change = (!read_only).then(|| self.0.changes.begin());
        let (program, rest) = prepared
            .argv
            .split_first()
            .ok_or_else(|| ToolError::invalid("command", "there is no command"))?;
        let timeout = outcome::time_limit(arguments.timeout, call)?;
        let run = Run::new(program, rest.iter().cloned())
            .timeout(timeout)
            .directory(&prepared.directory);
        let finished = outcome::watched(call, timeout, self.0.executor.run(run)).await?;
        if let Some(id) = &arguments.session_id {
            let now = self.0.clock.now();
            let directory = &prepared.directory;
            self.0
                .sessions
                .remember(&call.principal, id, directory, now);
        }
        let about = About {
            command: &command::quoted(&prepared.argv),
            host: &self.0.name(),
            read_only,
        };
        Cmd::of(&finished, about, call)
    }
}
