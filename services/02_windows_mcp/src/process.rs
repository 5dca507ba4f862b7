//! `os.windows.process.*`: what runs on a host.

use crate::windows::{Script, Windows, legible};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::error::Code;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

const GET: Script = Script(include_str!("scripts/get_process.ps1"));
const STOP: Script = Script(include_str!("scripts/stop_process.ps1"));

/// Lists processes.
pub(crate) struct GetProcess(pub(crate) Arc<Windows>);
/// Ends some.
pub(crate) struct StopProcess(pub(crate) Arc<Windows>);

/// Arguments of `getProcess`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetArguments {
    /// Only processes of this name, without `.exe`; case does not matter, no wildcards.
    #[schemars(length(min = 1, max = 255))]
    name: Option<String>,
    /// Only the process with this number.
    id: Option<u32>,
    /// A host in `WINRM_HOSTS`, spelled as there. Default: the only one.
    host: Option<String>,
}

/// Arguments of `stopProcess`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopArguments {
    /// Every process of this name, without `.exe`; no wildcards. Give this or `id`.
    #[schemars(length(min = 1, max = 255))]
    name: Option<String>,
    /// The process with this number.
    id: Option<u32>,
    /// Also those of other users.
    #[serde(default)]
    force: bool,
    /// A host in `WINRM_HOSTS`, spelled as there. Default: the only one.
    host: Option<String>,
}

/// Processes in the order of their numbers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Processes {
    processes: Vec<Process>,
    /// Number of processes returned, at most 1000.
    count: usize,
}

/// One of them.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Process {
    id: u32,
    name: String,
    /// Processor time.
    cpu_seconds: f64,
    working_set_bytes: u64,
    /// RFC 3339, UTC; null when the user of this spoke may not see it.
    started_at: Option<String>,
    /// The program; null when the user of this spoke may not see it.
    path: Option<String>,
}

/// What was ended.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Stopped {
    stopped: Vec<Ended>,
    /// Number of processes.
    count: usize,
    /// The same for people.
    message: String,
}

/// One of them.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Ended {
    id: u32,
    name: String,
}

#[async_trait]
impl TypedTool for GetProcess {
    type Arguments = GetArguments;
    type Output = Processes;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.windows.process.getProcess",
            Effect::Read,
            "List the processes of a Windows host in WINRM_HOSTS, all or by name or number, with \
             processor time and memory.",
        )
        .live()
        .open_world()
    }

    async fn run(&self, arguments: GetArguments, call: &Call) -> Result<Processes, ToolError> {
        #[derive(Deserialize)]
        struct Found {
            processes: Vec<Process>,
        }
        let parameters = json!({"name": arguments.name, "id": arguments.id});
        let host = arguments.host.as_deref();
        let Found { processes } = self.0.ask(host, GET, &parameters, call).await?;
        Ok(Processes {
            count: processes.len(),
            processes,
        })
    }
}

#[async_trait]
impl TypedTool for StopProcess {
    type Arguments = StopArguments;
    type Output = Stopped;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.windows.process.stopProcess",
            Effect::Mutate,
            "End a process of a Windows host in WINRM_HOSTS by number, or every one of a name. Needs a \
             person's approval.",
        )
        .idempotent()
        .live()
        .open_world()
    }

    async fn assess(&self, arguments: &StopArguments, _: &Call) -> Result<Assessment, ToolError> {
        let what = which(arguments)?;
        let place = self.0.place(arguments.host.as_deref())?;
        let how = if arguments.force { " by force" } else { "" };
        let summary = format!("End {what}{how} on {place}");
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: StopArguments, call: &Call) -> Result<Stopped, ToolError> {
        #[derive(Deserialize)]
        struct Done {
            stopped: Vec<Ended>,
        }
        let what = which(&arguments)?;
        let parameters =
            json!({"name": arguments.name, "id": arguments.id, "force": arguments.force});
        let host = arguments.host.as_deref();
        let Done { stopped } = self.0.ask(host, STOP, &parameters, call).await?;
        if stopped.is_empty() {
            let message = format!("{what} does not run");
            return Err(ToolError::refused(Code::NotFound, message));
        }
        Ok(Stopped {
            message: format!("{what} was ended"),
            count: stopped.len(),
            stopped,
        })
    }
}

/// What shall be ended, in words.
fn which(arguments: &StopArguments) -> Result<String, ToolError> {
    match (&arguments.name, arguments.id) {
        (Some(name), None) if !name.trim().is_empty() => {
            Ok(format!("every process named {}", legible(name)))
        }
        (None, Some(id)) => Ok(format!("process {id}")),
        _ => Err(ToolError::invalid("name", "give either name or id")),
    }
}
