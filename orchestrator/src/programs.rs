//! Programs that callers run on the hub's own machine: those of the list `WAYGATE_STDIO_ALLOW`, by
//! bare name, under the command policy, either to their end or as processes that are talked to.
//!
//! Who may run them and who has to agree is the gateway's matter. MCP servers that are programs are
//! `upstream::mcp`'s.

mod process;

pub use process::{Process, Sent, View};

use parking_lot::Mutex;
use shared::clock::SharedClock;
use shared::command::{Policy, Refusal, Scene, Verdict};
use shared::exec::{ExecError, Executor, Finished, Run};
use shared::files::Roots;
use shared::tasks::Tasks;
use shared::tool::Effect;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Processes of the hub.
const MAX_PROCESSES: usize = 64;
/// Processes of one principal.
const MAX_OWN: usize = 8;
/// How long an ended process can be looked at.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Variables that would change how a program is loaded.
const LOADER: [&str; 3] = ["LD_", "DYLD_", "GLIBC_TUNABLES"];
const LISTED_IN: &str = "WAYGATE_STDIO_ALLOW";

/// What is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Bare name.
    pub program: String,
    /// What follows it.
    pub arguments: Vec<String>,
    /// Variables besides the usual ones.
    pub environment: Vec<(String, String)>,
    /// Working directory, absolute; `None` means `/`.
    pub directory: Option<PathBuf>,
}

/// Whose a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Id of the principal.
    pub principal: Arc<str>,
    /// Its organisation.
    pub organization: Arc<str>,
}

/// Why a program is not run, or a process not reached.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// No program may be run here.
    #[error("no program may be run: WAYGATE_STDIO_ALLOW is empty")]
    Nothing,
    /// This one may not be run this way.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A variable may not be set, or has no such form.
    #[error("env: {0:?} cannot be set")]
    Variable(String),
    /// The directory is no absolute path.
    #[error("dir: must be an absolute path")]
    Directory,
    /// It could not be run.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// As many processes as there may be.
    #[error("there are too many processes")]
    TooMany,
    /// No such process, or another principal's.
    #[error("there is no such process of yours")]
    Unknown,
    /// It has ended.
    #[error("the process has ended")]
    Ended,
}

/// The programs of one hub; share it in an `Arc`.
pub struct Programs {
    policy: Policy,
    executor: Option<Executor>,
    clock: SharedClock,
    tasks: Tasks,
    processes: Mutex<HashMap<String, Arc<Process>>>,
}

impl Programs {
    /// The bare names among `allowed`. Those the command policy never runs are left out, with a word
    /// in the log. `executor` is `None` where the walls for programs are missing.
    ///
    /// # Errors
    /// When the rules of this build cannot be read.
    pub fn new(
        allowed: &[String],
        executor: Option<Executor>,
        clock: SharedClock,
        tasks: Tasks,
    ) -> Result<Arc<Self>, shared::command::RulesError> {
        let bare = allowed.iter().filter(|name| !name.contains('/'));
        let mut names = Vec::new();
        for name in bare {
            match Policy::new([name.as_str()]) {
                Ok(_) => names.push(name.clone()),
                Err(error) => tracing::warn!(event = "program_left_out", program = %name, %error,
                    "a program is for registered servers only"),
            }
        }
        Ok(Arc::new(Self {
            policy: Policy::new(names)?,
            executor,
            clock,
            tasks,
            processes: Mutex::default(),
        }))
    }

    /// Whether any program may be run.
    #[must_use]
    pub fn any(&self) -> bool {
        self.executor.is_some() && self.policy.allowed().next().is_some()
    }

    /// Whether a command may be run, and what it would change. What is given variables or a directory
    /// is not known to only read.
    ///
    /// # Errors
    /// [`ProgramError`]; nothing was started.
    pub fn judge(&self, command: &Command) -> Result<Verdict, ProgramError> {
        if !self.any() {
            return Err(ProgramError::Nothing);
        }
        for (name, value) in &command.environment {
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let loader = LOADER.iter().any(|prefix| name.starts_with(prefix));
            if loader || name.is_empty() || !name.chars().all(word) || value.contains('\0') {
                return Err(ProgramError::Variable(name.clone()));
            }
        }
        let directory = command.directory.as_deref().unwrap_or(Path::new("/"));
        if !directory.is_absolute() {
            return Err(ProgramError::Directory);
        }
        let read = Roots::new(Vec::<PathBuf>::new(), LISTED_IN);
        let scene = Scene::Here {
            read: &read,
            directory,
        };
        let argv: Vec<String> = std::iter::once(&command.program)
            .chain(&command.arguments)
            .cloned()
            .collect();
        let mut verdict = self.policy.judge(&argv, &scene)?;
        if !command.environment.is_empty() || command.directory.is_some() {
            verdict.effect = Effect::Mutate;
            if verdict.reason.is_empty() {
                "it is given variables or a directory".clone_into(&mut verdict.reason);
            }
        }
        Ok(verdict)
    }

    /// Runs a command to its end; dropping the future ends it.
    ///
    /// # Errors
    /// [`ProgramError`]; a program that ran and failed is not an error.
    pub async fn run(
        &self,
        command: &Command,
        timeout: Duration,
    ) -> Result<Finished, ProgramError> {
        self.judge(command)?;
        let executor = self.executor.as_ref().ok_or(ProgramError::Nothing)?;
        Ok(executor.run(run_of(command).timeout(timeout)).await?)
    }

    /// Starts a process that stays.
    ///
    /// # Errors
    /// [`ProgramError`]; nothing was started.
    pub fn start(&self, owner: Owner, command: Command) -> Result<Arc<Process>, ProgramError> {
        self.judge(&command)?;
        let executor = self.executor.as_ref().ok_or(ProgramError::Nothing)?;
        let mut processes = self.processes.lock();
        processes.retain(|_, process| !process.ended_for(REMEMBERED));
        let own = processes.values().filter(|it| it.owner == owner);
        if processes.len() >= MAX_PROCESSES || own.count() >= MAX_OWN {
            return Err(ProgramError::TooMany);
        }
        let served = executor.serve(&run_of(&command))?;
        let process = Process::new(owner, command, served, self.clock.now(), &self.tasks);
        processes.insert(process.id.clone(), Arc::clone(&process));
        Ok(process)
    }

    /// One process of its owner.
    ///
    /// # Errors
    /// [`ProgramError::Unknown`].
    pub fn find(&self, owner: &Owner, id: &str) -> Result<Arc<Process>, ProgramError> {
        let found = self.processes.lock().get(id).cloned();
        found
            .filter(|process| process.owner == *owner)
            .ok_or(ProgramError::Unknown)
    }

    /// The processes of their owner, oldest first.
    #[must_use]
    pub fn of(&self, owner: &Owner) -> Vec<Arc<Process>> {
        let mut own: Vec<_> = self.processes.lock().values().cloned().collect();
        own.retain(|process| process.owner == *owner);
        own.sort_by_key(|process| process.started_at);
        own
    }
}

fn run_of(command: &Command) -> Run {
    let mut run = Run::new(command.program.clone(), command.arguments.clone());
    run.directory.clone_from(&command.directory);
    run.environment.clone_from(&command.environment);
    run
}

#[cfg(test)]
mod tests;
