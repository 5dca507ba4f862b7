//! What the tools that run programs take and give.

use crate::programs::Command;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::ToolError;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExecuteArguments {
    /// Name of a program of `WAYGATE_STDIO_ALLOW`.
    #[schemars(length(min = 1, max = 128))]
    pub(super) command: String,
    /// What follows the name. There is no shell.
    #[serde(default)]
    pub(super) args: Vec<String>,
    /// Variables besides the usual ones.
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// Working directory, absolute. Default: /
    pub(super) dir: Option<String>,
    /// Seconds after which it is stopped with everything it started.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 30))]
    pub(super) timeout: u64,
}

const fn thirty() -> u64 {
    30
}

/// What came of a program.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Ran {
    /// It exited with 0, or a process does what was asked.
    pub(super) success: bool,
    /// What it said, up to a limit.
    pub(super) output: String,
    /// What it said on standard error.
    pub(super) error_output: String,
    /// Its exit code; null for a process that runs, or was ended by a signal.
    pub(super) exit_code: Option<i32>,
    /// The program.
    pub(super) command: String,
    /// What followed it.
    pub(super) args: Vec<String>,
    /// Process id on the hub's machine; null when it has ended.
    pub(super) pid: Option<u32>,
    /// Id of the process, or of this run.
    pub(super) session_id: String,
    /// When this was said.
    pub(super) timestamp: String,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Start,
    Stop,
    Restart,
    Status,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ManageArguments {
    /// start, stop, restart or status.
    pub(super) action: Action,
    /// Id of the process, for every action but start. Status without one shows all.
    pub(super) process_id: Option<String>,
    /// Name of a program of `WAYGATE_STDIO_ALLOW`, for start.
    pub(super) command: Option<String>,
    /// What follows the name, for start. There is no shell.
    #[serde(default)]
    pub(super) args: Vec<String>,
    /// Variables besides the usual ones, for start.
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    /// Working directory, absolute, for start. Default: /
    pub(super) dir: Option<String>,
    /// Last lines of its output to show.
    #[serde(default = "fifty")]
    #[schemars(range(min = 0, max = 1000))]
    pub(super) lines: usize,
}

const fn fifty() -> usize {
    50
}

/// Processes.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Managed {
    /// What was asked for was done.
    pub(super) success: bool,
    /// The processes it was done to, oldest first.
    pub(super) processes: Vec<Shown>,
    /// When this was said.
    pub(super) timestamp: String,
}

/// A process.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Shown {
    /// Its id.
    pub(super) process_id: String,
    /// running or ended.
    pub(super) status: &'static str,
    /// The program.
    pub(super) command: String,
    /// What followed it.
    pub(super) args: Vec<String>,
    /// Process id on the hub's machine.
    pub(super) pid: u32,
    /// When it was started.
    pub(super) started_at: String,
    /// Last lines of its output.
    pub(super) output: Vec<String>,
    /// Lines of output in all.
    pub(super) total_lines: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SendArguments {
    /// Id of the process.
    pub(super) process_id: String,
    /// One line, without its end.
    #[schemars(length(max = 65_536))]
    pub(super) message: String,
    /// Seconds to wait for the first line of an answer.
    #[serde(default = "five")]
    #[schemars(range(min = 0, max = 25))]
    pub(super) timeout: u64,
}

const fn five() -> u64 {
    5
}

impl ExecuteArguments {
    /// What is to be run.
    pub(super) fn command(&self) -> Command {
        command(&self.command, &self.args, &self.env, self.dir.as_deref())
    }
}

impl ManageArguments {
    /// What is to be run.
    pub(super) fn command(&self) -> Result<Command, ToolError> {
        let program = self.command.as_deref();
        let program = program.ok_or_else(|| ToolError::invalid("command", "is needed to start"))?;
        Ok(command(program, &self.args, &self.env, self.dir.as_deref()))
    }
}

fn command(
    program: &str,
    arguments: &[String],
    environment: &BTreeMap<String, String>,
    directory: Option<&str>,
) -> Command {
    let variables = environment.iter();
    Command {
        program: program.to_owned(),
        arguments: arguments.to_vec(),
        environment: variables
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        directory: directory.map(PathBuf::from),
    }
}
