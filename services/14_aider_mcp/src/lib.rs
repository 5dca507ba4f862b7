//! Spoke 14: a coding assistant on one repository.
//!
//! The tools, in reading order: edits (`edit`), answers and plans (`ask`), the repository's tests
//! (`run_tests`). Beneath them: what they share (`state`), the program (`aider`), the repository by git
//! (`repository`).

mod aider;
mod ask;
mod config;
mod edit;
mod repository;
mod run_tests;
mod state;

use aider::Aider;
use config::Config;
use repository::Repository;
use shared::exec::{Executor, Program};
use shared::spoke::{BuildError, BuildInput, HealthCheck, Parts, Service, metrics_tool};
use shared::tool::{Tool, boxed};
use state::{AiderCheck, Desk, RepositoryCheck};
use std::future::ready;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Mutex;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "14_aider_mcp",
    number: 14,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["aider"],
    canary: "aider.getMetrics",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build: |input| Box::pin(ready(build(input))),
};

fn build(input: &BuildInput) -> Result<Parts, BuildError> {
    let config: Config = input.config()?;
    let broken = |error: std::io::Error| BuildError::setup("the folder of copies", error);
    let copies = empty_folder(input.kit.data_dir.join("copies")).map_err(broken)?;
    let repository = std::path::absolute(&config.repository.path).map_err(broken)?;
    let tests = config.repository.test_command.0;
    let program = &config.aider.path;
    let git = Program::try_from("git".to_owned()).map_err(|rule| BuildError::setup("git", rule))?;
    let executor = |program: &Program| {
        Executor::of(program, input.kit.tasks.clone())
            .map_err(|error| BuildError::setup("the means to run programs", error))
    };
    let for_aider = executor(program)?;
    let for_tests = executor(tests.as_ref().map_or(&git, |(program, _)| program))?;
    let base = config.aider.openai_api_base.0.map(|url| url.to_string());
    let secrets = input.kit.secrets.as_ref();
    let desk = Arc::new(Desk {
        repository: Repository::new(executor(&git)?, repository, tests),
        aider: Aider::new(for_aider, program, config.aider.model, base, secrets)?,
        clock: input.kit.clock.clone(),
        copies,
        changing: Mutex::new(()),
    });
    let own = || Arc::clone(&desk);
    let tools: Vec<Arc<dyn Tool>> = vec![
        boxed(edit::Chat(own()))?,
        boxed(ask::Architect(own()))?,
        boxed(ask::Ask(own()))?,
        boxed(edit::EditFile(own()))?,
        boxed(run_tests::RunTests {
            desk: own(),
            executor: for_tests,
        })?,
        metrics_tool(&input.kit.meter, "aider.getMetrics", Arc::new(Vec::new))?,
    ];
    let checks: Vec<Arc<dyn HealthCheck>> = vec![
        Arc::new(AiderCheck(own())),
        Arc::new(RepositoryCheck(own())),
    ];
    Ok(Parts { tools, checks })
}

/// Copies a process that was killed left behind go.
fn empty_folder(path: PathBuf) -> std::io::Result<PathBuf> {
    if path.exists() {
        std::fs::remove_dir_all(&path)?;
    }
    std::fs::create_dir_all(&path)?;
    path.canonicalize()
}
