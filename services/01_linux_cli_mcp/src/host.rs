//! What all tools share: the rules of this host and the means to act on it.

use crate::config::{self, Config};
use crate::sessions::Sessions;
use shared::clock::SharedClock;
use shared::command::Policy;
use shared::error::Code;
use shared::exec::{Executor, Finished, Run, SearchPath};
use shared::files::{Files, FilesError, Roots, Rules};
use shared::spoke::{BuildError, BuildInput};
use shared::tool::ToolError;
use ssh::{Hosts, System};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The shared parts; tools hold it behind an `Arc`.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) config: Config,
    pub(crate) policy: Policy,
    pub(crate) files: Files,
    pub(crate) executor: Executor,
    pub(crate) ssh: Hosts,
    pub(crate) sessions: Sessions,
    pub(crate) clock: SharedClock,
    /// Changes being made on this host, for the readiness of a reboot.
    pub(crate) changes: Changes,
}

impl Host {
    /// # Errors
    /// [`BuildError`] when a setting cannot be used.
    pub(crate) fn build(input: &BuildInput) -> Result<Self, BuildError> {
        let config: Config = input.config()?;
        let kit = &input.kit;
        let roots =
            |list: &str, setting| Roots::parse(&config::folders(list, &kit.environment), setting);
        let rules = Rules {
            read: roots(&config.files.read_paths, "ALLOWED_READ_PATHS"),
            write: roots(&config.files.write_paths, "ALLOWED_WRITE_PATHS"),
            max_bytes: config.files.max_bytes,
            types: config.files.allowed_types.clone(),
        };
        let policy = Policy::new(config.commands.allowed.iter().cloned())
            .map_err(|error| BuildError::setup("ALLOWED_COMMANDS", error))?;
        let path = SearchPath::of(&config.commands.directories);
        let executor = Executor::new(path, kit.tasks.clone())
            .map_err(|error| BuildError::setup("the limits of programs", error))?;
        Ok(Self {
            policy,
            files: Files::new(rules),
            executor,
            ssh: Hosts::new(&config.ssh, System::Linux, "target_host", kit),
            sessions: Sessions::default(),
            clock: Arc::clone(&kit.clock),
            changes: Changes::default(),
            config,
        })
    }

    /// Name of this host, as the kernel has it.
    pub(crate) fn name(&self) -> String {
        rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned()
    }

    /// Refuses to act on anything but Linux.
    pub(crate) fn check_system(&self) -> Result<(), ToolError> {
        let kernel = rustix::system::uname()
            .sysname()
            .to_string_lossy()
            .into_owned();
        let wanted = self.config.system.platform.to_ascii_lowercase();
        if kernel == "Linux" && matches!(wanted.as_str(), "auto" | "linux") {
            return Ok(());
        }
        Err(ToolError::refused(
            Code::NotSupported,
            format!("this tool is for Linux; the host runs {kernel} and PLATFORM is {wanted}"),
        ))
    }

    /// Where a command runs when nobody says: the first folder that may be written, or the root.
    pub(crate) fn default_directory(&self) -> PathBuf {
        let folders = self.files.rules().write.directories();
        let found = folders.iter().find(|folder| folder.is_dir());
        found.cloned().unwrap_or_else(|| PathBuf::from("/"))
    }

    /// Runs a program whose arguments this spoke chose.
    pub(crate) async fn run(&self, run: Run) -> Result<Finished, ToolError> {
        self.check_system()?;
        Ok(self.executor.run(run).await?)
    }

    /// Runs a program that has to succeed; gives its output.
    pub(crate) async fn output(&self, run: Run) -> Result<String, ToolError> {
        let program = run.program.clone();
        let finished = self.run(run).await?;
        if finished.succeeded() {
            return Ok(finished.stdout.text());
        }
        let code = finished.exit_code();
        let said = finished.stderr.text();
        let said = shared::command::shown(said.lines().next().unwrap_or_default());
        Err(ToolError::new(
            Code::BadGateway,
            format!("{program} failed with exit code {code}: {said}"),
        ))
    }

    /// Does blocking work with files, away from the runtime's threads.
    pub(crate) async fn with_files<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Files) -> Result<T, FilesError> + Send + 'static,
    ) -> Result<T, ToolError> {
        self.check_system()?;
        let host = Arc::clone(self);
        match tokio::task::spawn_blocking(move || work(&host.files)).await {
            Ok(result) => Ok(result?),
            Err(error) => {
                tracing::error!(event = "file_task_lost", %error, "work with files was lost");
                Err(ToolError::new(
                    Code::InternalError,
                    "the work with files was lost",
                ))
            }
        }
    }
}

/// Names of users by number, from the user database of this host.
pub(crate) fn user_names() -> BTreeMap<u32, String> {
    // Without it the numbers speak for themselves.
    let database = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let entry = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        Some((fields.nth(1)?.parse().ok()?, name))
    };
    database.lines().filter_map(entry).collect()
}

/// Counts the changes in progress.
#[derive(Debug, Default)]
pub(crate) struct Changes(Arc<AtomicUsize>);

impl Changes {
    /// Counts one more until the guard is dropped.
    pub(crate) fn begin(&self) -> Change {
        self.0.fetch_add(1, Ordering::Relaxed);
        Change(Arc::clone(&self.0))
    }

    /// How many there are.
    pub(crate) fn in_progress(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A change in progress.
#[derive(Debug)]
pub(crate) struct Change(Arc<AtomicUsize>);

impl Drop for Change {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
