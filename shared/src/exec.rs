//! Running a program: an argument vector, never a shell.
//!
//! Every run gets a cleared environment, closed stdin (or the bytes it is given), a session of its
//! own, `no_new_privs`, resource limits, a time limit, and both outputs read at once up to a limit.
//! When it ends, for whatever reason, nothing it started is left: see `family`.
//!
//! The walls are set by two programs of util-linux put in front of the argument vector, `setpriv` and
//! `prlimit`, because doing it between fork and exec takes `unsafe` code, which this workspace does
//! not have. Both replace themselves by the next program, so the process that was started is the
//! program in the end. Where one of them is missing nothing is run.
//!
//! Not here: which programs may be run with which arguments ([`crate::command`]); Landlock, seccomp.

mod capture;
mod family;
mod path;
mod program;
mod request;
mod serve;
mod supervise;

pub use path::SearchPath;
pub use program::{Program, time_limit};
pub use request::{Limits, Run};
pub use serve::{Served, ServedHandle};

use crate::error::Code;
use crate::tasks::Tasks;
use crate::tool::ToolError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Shortest time limit of a run.
pub const MIN_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest time limit of a run.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(300);
/// Output kept of each stream unless the run says otherwise, in bytes.
pub const OUTPUT_LIMIT: usize = 1024 * 1024;

/// Runs programs found on one search path. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Executor {
    path: Arc<SearchPath>,
    walls: Arc<Walls>,
    tasks: Tasks,
}

/// The programs that set the limits.
#[derive(Debug)]
struct Walls {
    setpriv: PathBuf,
    prlimit: PathBuf,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code (0–255).
    Exited(i32),
    /// By this signal.
    Signalled(i32),
    /// Stopped at its time limit.
    TimedOut,
    /// Stopped because the process is shutting down.
    Stopped,
}

/// What a run left behind.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How it ended.
    pub ended: Ended,
    /// Standard output.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
    /// From start to the end of the last process.
    pub duration: Duration,
    /// Processes that could not be ended; 0 unless the kernel holds one back.
    pub survivors: usize,
}

impl Finished {
    /// The exit code as a shell would say it: 128 + signal for a signal, 124 for a time limit.
    #[must_use]
    pub const fn exit_code(&self) -> i32 {
        match self.ended {
            Ended::Exited(code) => code,
            Ended::Signalled(signal) => 128 + signal,
            Ended::TimedOut => 124,
            Ended::Stopped => 143,
        }
    }

    /// Whether it exited with 0.
    #[must_use]
    pub const fn succeeded(&self) -> bool {
        matches!(self.ended, Ended::Exited(0))
    }
}

/// One output stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// The first bytes up to the limit, as they came.
    pub bytes: Vec<u8>,
    /// Bytes the program wrote in all.
    pub total: u64,
}

impl Captured {
    /// Whether bytes were dropped at the limit.
    #[must_use]
    pub fn truncated(&self) -> bool {
        u64::try_from(self.bytes.len()).is_ok_and(|kept| kept < self.total)
    }

    /// The bytes as text; what is not UTF-8 becomes U+FFFD, a character cut at the limit is left out.
    #[must_use]
    pub fn text(&self) -> String {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => text.to_owned(),
            Err(error) if self.truncated() && error.error_len().is_none() => {
                let whole = self.bytes.get(..error.valid_up_to()).unwrap_or_default();
                String::from_utf8_lossy(whole).into_owned()
            }
            Err(_) => String::from_utf8_lossy(&self.bytes).into_owned(),
        }
    }

    /// The text without control characters but ends of lines and tabs, such as colours.
    #[must_use]
    pub fn plain(&self) -> String {
        let mut plain = String::new();
        let text = self.text();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c {
                // A sequence of a terminal ends at its first letter.
                '\u{1b}' => drop(rest.find(char::is_ascii_alphabetic)),
                '\n' | '\t' => plain.push(c),
                c if c.is_control() => {}
                c => plain.push(c),
            }
        }
        plain
    }
}

/// Why a program was not run. Nothing was started, except for [`ExecError::Lost`].
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The name has a slash, is empty, or starts with a dash.
    #[error("{0:?} is not the name of a program")]
    Name(String),
    /// Not on the search path, or not in a place only root can write.
    #[error("program {0} is not installed")]
    NotFound(String),
    /// Too many or too long arguments, or a NUL.
    #[error("arguments: {0}")]
    Arguments(&'static str),
    /// Outside 1–300 s.
    #[error("timeout must be 1 to 300 s")]
    Timeout,
    /// The working directory cannot be used.
    #[error("the working directory cannot be used")]
    Directory(#[source] std::io::Error),
    /// `setpriv` or `prlimit` is missing.
    #[error("program {0} of util-linux is missing, so limits cannot be set")]
    Walls(&'static str),
    /// The operating system refused to start it.
    #[error("the program could not be started")]
    Spawn(#[source] std::io::Error),
    /// The task that watched over the run ended early.
    #[error("the run was lost")]
    Lost(#[source] tokio::task::JoinError),
}

impl From<ExecError> for ToolError {
    fn from(error: ExecError) -> Self {
        let code = match &error {
            ExecError::Name(_) | ExecError::Arguments(_) | ExecError::Timeout => Code::InvalidInput,
            ExecError::NotFound(_) | ExecError::Walls(_) => Code::NotConfigured,
            ExecError::Directory(_) => Code::NotFound,
            ExecError::Spawn(_) | ExecError::Lost(_) => Code::InternalError,
        };
        if code == Code::InternalError {
            tracing::error!(event = "exec_failed", error = ?error, "a program could not be run");
        }
        let mut failure = Self::refused(code, error.to_string());
        failure.did_not_run = !matches!(error, ExecError::Lost(_));
        failure
    }
}

impl Executor {
    /// An executor over `path`; its runs stop when `tasks` are asked to.
    ///
    /// # Errors
    /// [`ExecError::Walls`] when the programs that set the limits are missing.
    pub fn new(path: SearchPath, tasks: Tasks) -> Result<Self, ExecError> {
        let system = SearchPath::system();
        let wall = |name| system.find(name).map_err(|_absent| ExecError::Walls(name));
        let walls = Arc::new(Walls {
            setpriv: wall("setpriv")?,
            prlimit: wall("prlimit")?,
        });
        Ok(Self {
            path: Arc::new(path),
            walls,
            tasks,
        })
    }

    /// Where a program is.
    ///
    /// # Errors
    /// [`ExecError::Name`], [`ExecError::NotFound`].
    pub fn find(&self, program: &str) -> Result<PathBuf, ExecError> {
        self.path.find(program)
    }

    /// The first of `programs` that is installed.
    #[must_use]
    pub fn first_installed<'a>(&self, programs: &[&'a str]) -> Option<&'a str> {
        let installed = |program: &&str| self.find(program).is_ok();
        programs.iter().copied().find(installed)
    }

    /// Runs a program to its end. Dropping the future stops it, and everything it started, in the
    /// background.
    ///
    /// # Errors
    /// [`ExecError`]; a program that ran and failed is not an error.
    pub async fn run(&self, run: Run) -> Result<Finished, ExecError> {
        run.check()?;
        let program = self.path.find(&run.program)?;
        if let Some(directory) = &run.directory {
            check_directory(directory)?;
        }
        let given_up = CancellationToken::new();
        let guard = given_up.clone().drop_guard();
        let job = supervise::Job {
            argv: self.argv(&program, &run),
            path: self.path.joined(),
            run,
            given_up,
            stopping: self.tasks.token(),
        };
        let supervised = self.tasks.spawn("exec", supervise::supervise(job));
        let finished = supervised.await.map_err(ExecError::Lost)?;
        guard.disarm();
        finished
    }

    /// The walls, then the program. The limit that marks the family is added when it is known.
    fn argv(&self, program: &Path, run: &Run) -> Argv {
        Argv {
            setpriv: self.walls.setpriv.clone(),
            prlimit: self.walls.prlimit.clone(),
            program: program.to_owned(),
            limits: run.limits.arguments(run.timeout),
        }
    }
}

/// The parts of the argument vector before the program's own arguments.
#[derive(Debug)]
struct Argv {
    setpriv: PathBuf,
    prlimit: PathBuf,
    program: PathBuf,
    limits: Vec<String>,
}

fn check_directory(directory: &Path) -> Result<(), ExecError> {
    let metadata = std::fs::metadata(directory).map_err(ExecError::Directory)?;
    if metadata.is_dir() {
        Ok(())
    } else {
        let error = std::io::Error::from(std::io::ErrorKind::NotADirectory);
        Err(ExecError::Directory(error))
    }
}

#[cfg(test)]
mod tests;
