//! The repository, by git: what its work tree holds is saved, copied for one call, and changed by a diff.
//!
//! Nothing is committed to a branch and the index of the repository is not touched. Hooks do not run.

use jiff::Timestamp;
use shared::error::Code;
use shared::exec::{Executor, Finished, Limits, Program, Run};
use shared::tool::ToolError;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SETTING: &str = "REPO_PATH to the top folder of a git repository";
const PATIENCE: Duration = Duration::from_secs(60);
/// Largest diff that is applied, in bytes.
const MAX_DIFF: usize = 512 * 1024;
/// What aider keeps beside the files, and settings it would read: never copied, never brought back.
const NOT_OURS: [&str; 2] = [":(top,exclude,glob).aider*", ":(top,exclude).env"];

/// The repository.
#[derive(Debug)]
pub(crate) struct Repository {
    executor: Executor,
    path: PathBuf,
    /// Command that runs its tests: program and arguments.
    pub(crate) test_command: Option<(Program, Vec<String>)>,
}

/// A copy of the work tree for one call, with a home of its own. Gone when dropped.
#[derive(Debug)]
pub(crate) struct WorkTree {
    folder: tempfile::TempDir,
    commit: String,
}

/// What was changed in a copy.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// As `git apply` takes it; empty when nothing was changed.
    diff: Vec<u8>,
    /// Paths in the repository.
    pub(crate) files: Vec<String>,
}

impl Change {
    /// The diff as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.diff).into_owned()
    }
}

impl WorkTree {
    /// Where the files are.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    /// An empty folder outside of the files.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }
}

impl Repository {
    /// Looks at nothing yet.
    pub(crate) fn new(
        executor: Executor,
        path: PathBuf,
        test_command: Option<(Program, Vec<String>)>,
    ) -> Self {
        Self {
            executor,
            path,
            test_command,
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is there.
    ///
    /// # Errors
    /// [`Code::NotConfigured`].
    pub(crate) async fn check(&self) -> Result<(), ToolError> {
        let is_there = tokio::fs::metadata(&self.path).await.is_ok();
        if !is_there {
            return Err(ToolError::not_configured(SETTING));
        }
        let top = self.git(&["rev-parse", "--show-cdup"], &[]).await?;
        match top.succeeded() && top.stdout.text().trim().is_empty() {
            true => Ok(()),
            false => Err(ToolError::not_configured(SETTING)),
        }
    }

    /// Copies the work tree as it is, with what is not committed, into a folder below `within`.
    /// The repository itself is only read.
    pub(crate) async fn copy(&self, within: &Path) -> Result<WorkTree, ToolError> {
        self.check().await?;
        let folder = tempfile::Builder::new().prefix("call-").tempdir_in(within);
        let folder = folder.map_err(|error| broken("a folder for the copy", &error))?;
        let tree = folder.path().join("tree");
        for part in [&tree, &folder.path().join("home")] {
            let made = tokio::fs::create_dir(part).await;
            made.map_err(|error| broken("a folder for the copy", &error))?;
        }
        let objects = [
            "rev-parse",
            "--path-format=absolute",
            "--git-path",
            "objects",
        ];
        let objects = self.line(&objects, &[]).await?;
        let mut copy = WorkTree {
            folder,
            commit: String::new(),
        };
        self.at(&tree, &["init", "--quiet"]).await?;
        self.at(&tree, &["config", "core.symlinks", "false"])
            .await?;
        self.at(&tree, &["config", "core.autocrlf", "false"])
            .await?;
        let files = [
            ("objects/info/alternates", format!("{objects}\n")),
            ("info/exclude", "/.aider*\n/.env\n".to_owned()),
        ];
        for (name, content) in files {
            let written = tokio::fs::write(tree.join(".git").join(name), content).await;
            written.map_err(|error| broken("the copy", &error))?;
        }
        let own = tree.join(".git").join("objects").display().to_string();
        let elsewhere = [
            ("GIT_OBJECT_DIRECTORY", own),
            ("GIT_ALTERNATE_OBJECT_DIRECTORIES", objects),
        ];
        copy.commit = self.snapshot(&copy, &elsewhere).await?;
        let checkout = ["checkout", "--quiet", "--detach", &copy.commit];
        self.at(&tree, &checkout).await?;
        forget_settings(&tree).await;
        Ok(copy)
    }

    /// Saves the work tree as it is under `refs/waygate/backup/<time>`; gives the name.
    pub(crate) async fn back_up(
        &self,
        copy: &WorkTree,
        at: Timestamp,
    ) -> Result<String, ToolError> {
        let commit = self.snapshot(copy, &[]).await?;
        let name = format!("refs/waygate/backup/{}", at.strftime("%Y%m%dT%H%M%S.%6fZ"));
        self.line(&["update-ref", &name, &commit, ""], &[]).await?;
        Ok(name)
    }

    /// What was changed in a copy since it was made.
    pub(crate) async fn change(&self, copy: &WorkTree) -> Result<Change, ToolError> {
        let tree = copy.path();
        self.at(&tree, &["add", "--all"]).await?;
        let diff = |form: &[&'static str]| {
            let mut words = vec!["diff", "--cached", "--no-color", "--no-ext-diff"];
            words.extend(["--no-textconv", "--no-renames"]);
            words.extend(form);
            words.extend([copy.commit.as_str(), "--", "."]);
            words.extend(NOT_OURS);
            words
        };
        let names = self.at(&tree, &diff(&["--name-only", "-z"])).await?;
        let changed = self.at(&tree, &diff(&["--binary"])).await?;
        if changed.stdout.truncated() || names.stdout.truncated() {
            let message = "the change is larger than 512 KiB; nothing was applied";
            return Err(ToolError::refused(Code::PayloadTooLarge, message));
        }
        let text = names.stdout.text();
        let files = text.split('\0').filter(|name| !name.is_empty());
        Ok(Change {
            files: files.map(str::to_owned).collect(),
            diff: changed.stdout.bytes,
        })
    }

    /// Makes the change in the work tree; all of it or nothing.
    ///
    /// # Errors
    /// [`Code::Conflict`] when the files were changed meanwhile.
    pub(crate) async fn apply(&self, change: &Change) -> Result<(), ToolError> {
        if change.diff.is_empty() {
            return Ok(());
        }
        let mut run = self.run(&["apply", "--whitespace=nowarn"], &[]);
        run.input.clone_from(&change.diff);
        let applied = self.executor.run(run).await?;
        match applied.succeeded() {
            true => Ok(()),
            false => {
                let message = "the repository was changed meanwhile, so nothing was applied";
                let details = serde_json::json!({"diff": change.text()});
                Err(ToolError::refused(Code::Conflict, message).with_details(details))
            }
        }
    }

    /// A commit of the work tree as it is, on top of the present one, that no branch knows.
    async fn snapshot(
        &self,
        copy: &WorkTree,
        variables: &[(&str, String)],
    ) -> Result<String, ToolError> {
        // One for each place objects go to: an index leaves out what it knows to be stored.
        let name = format!("index-{}", variables.len());
        let index = copy.folder.path().join(name).display().to_string();
        let mut all = vec![("GIT_INDEX_FILE", index)];
        all.extend(variables.iter().cloned());
        self.line(&["add", "--all"], &all).await?;
        let tree = self.line(&["write-tree"], &all).await?;
        let head = self
            .git(&["rev-parse", "--verify", "--quiet", "HEAD"], &all)
            .await?;
        let head = head.stdout.text().trim().to_owned();
        let mut words = vec!["commit-tree", &tree, "-m", "the work tree before an edit"];
        if !head.is_empty() {
            words.extend(["-p", &head]);
        }
        self.line(&words, &all).await
    }

    /// Runs git in the repository; its one line of output.
    async fn line(
        &self,
        words: &[&str],
        variables: &[(&str, String)],
    ) -> Result<String, ToolError> {
        let finished = self.git(words, variables).await?;
        Ok(well(words, finished)?.stdout.text().trim().to_owned())
    }

    async fn git(
        &self,
        words: &[&str],
        variables: &[(&str, String)],
    ) -> Result<Finished, ToolError> {
        Ok(self.executor.run(self.run(words, variables)).await?)
    }

    /// Runs git in a copy.
    async fn at(&self, tree: &Path, words: &[&str]) -> Result<Finished, ToolError> {
        let run = self.run(words, &[]).directory(tree);
        well(words, self.executor.run(run).await?)
    }

    fn run(&self, words: &[&str], variables: &[(&str, String)]) -> Run {
        // Whoever owns the folder, the operator named it.
        let first = ["-c", "safe.directory=*", "-c", "core.hooksPath=/dev/null"];
        let second = ["-c", "core.fsmonitor=false", "-c", "gc.auto=0"];
        let words = first.iter().chain(&second).chain(words).copied();
        let mut run = Run::new("git", words)
            .directory(&self.path)
            .timeout(PATIENCE);
        run.output_limit = MAX_DIFF;
        run.limits = roomy();
        let parent = self.path.parent().unwrap_or(&self.path).display();
        let fixed = [
            ("GIT_CEILING_DIRECTORIES", parent.to_string()),
            ("GIT_CONFIG_NOSYSTEM", "1".to_owned()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".to_owned()),
            ("GIT_TERMINAL_PROMPT", "0".to_owned()),
            ("GIT_AUTHOR_NAME", "waygate".to_owned()),
            ("GIT_AUTHOR_EMAIL", "waygate@localhost".to_owned()),
            ("GIT_COMMITTER_NAME", "waygate".to_owned()),
            ("GIT_COMMITTER_EMAIL", "waygate@localhost".to_owned()),
        ];
        let all = fixed.into_iter().chain(variables.iter().cloned());
        run.environment = all.map(|(name, value)| (name.to_owned(), value)).collect();
        run
    }
}

/// Limits for programs that map more than they use, and write larger files.
pub(crate) fn roomy() -> Limits {
    Limits {
        memory_bytes: None,
        file_bytes: 1 << 30,
        open_files: 1024,
        ..Limits::default()
    }
}

/// Settings a repository holds would say which program is run and who gets the key.
async fn forget_settings(tree: &Path) {
    let Ok(mut entries) = tokio::fs::read_dir(tree).await else {
        return;
    };
    while let Ok(Some(entry)) = entries.next_entry().await {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == ".env" || (name.starts_with(".aider") && name != ".aiderignore") {
            let path = entry.path();
            let removed = tokio::fs::remove_file(&path).await;
            if let Err(error) = removed {
                tracing::debug!(event = "aider.left", %error, "a settings file stays in a copy");
            }
        }
    }
}

fn well(words: &[&str], finished: Finished) -> Result<Finished, ToolError> {
    if finished.succeeded() {
        return Ok(finished);
    }
    let verb = words.first().copied().unwrap_or_default();
    tracing::warn!(
        event = "aider.git",
        verb,
        exit_code = finished.exit_code(),
        stderr = finished.stderr.text(),
        "git failed"
    );
    let message = format!("git {verb} failed on the repository");
    Err(ToolError::refused(Code::InternalError, message))
}

fn broken(what: &str, error: &std::io::Error) -> ToolError {
    tracing::error!(event = "aider.folder", %error, "{what} could not be made");
    ToolError::refused(Code::InternalError, format!("{what} could not be made"))
}
