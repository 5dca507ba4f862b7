//! `os.windows.service.*`: the services of a host.

use crate::windows::{Script, Windows, legible};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

const SCRIPT: Script = Script(include_str!("scripts/service.ps1"));

/// Tells how a service is.
pub(crate) struct GetService(pub(crate) Arc<Windows>);
/// Starts one.
pub(crate) struct StartService(pub(crate) Arc<Windows>);
/// Stops one.
pub(crate) struct StopService(pub(crate) Arc<Windows>);
/// Stops and starts one.
pub(crate) struct RestartService(pub(crate) Arc<Windows>);

/// Their parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Name of the service, such as `W3SVC`; no wildcards.
    #[schemars(length(min = 1, max = 256))]
    name: String,
    /// A host in `WINRM_HOSTS`, spelled as there. Default: the only one.
    host: Option<String>,
}

/// How a service is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Status {
    name: String,
    display_name: String,
    /// `Running`, `Stopped`, `Paused` or on the way to one of them.
    state: String,
    /// `Automatic`, `Manual`, `Disabled` and so on.
    start_type: String,
    can_stop: bool,
}

/// What became of a service.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Changed {
    name: String,
    state_before: String,
    state: String,
}

/// What the script says.
#[derive(Debug, Deserialize)]
struct Said {
    name: String,
    display_name: String,
    before: String,
    state: String,
    start_type: String,
    can_stop: bool,
}

#[async_trait]
impl TypedTool for GetService {
    type Arguments = Arguments;
    type Output = Status;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.windows.service.getService",
            Effect::Read,
            "Tell how a service of a Windows host in WINRM_HOSTS is: state, start type, whether it can \
             be stopped.",
        )
        .live()
        .open_world()
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Status, ToolError> {
        let said = ask(&self.0, "none", arguments, call).await?;
        Ok(Status {
            name: said.name,
            display_name: said.display_name,
            state: said.state,
            start_type: said.start_type,
            can_stop: said.can_stop,
        })
    }
}

#[async_trait]
impl TypedTool for StartService {
    type Arguments = Arguments;
    type Output = Changed;

    fn spec(&self) -> Spec {
        let text = "Start a service of a Windows host in WINRM_HOSTS; one that runs stays as it is. \
             Needs a person's approval.";
        changing("os.windows.service.startService", text).idempotent()
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        assess(&self.0, "Start", arguments)
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Changed, ToolError> {
        change(&self.0, "start", arguments, call).await
    }
}

#[async_trait]
impl TypedTool for StopService {
    type Arguments = Arguments;
    type Output = Changed;

    fn spec(&self) -> Spec {
        let text = "Stop a service of a Windows host in WINRM_HOSTS; one that others depend on is \
             not stopped. Needs a person's approval.";
        changing("os.windows.service.stopService", text).idempotent()
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        assess(&self.0, "Stop", arguments)
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Changed, ToolError> {
        change(&self.0, "stop", arguments, call).await
    }
}

#[async_trait]
impl TypedTool for RestartService {
    type Arguments = Arguments;
    type Output = Changed;

    fn spec(&self) -> Spec {
        let text = "Stop and start a service of a Windows host in WINRM_HOSTS. Needs a person's \
             approval.";
        changing("os.windows.service.restartService", text)
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        assess(&self.0, "Restart", arguments)
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Changed, ToolError> {
        change(&self.0, "restart", arguments, call).await
    }
}

fn changing(id: &'static str, text: &'static str) -> Spec {
    Spec::new(id, Effect::Mutate, text).live().open_world()
}

fn assess(windows: &Windows, verb: &str, arguments: &Arguments) -> Result<Assessment, ToolError> {
    let place = windows.place(arguments.host.as_deref())?;
    let summary = format!("{verb} the service {} on {place}", legible(&arguments.name));
    Ok(Assessment::of(Effect::Mutate, summary))
}

async fn change(
    windows: &Windows,
    action: &str,
    arguments: Arguments,
    call: &Call,
) -> Result<Changed, ToolError> {
    let said = ask(windows, action, arguments, call).await?;
    Ok(Changed {
        name: said.name,
        state_before: said.before,
        state: said.state,
    })
}

async fn ask(
    windows: &Windows,
    action: &str,
    arguments: Arguments,
    call: &Call,
) -> Result<Said, ToolError> {
    let parameters = json!({"name": arguments.name, "action": action});
    let host = arguments.host.as_deref();
    windows.ask(host, SCRIPT, &parameters, call).await
}
