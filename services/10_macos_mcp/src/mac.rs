//! What all tools share: the Macs that may be reached and the rules for what is done there.

use crate::config::Config;
use shared::clock::SharedClock;
use shared::command::{Policy, shown};
use shared::error::Code;
use shared::exec::Finished;
use shared::files::{Roots, Rules};
use shared::outcome::{self, About, Cmd};
use shared::spoke::{BuildError, BuildInput};
use shared::tasks::Tasks;
use shared::tool::{Call, ToolError};
use ssh::{Hosts, Order, Pinned, System};
use std::sync::Arc;
use std::time::Duration;

/// For what this spoke itself asks a Mac.
const PATIENCE: Duration = Duration::from_secs(25);
/// Output of a program this spoke chose, in bytes: a Mac with many applications has a lot to say.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// The shared parts; tools hold it behind an `Arc`.
#[derive(Debug)]
pub(crate) struct Mac {
    pub(crate) policy: Policy,
    pub(crate) rules: Rules,
    pub(crate) clock: SharedClock,
    pub(crate) tasks: Tasks,
    pub(crate) hosts: Hosts,
    port: u16,
    listed: bool,
}

impl Mac {
    /// # Errors
    /// [`BuildError`] when a setting cannot be used.
    pub(crate) fn build(input: &BuildInput) -> Result<Self, BuildError> {
        let config: Config = input.config()?;
        let policy = Policy::new(config.commands.allowed.iter().cloned())
            .map_err(|error| BuildError::setup("ALLOWED_COMMANDS", error))?;
        Ok(Self {
            policy,
            rules: Rules {
                read: Roots::parse(&config.files.read_paths, "ALLOWED_READ_PATHS"),
                write: Roots::parse(&config.files.write_paths, "ALLOWED_WRITE_PATHS"),
                max_bytes: config.files.max_bytes,
                types: config.files.allowed_types,
            },
            clock: Arc::clone(&input.kit.clock),
            tasks: input.kit.tasks.clone(),
            hosts: Hosts::new(&config.ssh, System::MacOs, "host", &input.kit),
            port: config.server.port,
            listed: !config.ssh.hosts.is_empty(),
        })
    }

    /// The Mac of a call, its host key known.
    pub(crate) fn target(&self, host: Option<&str>) -> Result<Pinned, ToolError> {
        let host = self.hosts.choose(host)?;
        self.hosts.pin(host, self.port, None)
    }

    /// Runs a program for a caller and records it.
    pub(crate) async fn run(
        &self,
        pinned: Pinned,
        (order, seconds): (Order, u64),
        about: About<'_>,
        call: &Call,
    ) -> Result<Cmd, ToolError> {
        let timeout = outcome::time_limit(seconds, call)?;
        let running = self.hosts.run(pinned, order, timeout);
        let finished = outcome::watched(call, timeout, running).await?;
        Cmd::of(&finished, about, call)
    }

    /// Runs a program this spoke chose, within the time of the call.
    pub(crate) async fn ask<const N: usize>(
        &self,
        pinned: Pinned,
        words: [&str; N],
        call: &Call,
    ) -> Result<Finished, ToolError> {
        let order = Order::new(words).keeping(MAX_ANSWER);
        self.hosts.run(pinned, order, patience(call)).await
    }

    /// What is missing before a Mac can be reached.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        if self.listed {
            self.hosts.missing()
        } else {
            Some("SSH_HOSTS")
        }
    }
}

/// The output of a program that has to succeed.
pub(crate) fn output(program: &str, finished: &Finished) -> Result<String, ToolError> {
    if finished.succeeded() && !finished.stdout.truncated() {
        return Ok(finished.stdout.text());
    }
    if finished.ended == shared::exec::Ended::TimedOut {
        let message = format!("{program} did not end in time");
        return Err(ToolError::new(Code::Timeout, message).retryable());
    }
    let said = finished.stderr.text();
    let said = shown(said.lines().next().unwrap_or_default());
    let code = finished.exit_code();
    Err(ToolError::new(
        Code::BadGateway,
        format!("{program} failed with exit code {code}: {said}"),
    ))
}

/// How long what this spoke itself asks may take.
pub(crate) fn patience(call: &Call) -> Duration {
    PATIENCE.min(call.remaining())
}

/// Where and as whom, for the person who approves.
pub(crate) fn place(pinned: &Pinned) -> String {
    let target = &pinned.target;
    format!(
        "{} port {} as {} (host key {})",
        shown(&target.host),
        target.port,
        shown(&target.user),
        pinned.fingerprints(),
    )
}
