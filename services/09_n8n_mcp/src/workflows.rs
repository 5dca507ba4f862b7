//! Workflows: list, read, switch on and off.

use crate::model::{Flow, Workflow};
use crate::n8n::{MAX_PAGE, N8n};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// `workflows.n8n.workflows.listWorkflows`.
pub(crate) struct ListWorkflows(pub(crate) Arc<N8n>);
/// `workflows.n8n.workflows.getWorkflow`.
pub(crate) struct GetWorkflow(pub(crate) Arc<N8n>);
/// `workflows.n8n.workflows.activateWorkflow`.
pub(crate) struct ActivateWorkflow(pub(crate) Arc<N8n>);
/// `workflows.n8n.workflows.deactivateWorkflow`.
pub(crate) struct DeactivateWorkflow(pub(crate) Arc<N8n>);

/// Arguments of `listWorkflows`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListArguments {
    /// Only active (true) or inactive (false) workflows; leave out for both.
    #[serde(default)]
    active: Option<bool>,
    /// Most workflows to give, 1 to 250.
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

/// Result of `listWorkflows`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Flows {
    /// The workflows of this page.
    workflows: Vec<Flow>,
    /// How many these are.
    count: usize,
    /// Give it as `cursor` for the next page; null on the last one.
    next_cursor: Option<String>,
}

/// Arguments of the tools that concern one workflow.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ById {
    /// Id of the workflow, from listWorkflows or its address in the editor.
    #[schemars(length(min = 1, max = 64))]
    id: String,
}

impl ById {
    fn checked(&self) -> Result<&str, ToolError> {
        checked_id("id", &self.id)
    }
}

/// Ids are letters and digits: everything else would only lead to another path of the API.
pub(crate) fn checked_id<'a>(field: &str, id: &'a str) -> Result<&'a str, ToolError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match !id.is_empty() && id.chars().all(plain) {
        true => Ok(id),
        false => Err(ToolError::invalid(
            field,
            "is not an id of letters, digits, - and _",
        )),
    }
}

/// Result of `getWorkflow`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Whole {
    #[serde(flatten)]
    flow: Flow,
    /// Its nodes as n8n has them.
    nodes: Vec<Map<String, Value>>,
    /// What leads from node to node, by the name of the source node.
    connections: Value,
    /// Its settings as n8n has them; null when it has none.
    settings: Value,
}

#[async_trait]
impl TypedTool for ListWorkflows {
    type Arguments = ListArguments;
    type Output = Flows;

    fn spec(&self) -> Spec {
        Spec::new(
            "workflows.n8n.workflows.listWorkflows",
            Effect::Read,
            "List the workflows of the n8n instance with their state, tags and triggers.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: ListArguments, _: &Call) -> Result<Flows, ToolError> {
        let mut query = vec![("limit", arguments.limit.min(MAX_PAGE).to_string())];
        query.extend(arguments.active.map(|it| ("active", it.to_string())));
        query.extend(arguments.cursor.map(|it| ("cursor", it)));
        let page = self.0.ready()?.workflows(&query).await?;
        let workflows: Vec<Flow> = page.data.iter().map(Flow::from).collect();
        Ok(Flows {
            count: workflows.len(),
            workflows,
            next_cursor: page.next_cursor,
        })
    }
}

#[async_trait]
impl TypedTool for GetWorkflow {
    type Arguments = ById;
    type Output = Whole;

    fn spec(&self) -> Spec {
        Spec::new(
            "workflows.n8n.workflows.getWorkflow",
            Effect::Read,
            "Read one workflow of n8n with its nodes, connections and settings.",
        )
        .open_world()
        .live()
    }

    async fn run(&self, arguments: ById, _: &Call) -> Result<Whole, ToolError> {
        let id = arguments.checked()?;
        let workflow = self.0.ready()?.workflow(id).await?;
        Ok(Whole {
            flow: Flow::from(&workflow),
            nodes: workflow.nodes,
            connections: workflow.connections,
            settings: workflow.settings,
        })
    }
}

#[async_trait]
impl TypedTool for ActivateWorkflow {
    type Arguments = ById;
    type Output = Flow;

    fn spec(&self) -> Spec {
        Spec::new(
            "workflows.n8n.workflows.activateWorkflow",
            Effect::Mutate,
            "Switch a workflow of n8n on: from then on its triggers start executions.",
        )
        .idempotent()
        .open_world()
    }

    async fn assess(&self, arguments: &ById, _: &Call) -> Result<Assessment, ToolError> {
        let called = self.0.called(arguments.checked()?).await;
        let summary = format!("Activate workflow {called} of n8n: its triggers start executions");
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: ById, _: &Call) -> Result<Flow, ToolError> {
        switched(&self.0, &arguments, "activate").await
    }
}

#[async_trait]
impl TypedTool for DeactivateWorkflow {
    type Arguments = ById;
    type Output = Flow;

    fn spec(&self) -> Spec {
        Spec::new(
            "workflows.n8n.workflows.deactivateWorkflow",
            Effect::Mutate,
            "Switch a workflow of n8n off: its triggers start nothing any more. Executions that run \
             go on.",
        )
        .idempotent()
        .open_world()
    }

    async fn assess(&self, arguments: &ById, _: &Call) -> Result<Assessment, ToolError> {
        let called = self.0.called(arguments.checked()?).await;
        let summary = format!("Deactivate workflow {called} of n8n: its triggers start nothing");
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: ById, _: &Call) -> Result<Flow, ToolError> {
        switched(&self.0, &arguments, "deactivate").await
    }
}

async fn switched(n8n: &N8n, arguments: &ById, verb: &str) -> Result<Flow, ToolError> {
    let id = arguments.checked()?;
    let workflow: Workflow = n8n.ready()?.switch(id, verb).await?;
    Ok(Flow::from(&workflow))
}
