//! `os.linux.nginx.checkConfig` and `os.linux.nginx.reloadConfig`; site files and logs below.

mod log;
mod site;

pub(crate) use log::GetAccessLogTail;
pub(crate) use site::UpdateSiteConfig;

use crate::host::Host;
use crate::os_info::NoArguments;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use shared::error::Code;
use shared::exec::Run;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Tests the configuration.
pub(crate) struct CheckConfig(pub(crate) Arc<Host>);

/// Its result.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Checked {
    /// Whether the configuration can be loaded.
    pub(crate) ok: bool,
    /// What `nginx -t` says.
    pub(crate) output: String,
}

#[async_trait]
impl TypedTool for CheckConfig {
    type Arguments = NoArguments;
    type Output = Checked;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.linux.nginx.checkConfig",
            Effect::Read,
            "Test the configuration of nginx on this host (nginx -t) without loading it.",
        )
        .live()
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<Checked, ToolError> {
        check(&self.0).await
    }
}

/// Loads the configuration.
pub(crate) struct ReloadConfig(pub(crate) Arc<Host>);

/// Its result.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Reloaded {
    message: String,
    /// What `nginx -t` said before.
    config_test: String,
}

#[async_trait]
impl TypedTool for ReloadConfig {
    type Arguments = NoArguments;
    type Output = Reloaded;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.linux.nginx.reloadConfig",
            Effect::Mutate,
            "Make nginx on this host load its configuration (nginx -s reload). It is tested first; \
             one that fails the test is not loaded. Needs a person's approval.",
        )
        .idempotent()
    }

    async fn assess(&self, _: &NoArguments, _: &Call) -> Result<Assessment, ToolError> {
        let checked = check(&self.0).await?;
        let test = shown_lines(&checked.output);
        let summary = format!(
            "Make nginx on {} load its configuration.\nTest: {test}",
            self.0.name()
        );
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<Reloaded, ToolError> {
        let _change = self.0.changes.begin();
        let checked = check(&self.0).await?;
        if !checked.ok {
            return Err(bad_config(&checked.output, "nothing was loaded"));
        }
        reload(&self.0).await?;
        Ok(Reloaded {
            message: "nginx loads its configuration".into(),
            config_test: checked.output,
        })
    }
}

/// Runs `nginx -t`.
async fn check(host: &Host) -> Result<Checked, ToolError> {
    let finished = host.run(Run::new("nginx", ["-t"])).await?;
    let output = finished.stderr.text();
    Ok(Checked {
        ok: finished.succeeded(),
        output: output.trim_end().to_owned(),
    })
}

async fn reload(host: &Host) -> Result<(), ToolError> {
    let run = Run::new("nginx", ["-s", "reload"]);
    host.output(run).await.map(drop)
}

fn bad_config(output: &str, consequence: &str) -> ToolError {
    let message = format!("the configuration does not pass nginx -t; {consequence}");
    let details = serde_json::json!({ "config_test": output });
    ToolError::refused(Code::Conflict, message).with_details(details)
}

/// Text of several lines for the person who approves.
fn shown_lines(text: &str) -> String {
    let lines = text.lines().map(shared::command::shown);
    lines.collect::<Vec<_>>().join("\n")
}
