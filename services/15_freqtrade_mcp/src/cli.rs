//! The freqtrade program: where it is, and what a run of it gives back.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use shared::command::quoted;
use shared::error::Code;
use shared::exec::{Ended, Executor, Limits, Program, Run, time_limit};
use shared::spoke::{Health, HealthCheck};
use shared::tool::{Call, ToolError};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

const INSTALL: &str = "FREQTRADE_PATH to the installed freqtrade program";
/// Runs at the same time.
const AT_ONCE: usize = 2;
/// Bytes kept of each stream.
const MAX_OUTPUT: usize = 512 * 1024;

/// The installed program.
#[derive(Debug)]
pub(crate) struct Cli {
    executor: Executor,
    program: String,
    user_dir: Option<PathBuf>,
    slots: Semaphore,
}

/// The result of a command.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Cmd {
    /// Standard output; what is not UTF-8 is replaced.
    pub(crate) stdout: String,
    /// Standard error, where freqtrade logs.
    pub(crate) stderr: String,
    /// Exit code; 128 + number for a signal.
    pub(crate) exit_code: i32,
    /// From start to end.
    pub(crate) duration_ms: u64,
    /// Whether output was dropped at 512 KiB.
    pub(crate) truncated: bool,
    /// Where it ran: always `local`.
    pub(crate) host: &'static str,
    /// Whether it only reads.
    pub(crate) read_only: bool,
}

/// What a command does to its surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only tells something.
    Info,
    /// It computes, downloads or writes files.
    Work,
}

impl Cli {
    /// Looks for nothing yet.
    pub(crate) fn new(executor: Executor, program: &Program, user_dir: PathBuf) -> Self {
        let user_dir = Some(user_dir).filter(|path| !path.as_os_str().is_empty());
        Self {
            executor,
            program: program.name.clone(),
            user_dir,
            slots: Semaphore::new(AT_ONCE),
        }
    }

    /// The setting that is missing.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        self.executor
            .find(&self.program)
            .err()
            .map(|_absent| INSTALL)
    }

    /// Runs it with the user folder where the command takes one. Every line is reported as progress.
    ///
    /// # Errors
    /// `NOT_CONFIGURED`; `TIMEOUT` with what it wrote until then. One that fails is no error.
    pub(crate) async fn run(
        &self,
        words: &[String],
        kind: Kind,
        call: &Call,
    ) -> Result<Cmd, ToolError> {
        if let Some(setting) = self.missing() {
            return Err(ToolError::not_configured(setting));
        }
        let waited = tokio::time::timeout(call.remaining(), self.slots.acquire()).await;
        let Ok(Ok(_place)) = waited else {
            let busy = ToolError::refused(Code::ServiceUnavailable, "freqtrade is busy");
            return Err(busy.retryable());
        };
        let words = self.placed(words);
        let mut run = Run::new(&self.program, &words)
            .timeout(time_limit(300, call)?)
            .reporting(&call.progress);
        run.output_limit = MAX_OUTPUT;
        run.limits = Limits {
            memory_bytes: None,
            file_bytes: 1 << 30,
            open_files: 1024,
            ..Limits::default()
        };
        run.directory = self.user_dir.clone().filter(|path| path.is_dir());
        let finished = self.executor.run(run).await?;
        tracing::info!(
            event = "freqtrade.run",
            principal = call.principal,
            command = quoted(&words),
            exit_code = finished.exit_code(),
            "freqtrade was run"
        );
        let cmd = Cmd {
            stdout: finished.stdout.plain(),
            stderr: finished.stderr.plain(),
            exit_code: finished.exit_code(),
            duration_ms: u64::try_from(finished.duration.as_millis()).unwrap_or(u64::MAX),
            truncated: finished.stdout.truncated() || finished.stderr.truncated(),
            host: "local",
            read_only: kind == Kind::Info,
        };
        match finished.ended {
            Ended::Exited(_) | Ended::Signalled(_) => Ok(cmd),
            Ended::TimedOut => Err(cmd.failed(Code::Timeout, "freqtrade did not end in time")),
            Ended::Stopped => Err(cmd.failed(Code::ServiceUnavailable, "freqtrade was stopped")),
        }
    }

    /// The words with the user folder behind the command.
    fn placed(&self, words: &[String]) -> Vec<String> {
        let mut all = words.to_vec();
        let command = words.first().is_some_and(|word| !word.starts_with('-'));
        let takes_it = command && words.first().is_none_or(|word| word != "list-exchanges");
        if let Some(folder) = self.user_dir.as_ref().filter(|_| takes_it) {
            all.extend(["--userdir".to_owned(), folder.display().to_string()]);
        }
        all
    }
}

impl Cmd {
    fn failed(self, code: Code, message: &str) -> ToolError {
        let details = serde_json::json!({"stdout": self.stdout, "stderr": self.stderr});
        ToolError::new(code, message).with_details(details)
    }
}

/// Whether the program is installed; nobody is asked.
pub(crate) struct CliCheck(pub(crate) Arc<Cli>);

#[async_trait]
impl HealthCheck for CliCheck {
    fn name(&self) -> &str {
        "cli"
    }

    async fn check(&self) -> Health {
        match self.0.missing() {
            None => Health::Healthy,
            Some(setting) => Health::Degraded(format!("not configured: set {setting}")),
        }
    }
}
