//! `aider.runTests`: the repository's own tests.

use crate::repository::roomy;
use crate::state::Desk;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::command::quoted;
use shared::error::Code;
use shared::exec::{Ended, Executor, Run, time_limit};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

const SETTING: &str = "AIDER_TEST_COMMAND";
/// Bytes kept of each stream.
const MAX_OUTPUT: usize = 256 * 1024;

/// `aider.runTests`.
pub(crate) struct RunTests {
    /// What it runs in.
    pub(crate) desk: Arc<Desk>,
    /// What it runs with.
    pub(crate) executor: Executor,
}

/// Its arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Longest run, in seconds.
    #[serde(default = "usual")]
    #[schemars(range(min = 1, max = 300))]
    timeout: u64,
}

const fn usual() -> u64 {
    300
}

/// Its result.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Tested {
    /// Whether the command exited with 0.
    success: bool,
    /// Exit code; 128 + number for a signal.
    return_code: i32,
    /// Standard output, its first 256 KiB.
    stdout: String,
    /// Standard error, its first 256 KiB.
    stderr: String,
    /// From start to end.
    duration_ms: u64,
}

#[async_trait]
impl TypedTool for RunTests {
    type Arguments = Arguments;
    type Output = Tested;

    fn spec(&self) -> Spec {
        Spec::new(
            "aider.runTests",
            Effect::Mutate,
            "Run the tests of the repository with the command the operator set, in the work tree as it \
             is. It executes code of the repository, so it needs an approval.",
        )
        .idempotent()
        .long_running()
    }

    async fn assess(&self, _: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        let summary = match &self.desk.repository.test_command {
            None => "Run the tests of the repository; there is no command for it".to_owned(),
            Some((program, words)) => {
                let all: Vec<&String> = [&program.name].into_iter().chain(words).collect();
                let place = self.desk.repository.path().display();
                format!("Run {} in {place}", quoted(&all))
            }
        };
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Tested, ToolError> {
        let repository = &self.desk.repository;
        let Some((program, words)) = &repository.test_command else {
            return Err(ToolError::not_configured(SETTING));
        };
        repository.check().await?;
        let mut run = Run::new(&program.name, words)
            .directory(repository.path())
            .timeout(time_limit(arguments.timeout, call)?)
            .reporting(&call.progress);
        run.output_limit = MAX_OUTPUT;
        run.limits = roomy();
        let finished = self.executor.run(run).await?;
        let tested = Tested {
            success: finished.succeeded(),
            return_code: finished.exit_code(),
            stdout: finished.stdout.plain(),
            stderr: finished.stderr.plain(),
            duration_ms: u64::try_from(finished.duration.as_millis()).unwrap_or(u64::MAX),
        };
        match finished.ended {
            Ended::Exited(_) | Ended::Signalled(_) => Ok(tested),
            Ended::TimedOut => Err(tested.failed(Code::Timeout, "the tests did not end in time")),
            Ended::Stopped => {
                Err(tested.failed(Code::ServiceUnavailable, "the tests were stopped"))
            }
        }
    }
}

impl Tested {
    fn failed(self, code: Code, message: &str) -> ToolError {
        let details = serde_json::json!({"stdout": self.stdout, "stderr": self.stderr});
        ToolError::new(code, message).with_details(details)
    }
}
