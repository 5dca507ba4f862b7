//! The aider program: what is asked of it, with which arguments, and what it says.
//!
//! It runs in a copy of the work tree, with an empty home, without settings of the repository, and may
//! neither commit nor run commands. What is written to it is a message, never a command of its own.

use crate::config::ModelName;
use crate::repository::{WorkTree, roomy};
use shared::error::Code;
use shared::exec::{Ended, Executor, Finished, Program, Run, time_limit};
use shared::secret::{Secret, SecretError, SecretProvider};
use shared::tool::{Call, ToolError};
use std::path::{Component, Path};
use tokio::sync::{Semaphore, SemaphorePermit};

const INSTALL: &str = "AIDER_PATH to the installed aider program";
const KEYS: &str = "OPENAI_API_KEY_SECRET_PATH or ANTHROPIC_API_KEY_SECRET_PATH";
/// Runs at the same time.
const AT_ONCE: usize = 2;
/// Bytes kept of each stream.
const MAX_OUTPUT: usize = 256 * 1024;
const MAX_FILES: usize = 100;
const MAX_PROMPT: usize = 100_000;

/// Options of every run. Each switches off something that asks, tells, fetches, commits or executes.
const ALWAYS: &[&str] = &[
    "--yes-always",
    "--no-auto-commits",
    "--no-dirty-commits",
    "--no-stream",
    "--no-pretty",
    "--no-fancy-input",
    "--no-gitignore",
    "--no-suggest-shell-commands",
    "--no-auto-lint",
    "--no-auto-test",
    "--no-detect-urls",
    "--no-check-update",
    "--no-show-model-warnings",
    "--no-show-release-notes",
    "--analytics-disable",
    "--disable-playwright",
];

/// The installed program and what it needs.
#[derive(Debug)]
pub(crate) struct Aider {
    executor: Executor,
    program: String,
    model: ModelName,
    base: Option<String>,
    openai: Option<Secret>,
    anthropic: Option<Secret>,
    slots: Semaphore,
}

/// What aider is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Change files.
    Code,
    /// Plan a change, and make it.
    Architect,
    /// Plan a change only.
    Plan,
    /// Answer.
    Ask,
}

/// One message to aider.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    /// What kind.
    pub(crate) mode: Mode,
    /// What is asked.
    pub(crate) message: &'a str,
    /// Files of the repository that are looked at.
    pub(crate) files: &'a [String],
    /// `None`: the model of the settings.
    pub(crate) model: Option<&'a str>,
    /// Longest run, in seconds.
    pub(crate) seconds: u64,
}

/// What aider said.
#[derive(Debug)]
pub(crate) struct Said {
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    /// Exit code; 128 + number for a signal.
    pub(crate) code: i32,
}

impl Said {
    /// Whether aider ended well; it does so, too, when the model's provider refused it.
    pub(crate) fn success(&self) -> bool {
        let refused = |line: &str| line.starts_with("litellm.") && line.contains("Error");
        self.code == 0 && !self.stdout.lines().any(refused)
    }
}

impl Order<'_> {
    /// # Errors
    /// [`Code::InvalidInput`] for what the schema cannot say.
    pub(crate) fn check(&self) -> Result<(), ToolError> {
        if self.message.trim().is_empty() || self.message.len() > MAX_PROMPT {
            let rule = "the text must have 1 to 100,000 bytes";
            return Err(ToolError::refused(Code::InvalidInput, rule));
        }
        if self.files.len() > MAX_FILES {
            return Err(ToolError::invalid("files", "at most 100"));
        }
        for file in self.files {
            check_file(file)?;
        }
        if let Some(model) = self.model {
            let name = ModelName::try_from(model.to_owned());
            name.map_err(|rule| ToolError::invalid("model", rule))?;
        }
        Ok(())
    }
}

impl Aider {
    /// Looks for nothing yet.
    ///
    /// # Errors
    /// [`SecretError`] when a key is set but cannot be read.
    pub(crate) fn new(
        executor: Executor,
        program: &Program,
        model: ModelName,
        base: Option<String>,
        secrets: &dyn SecretProvider,
    ) -> Result<Self, SecretError> {
        Ok(Self {
            executor,
            program: program.name.clone(),
            model,
            base,
            openai: secrets.get("OPENAI_API_KEY")?,
            anthropic: secrets.get("ANTHROPIC_API_KEY")?,
            slots: Semaphore::new(AT_ONCE),
        })
    }

    /// The setting that is missing; `None` when all are there.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        let keyed = self.openai.is_some() || self.anthropic.is_some() || self.base.is_some();
        match (self.executor.find(&self.program), keyed) {
            (Err(_absent), _) => Some(INSTALL),
            (Ok(_), false) => Some(KEYS),
            (Ok(_), true) => None,
        }
    }

    /// Waits for one of the places of a run.
    ///
    /// # Errors
    /// [`Code::NotConfigured`] when something is missing.
    pub(crate) async fn place(&self, call: &Call) -> Result<SemaphorePermit<'_>, ToolError> {
        if let Some(setting) = self.missing() {
            return Err(ToolError::not_configured(setting));
        }
        let waited = tokio::time::timeout(call.remaining(), self.slots.acquire()).await;
        match waited {
            Ok(Ok(place)) => Ok(place),
            _ => Err(ToolError::refused(Code::ServiceUnavailable, "aider is busy").retryable()),
        }
    }

    /// Runs aider in a copy of the work tree. Every line it writes is reported as progress.
    ///
    /// # Errors
    /// [`Code::Timeout`] with what it said until then; a failure of aider itself is no error.
    pub(crate) async fn run(
        &self,
        order: &Order<'_>,
        copy: &WorkTree,
        call: &Call,
    ) -> Result<Said, ToolError> {
        within(&copy.path(), order.files)?;
        let timeout = time_limit(order.seconds, call)?;
        let mut run = Run::new(&self.program, self.arguments(order, copy))
            .directory(copy.path())
            .timeout(timeout)
            .reporting(&call.progress);
        run.output_limit = MAX_OUTPUT;
        run.limits = roomy();
        run.environment = self.environment(copy);
        let finished = self.executor.run(run).await?;
        let said = self.said(&finished);
        tracing::info!(
            event = "aider.run",
            principal = call.principal,
            mode = order.mode.word(),
            exit_code = said.code,
            "aider was run"
        );
        match finished.ended {
            Ended::Exited(_) | Ended::Signalled(_) => Ok(said),
            Ended::TimedOut => Err(said.failed(Code::Timeout, "aider did not end in time")),
            Ended::Stopped => Err(said.failed(Code::ServiceUnavailable, "aider was stopped")),
        }
    }

    fn arguments(&self, order: &Order<'_>, copy: &WorkTree) -> Vec<String> {
        let mut all: Vec<String> = ALWAYS.iter().map(|word| (*word).to_owned()).collect();
        let home = copy.home();
        for (option, file) in [
            ("--chat-history-file", "chat"),
            ("--input-history-file", "input"),
            ("--env-file", "env"),
        ] {
            all.push(format!("{option}={}", home.join(file).display()));
        }
        // Without it aider changes code, in the form its model is best at.
        if order.mode != Mode::Code {
            all.extend(["--chat-mode".to_owned(), order.mode.word().to_owned()]);
        }
        if matches!(order.mode, Mode::Plan | Mode::Ask) {
            all.push("--dry-run".to_owned());
        }
        if let Some(model) = order.model.or(self.model.0.as_deref()) {
            all.push(format!("--model={model}"));
        }
        all.extend(order.files.iter().map(|file| format!("--file={file}")));
        // A message that begins with one of these would be a command, `/run` for one.
        let space = if order.message.starts_with(['/', '!']) {
            " "
        } else {
            ""
        };
        all.push(format!("--message={space}{}", order.message));
        all
    }

    fn environment(&self, copy: &WorkTree) -> Vec<(String, String)> {
        let parent = copy.home().parent().map(Path::to_owned).unwrap_or_default();
        let mut all = vec![
            ("HOME".to_owned(), copy.home().display().to_string()),
            (
                "GIT_CEILING_DIRECTORIES".to_owned(),
                parent.display().to_string(),
            ),
            ("GIT_CONFIG_NOSYSTEM".to_owned(), "1".to_owned()),
            // The table of prices that comes with it, not the one of a web page.
            ("LITELLM_LOCAL_MODEL_COST_MAP".to_owned(), "True".to_owned()),
            ("PYTHONUNBUFFERED".to_owned(), "1".to_owned()),
        ];
        let none = Secret::new("none");
        let openai = self.openai.as_ref().or(self.base.as_ref().map(|_| &none));
        for (name, key) in [
            ("OPENAI_API_KEY", openai),
            ("ANTHROPIC_API_KEY", self.anthropic.as_ref()),
        ] {
            all.extend(key.map(|key| (name.to_owned(), key.expose().to_owned())));
        }
        all.extend(
            self.base
                .as_ref()
                .map(|base| ("OPENAI_API_BASE".to_owned(), base.clone())),
        );
        all
    }

    fn said(&self, finished: &Finished) -> Said {
        let text = |bytes: &shared::exec::Captured| {
            let mut text = bytes.plain();
            for key in [&self.openai, &self.anthropic].into_iter().flatten() {
                text = text.replace(key.expose(), "[key]");
            }
            text
        };
        Said {
            stdout: text(&finished.stdout),
            stderr: text(&finished.stderr),
            code: finished.exit_code(),
        }
    }
}

impl Mode {
    const fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Architect | Self::Plan => "architect",
            Self::Ask => "ask",
        }
    }
}

impl Said {
    fn failed(self, code: Code, message: &str) -> ToolError {
        let details = serde_json::json!({"stdout": self.stdout, "stderr": self.stderr});
        ToolError::new(code, message).with_details(details)
    }
}

/// A path within the repository, whatever it holds.
fn check_file(file: &str) -> Result<(), ToolError> {
    let plain = Path::new(file).components().all(|part| match part {
        Component::Normal(name) => !name.eq_ignore_ascii_case(".git"),
        _ => false,
    });
    let fits = plain && !file.is_empty() && file.len() <= 1000 && !file.contains(char::is_control);
    match fits && !file.starts_with(['-', '~']) {
        true => Ok(()),
        false => Err(ToolError::invalid(
            "files",
            "each is a path in the repository, without `..` and not in .git",
        )),
    }
}

/// What is there is a file and leads nowhere else; what is missing would be made in a folder that is
/// there.
fn within(tree: &Path, files: &[String]) -> Result<(), ToolError> {
    let root = tree.canonicalize();
    for file in files {
        let path = tree.join(file);
        let nearest = path
            .ancestors()
            .find(|part| part.symlink_metadata().is_ok());
        let fits = nearest.is_some_and(|part| part.is_dir() != (part == path));
        let real = nearest.and_then(|part| part.canonicalize().ok());
        let inside = matches!((&root, real), (Ok(root), Some(real)) if real.starts_with(root));
        if !inside || !fits {
            let rule = format!("{file:?} is no file of the repository");
            return Err(ToolError::invalid("files", rule));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_paths_within_the_repository() {
        for good in ["a.py", "src/deep/a b.rs", "new/file", ".gitignore"] {
            assert!(check_file(good).is_ok(), "{good:?}");
        }
        for bad in [
            "",
            "/etc/passwd",
            "../a",
            "a/../../b",
            "./a",
            "-x",
            "~/a",
            ".git/config",
            "a/.GIT/x",
            "a\nb",
        ] {
            assert!(check_file(bad).is_err(), "{bad:?}");
        }
    }
}
