//! What to run, and within which limits.

use super::{ExecError, MAX_TIMEOUT, MIN_TIMEOUT, OUTPUT_LIMIT};
use crate::tool::Progress;
use rustix::process::{Resource, getrlimit};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

const MAX_ARGUMENTS: usize = 256;
const MAX_ARGUMENT: usize = 128 * 1024 - 1;
const MAX_BYTES: usize = 1024 * 1024;

/// One run of a program.
#[derive(Clone)]
pub struct Run {
    /// Bare name, looked up on the executor's search path.
    pub program: String,
    /// What follows the name, as it is.
    pub arguments: Vec<String>,
    /// Working directory; `None` means `/`.
    pub directory: Option<PathBuf>,
    /// Bytes for standard input, which is closed after them; empty means closed at once.
    pub input: Vec<u8>,
    /// 1–300 s.
    pub timeout: Duration,
    /// Bytes kept of each output stream; the rest is read and dropped.
    pub output_limit: usize,
    /// Resource limits.
    pub limits: Limits,
    /// Variables besides `PATH`, `HOME`, `LANG` and `TERM`, and in their place where the name is the
    /// same. Values may be secrets: they are not shown by `Debug`.
    pub environment: Vec<(String, String)>,
    /// Gets each line of both outputs as it is written.
    pub progress: Progress,
}

impl Run {
    /// A run of 60 s with the usual limits.
    #[must_use]
    pub fn new<A: Into<String>>(
        program: impl Into<String>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            directory: None,
            input: Vec::new(),
            timeout: Duration::from_secs(60),
            output_limit: OUTPUT_LIMIT,
            limits: Limits::default(),
            environment: Vec::new(),
            progress: Progress::ignored(),
        }
    }

    /// Sets the time limit.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets who is told each line while it runs.
    #[must_use]
    pub fn reporting(mut self, progress: &Progress) -> Self {
        self.progress = progress.clone();
        self
    }

    /// Refuses what the operating system would, before anything is started.
    pub(super) fn check(&self) -> Result<(), ExecError> {
        if !(MIN_TIMEOUT..=MAX_TIMEOUT).contains(&self.timeout) {
            return Err(ExecError::Timeout);
        }
        if self.arguments.len() > MAX_ARGUMENTS {
            return Err(ExecError::Arguments("more than 256"));
        }
        let words = || self.arguments.iter().chain([&self.program]);
        if words().any(|word| word.contains('\0')) {
            return Err(ExecError::Arguments("one holds a NUL"));
        }
        if words().any(|word| word.len() > MAX_ARGUMENT) {
            return Err(ExecError::Arguments("one is longer than 128 KiB"));
        }
        if words().map(String::len).sum::<usize>() > MAX_BYTES {
            return Err(ExecError::Arguments("longer than 1 MiB together"));
        }
        Ok(())
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.environment.iter().map(|(name, _)| name).collect();
        f.debug_struct("Run")
            .field("program", &self.program)
            .field("arguments", &self.arguments)
            .field("directory", &self.directory)
            .field("input_bytes", &self.input.len())
            .field("timeout", &self.timeout)
            .field("environment", &names)
            .finish_non_exhaustive()
    }
}

/// Resource limits of every process of a run. CPU time is the time limit and one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Address space of a process in bytes; `None` for runtimes that reserve more than they use.
    pub memory_bytes: Option<u64>,
    /// Largest file that may be written, in bytes.
    pub file_bytes: u64,
    /// Open files of a process.
    pub open_files: u32,
    /// Processes and threads of the user the spoke runs as, its own included; root is not held to it.
    pub processes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: Some(1 << 30),
            file_bytes: 64 << 20,
            open_files: 256,
            processes: 1024,
        }
    }
}

impl Limits {
    /// As arguments of `prlimit`; never above the limits of this process, which it could not raise.
    pub(super) fn arguments(&self, timeout: Duration) -> Vec<String> {
        let argument = |name: &str, resource, wanted: u64| {
            let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
            format!("--{name}={}", wanted.min(most))
        };
        let seconds = timeout.as_secs().saturating_add(1);
        let mut arguments = vec![
            "--core=0".to_owned(),
            argument("cpu", Resource::Cpu, seconds),
            argument("fsize", Resource::Fsize, self.file_bytes),
            argument("nofile", Resource::Nofile, self.open_files.into()),
            argument("nproc", Resource::Nproc, self.processes.into()),
        ];
        let memory = self.memory_bytes;
        arguments.extend(memory.map(|bytes| argument("as", Resource::As, bytes)));
        arguments
    }
}
