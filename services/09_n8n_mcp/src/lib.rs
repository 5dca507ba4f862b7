//! Spoke 09: workflows and executions of an n8n instance.
//!
//! The tools, in reading order: workflows (`workflows`), executions (`executions`), a start through a
//! webhook (`trigger`, `webhook`). Beneath them: the public API (`n8n`), what it speaks of (`model`).

mod config;
mod executions;
mod model;
mod n8n;
mod trigger;
mod webhook;
mod workflows;

use config::Config;
use n8n::{ApiCheck, N8n, SetupError};
use shared::spoke::{BuildError, BuildInput, Parts, Service, metrics_tool};
use shared::tool::boxed;
use std::future::ready;
use std::sync::Arc;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "09_n8n_mcp",
    number: 9,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["workflows.n8n"],
    canary: "workflows.n8n.getMetrics",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build: |input| Box::pin(ready(build(input))),
};

fn build(input: &BuildInput) -> Result<Parts, BuildError> {
    let config: Config = input.config()?;
    let n8n = N8n::prepare(&config, input.kit.secrets.as_ref()).map_err(unprepared)?;
    let n8n = Arc::new(n8n);
    let own = || Arc::clone(&n8n);
    let tools = vec![
        boxed(workflows::ListWorkflows(own()))?,
        boxed(workflows::GetWorkflow(own()))?,
        boxed(workflows::ActivateWorkflow(own()))?,
        boxed(workflows::DeactivateWorkflow(own()))?,
        boxed(trigger::TriggerWorkflow(own()))?,
        boxed(executions::ListExecutions(own()))?,
        boxed(executions::GetExecution(own()))?,
        metrics_tool(
            &input.kit.meter,
            "workflows.n8n.getMetrics",
            Arc::new(Vec::new),
        )?,
    ];
    let checks = vec![Arc::new(ApiCheck(n8n)) as _];
    Ok(Parts { tools, checks })
}

fn unprepared(error: SetupError) -> BuildError {
    match error {
        SetupError::Secret(error) => error.into(),
        error => BuildError::setup("the connection to n8n", error),
    }
}
