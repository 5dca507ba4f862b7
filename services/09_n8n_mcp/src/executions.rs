//! Executions: list and read.

use crate::model::Exec;
use crate::n8n::{MAX_PAGE, N8n};
use crate::workflows::checked_id;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `workflows.n8n.executions.listExecutions`.
pub(crate) struct ListExecutions(pub(crate) Arc<N8n>);
/// `workflows.n8n.executions.getExecution`.
pub(crate) struct GetExecution(pub(crate) Arc<N8n>);

/// Arguments of `listExecutions`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListArguments {
    /// Only executions of this workflow.
    #[serde(default, rename = "workflowId")]
    #[schemars(length(min = 1, max = 64))]
    workflow_id: Option<String>,
    /// Only executions in this state: canceled, crashed, error, new, running, success, unknown or
    /// waiting.
    #[serde(default)]
    #[schemars(length(min = 1, max = 16))]
    status: Option<String>,
    /// Most executions to give, 1 to 250.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 250))]
    limit: usize,
    /// `next_cursor` of the page before.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1024))]
    cursor: Option<String>,
}

const fn fifty() -> usize {
    50
}

/// The states the API can be asked for.
const STATES: [&str; 8] = [
    "canceled", "crashed", "error", "new", "running", "success", "unknown", "waiting",
];

/// Result of `listExecutions`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Execs {
    /// The executions of this page, newest first.
    executions: Vec<Exec>,
    /// How many these are.
    count: usize,
    /// Give it as `cursor` for the next page; null on the last one.
    next_cursor: Option<String>,
}

/// Arguments of `getExecution`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GetArguments {
    /// Id of the execution.
    #[schemars(length(min = 1, max = 64))]
    id: String,
    /// Give what the nodes took and gave, too. It may be large and hold what the workflow handles.
    #[serde(default)]
    include_data: bool,
}

/// Result of `getExecution`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Whole {
    #[serde(flatten)]
    exec: Exec,
    /// What the nodes took and gave; null when it was not asked for or not kept.
    data: Option<Value>,
}

#[async_trait]
impl TypedTool for ListExecutions {
    type Arguments = ListArguments;
    type Output = Execs;

    fn spec(&self) -> Spec {
        Spec::new(
            "workflows.n8n.executions.listExecutions",
            Effect::Read,
            "List executions of n8n workflows, newest first, of one workflow or in one state.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: ListArguments, _: &Call) -> Result<Execs, ToolError> {
        let mut query = vec![("limit", arguments.limit.min(MAX_PAGE).to_string())];
        if let Some(id) = arguments.workflow_id {
            checked_id("workflowId", &id)?;
            query.push(("workflowId", id));
        }
        if let Some(status) = arguments.status {
            if !STATES.contains(&status.as_str()) {
                let rule = format!("is not one of {}", STATES.join(", "));
                return Err(ToolError::invalid("status", rule));
            }
            query.push(("status", status));
        }
        query.extend(arguments.cursor.map(|it| ("cursor", it)));
        let page = self.0.ready()?.executions(&query).await?;
        let executions: Vec<Exec> = page.data.iter().map(Exec::from).collect();
        Ok(Execs {
            count: executions.len(),
            executions,
            next_cursor: page.next_cursor,
        })
    }
}

#[async_trait]
impl TypedTool for GetExecution {
    type Arguments = GetArguments;
    type Output = Whole;

    fn spec(&self) -> Spec {
        Spec::new(
            "workflows.n8n.executions.getExecution",
            Effect::Read,
            "Read one execution of an n8n workflow, with the data of its nodes if wanted.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: GetArguments, _: &Call) -> Result<Whole, ToolError> {
        let id = checked_id("id", &arguments.id)?;
        let n8n = self.0.ready()?;
        let mut execution = n8n.execution(id, arguments.include_data).await?;
        let data = execution.data.take().filter(|_| arguments.include_data);
        Ok(Whole {
            exec: Exec::from(&execution),
            data,
        })
    }
}
