//! Helm: the program, asked by argument vector; values by standard input, answers as JSON.
//!
//! Charts come from repositories, registries or `https` addresses, never from the host's files.

mod change;
mod list;
mod uninstall;

pub(crate) use change::{InstallChart, UpgradeChart};
pub(crate) use list::ListReleases;
pub(crate) use uninstall::UninstallRelease;

use crate::cluster::{Clusters, Fleet};
use serde::de::DeserializeOwned;
use shared::error::Code;
use shared::exec::{ExecError, Executor, Finished, Limits, Run, SearchPath};
use shared::tool::{Call, ToolError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Kept back of a call's time for its answer.
const RESERVE: Duration = Duration::from_secs(2);
/// Output of the program that is read, in bytes.
const OUTPUT: usize = 4 * 1024 * 1024;
/// Longest message of the program that is repeated, in characters.
const MESSAGE: usize = 300;

/// The program.
pub(crate) struct Helm {
    clusters: Arc<Clusters>,
    /// Bare name, found on the path.
    program: String,
    /// Where it is looked for besides the usual folders.
    folder: Option<PathBuf>,
    home: PathBuf,
}

impl Helm {
    pub(crate) fn new(clusters: Arc<Clusters>, path: &str, home: &Path) -> Arc<Self> {
        let path = Path::new(path);
        let name = path.file_name().unwrap_or(path.as_os_str());
        let folder = path.parent().filter(|it| it.is_absolute());
        Arc::new(Self {
            clusters,
            program: name.to_string_lossy().into_owned(),
            folder: folder.map(Path::to_owned),
            home: home.join("helm"),
        })
    }

    fn ready(&self) -> Result<&Fleet, ToolError> {
        self.clusters.ready()
    }

    /// Runs it with these words against the caller's cluster.
    async fn run(
        &self,
        words: Vec<String>,
        input: Vec<u8>,
        call: &Call,
    ) -> Result<Finished, ToolError> {
        let fleet = self.ready()?;
        let mut run = Run::new(&self.program, words);
        if let Some(path) = &fleet.path {
            let path = path.to_string_lossy().into_owned();
            run.environment.push(("KUBECONFIG".into(), path));
            let context = fleet.chosen(&call.principal);
            run.arguments.extend(["--kube-context".into(), context]);
        }
        for (name, folder) in [
            ("HELM_CACHE_HOME", "cache"),
            ("HELM_CONFIG_HOME", "config"),
            ("HELM_DATA_HOME", "data"),
        ] {
            let folder = self.home.join(folder).to_string_lossy().into_owned();
            run.environment.push((name.into(), folder));
        }
        run.input = input;
        run.output_limit = OUTPUT;
        // It is a Go program: what it reserves says nothing of what it uses.
        run.limits = Limits {
            memory_bytes: None,
            ..Limits::default()
        };
        let left = call.remaining().saturating_sub(RESERVE);
        run.timeout = left.clamp(shared::exec::MIN_TIMEOUT, shared::exec::MAX_TIMEOUT);
        let executor = self.executor(fleet)?;
        executor.run(run).await.map_err(|error| match error {
            ExecError::NotFound(_) | ExecError::Name(_) => ToolError::not_configured("HELM_PATH"),
            other => other.into(),
        })
    }

    fn executor(&self, fleet: &Fleet) -> Result<Executor, ToolError> {
        match &self.folder {
            None => Ok(fleet.executor.clone()),
            Some(folder) => {
                let path = SearchPath::of([folder.clone()]).then(SearchPath::system());
                Executor::new(path, fleet.tasks.clone()).map_err(ToolError::from)
            }
        }
    }

    /// Runs it and reads the JSON it prints.
    async fn json<T: DeserializeOwned>(
        &self,
        words: Vec<String>,
        input: Vec<u8>,
        call: &Call,
    ) -> Result<T, ToolError> {
        let finished = self.run(words, input, call).await?;
        if !finished.succeeded() {
            return Err(refused(&finished));
        }
        serde_json::from_slice(&finished.stdout.bytes).map_err(|error| {
            tracing::warn!(event = "helm.answer", line = error.line(), "an odd answer");
            ToolError::new(Code::BadGateway, "helm gave an answer we do not understand")
        })
    }
}

/// What the program says when it fails: its last line.
fn refused(finished: &Finished) -> ToolError {
    let text = finished.stderr.text();
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    let last = last.unwrap_or("it failed without a word");
    let plain = last.chars().map(|c| if c.is_control() { ' ' } else { c });
    let plain: String = plain.take(MESSAGE).collect();
    let plain = plain.trim().trim_start_matches("Error: ");
    let code = match plain {
        _ if finished.exit_code() == 124 => Code::Timeout,
        text if text.contains("not found") => Code::NotFound,
        text if text.contains("cannot re-use a name") => Code::AlreadyExists,
        text if text.contains("another operation") => Code::Conflict,
        _ => Code::BadGateway,
    };
    ToolError::new(code, format!("helm: {plain}"))
}

/// Words of a command: the subcommand and its fixed flags.
fn words<const N: usize>(fixed: [&str; N]) -> Vec<String> {
    fixed.map(str::to_owned).into()
}
