//! `orchestrator.executeWorkflow` and `workflow.*`: workflows for AI hosts.
//!
//! Starting one needs no approval of its own: each step is judged as its own call, by its starter's
//! rights.

mod shapes;

use crate::auth::{CredentialKind, Permissions, Principal, Role};
use crate::caller::Caller;
use crate::store::Page;
use crate::workflow::{ListRuns, Order, StartRequest, StepResolution, WorkflowError, Workflows};
use async_trait::async_trait;
use serde_json::{Value, json};
use shapes::{
    CancelArguments, ExecuteArguments, GetArguments, ListArguments, Listed, ListedRun, Resolution,
    ResumeArguments, RunDetails, RunShown,
};
use shared::error::Code;
use shared::id::InvalidId;
use shared::tool::{Assessment, Call, Effect, Spec, Tool, ToolError, TypedTool, boxed};
use std::sync::Arc;
use std::time::Duration;

/// Longest wait of one call, in seconds.
const MAX_WAIT_SECONDS: u64 = 300;

/// The tools about workflows.
///
/// # Errors
/// [`InvalidId`] when a definition is wrong.
pub fn workflow_tools(workflows: &Arc<Workflows>) -> Result<Vec<Arc<dyn Tool>>, InvalidId> {
    Ok(vec![
        boxed(Execute(Arc::clone(workflows)))?,
        boxed(Get(Arc::clone(workflows)))?,
        boxed(List(Arc::clone(workflows)))?,
        boxed(Resume(Arc::clone(workflows)))?,
        boxed(Cancel(Arc::clone(workflows)))?,
    ])
}

struct Execute(Arc<Workflows>);
struct Get(Arc<Workflows>);
struct List(Arc<Workflows>);
struct Resume(Arc<Workflows>);
struct Cancel(Arc<Workflows>);

#[async_trait]
impl TypedTool for Execute {
    type Arguments = ExecuteArguments;
    type Output = RunShown;

    fn spec(&self) -> Spec {
        let text = "Run a workflow: its steps are tool calls, each judged by itself, and survive a restart of \
                    the hub. A step that needs an approval waits for it and goes on by itself.";
        Spec::new("orchestrator.executeWorkflow", Effect::Mutate, text)
            .per_call()
            .long_running()
    }

    async fn assess(
        &self,
        arguments: &ExecuteArguments,
        _call: &Call,
    ) -> Result<Assessment, ToolError> {
        let source = Value::Object(arguments.workflow.clone()).to_string();
        let definition = self.0.read(&source).map_err(refusal)?;
        let summary = format!(
            "run the workflow {}; each step is decided by itself",
            definition.id()
        );
        Ok(Assessment::of(Effect::MutateOwn, summary))
    }

    async fn run(&self, arguments: ExecuteArguments, call: &Call) -> Result<RunShown, ToolError> {
        let caller = caller(call)?;
        let request = StartRequest {
            source: Value::Object(arguments.workflow).to_string(),
            input: Value::Object(arguments.input),
            idempotency_key: arguments.idempotency_key,
            asked_by: call.idempotency_key.clone(),
        };
        let started = self.0.start(&caller, request).await.map_err(refusal)?;
        if arguments.wait {
            let timeout = Duration::from_secs(arguments.timeout.min(MAX_WAIT_SECONDS));
            // Answer before the call itself runs out of time.
            let rest = call.remaining().saturating_sub(Duration::from_millis(500));
            self.0
                .wait(&started.id, timeout.min(rest))
                .await
                .map_err(refusal)?;
        }
        shown(&self.0, &caller, &started.id).await
    }
}

#[async_trait]
impl TypedTool for Get {
    type Arguments = GetArguments;
    type Output = RunDetails;

    fn spec(&self) -> Spec {
        let text =
            "Show one workflow run: where it stands, what it waits for, and what its steps gave.";
        Spec::new("workflow.get", Effect::Read, text).live()
    }

    async fn run(&self, arguments: GetArguments, call: &Call) -> Result<RunDetails, ToolError> {
        let caller = caller(call)?;
        let id = arguments.workflow_id;
        let run = shown(&self.0, &caller, &id).await?;
        let row = self.0.run(&caller.principal, &id).await.map_err(refusal)?;
        let source = self
            .0
            .source(&caller.principal, &id)
            .await
            .map_err(refusal)?;
        Ok(RunDetails {
            run,
            definition: serde_yaml_ng::from_str(&source).unwrap_or(Value::String(source)),
            created_at: row.created_at.to_string(),
            updated_at: row.updated_at.to_string(),
        })
    }
}

#[async_trait]
impl TypedTool for List {
    type Arguments = ListArguments;
    type Output = Listed;

    fn spec(&self) -> Spec {
        let text = "List the workflow runs of the organisation, newest first.";
        Spec::new("workflow.list", Effect::Read, text).live()
    }

    async fn run(&self, arguments: ListArguments, call: &Call) -> Result<Listed, ToolError> {
        let caller = caller(call)?;
        let number = match arguments.cursor.as_deref() {
            None => 1,
            Some(cursor) => cursor
                .parse()
                .map_err(|_error| ToolError::invalid("cursor", "is none of an earlier answer"))?,
        };
        let page = Page::new(number, arguments.limit);
        let wanted = ListRuns {
            status: arguments.status,
            ..ListRuns::default()
        };
        let listed = self
            .0
            .list(&caller.principal, &wanted, page)
            .await
            .map_err(refusal)?;
        let seen = u64::from(page.number()) * u64::try_from(page.limit()).unwrap_or(u64::MAX);
        let workflows: Vec<ListedRun> = listed
            .rows
            .into_iter()
            .map(|row| ListedRun {
                workflow_id: row.id.to_string(),
                workflow_name: row.name,
                status: row.status,
                phase: row.phase,
                created_at: row.created_at.to_string(),
                updated_at: row.updated_at.to_string(),
            })
            .collect();
        Ok(Listed {
            count: workflows.len(),
            workflows,
            cursor: (seen < listed.total).then(|| (page.number() + 1).to_string()),
        })
    }
}

#[async_trait]
impl TypedTool for Resume {
    type Arguments = ResumeArguments;
    type Output = RunShown;

    fn spec(&self) -> Spec {
        let text = "Let a workflow run go on that is paused, or whose step waits for a resolution because its \
                    outcome is unknown or it failed as often as it may.";
        Spec::new("workflow.resume", Effect::MutateOwn, text).idempotent()
    }

    async fn run(&self, arguments: ResumeArguments, call: &Call) -> Result<RunShown, ToolError> {
        let caller = caller(call)?;
        let resolution = arguments.resolution.map(|resolution| match resolution {
            Resolution::Retry => StepResolution::Retry,
            Resolution::AssumeDone => StepResolution::AssumeDone(json!({})),
            Resolution::Abort => StepResolution::Abort,
        });
        let id = arguments.workflow_id;
        self.0
            .resume(&caller, &id, (None, resolution), None)
            .await
            .map_err(refusal)?;
        shown(&self.0, &caller, &id).await
    }
}

#[async_trait]
impl TypedTool for Cancel {
    type Arguments = CancelArguments;
    type Output = RunShown;

    fn spec(&self) -> Spec {
        let text = "Cancel a workflow run: nothing new begins, and what it did is taken back as its author \
                    wrote.";
        Spec::new("workflow.cancel", Effect::MutateOwn, text).idempotent()
    }

    async fn run(&self, arguments: CancelArguments, call: &Call) -> Result<RunShown, ToolError> {
        let caller = caller(call)?;
        let id = arguments.workflow_id;
        let ordered = self
            .0
            .order(&caller, &id, Order::Cancel, arguments.reason)
            .await;
        match ordered {
            // Cancelled before: the same answer again.
            Err(WorkflowError::Conflict(_)) => {}
            other => other.map_err(refusal)?,
        }
        shown(&self.0, &caller, &id).await
    }
}

/// Who calls, as workflows know callers.
fn caller(call: &Call) -> Result<Caller, ToolError> {
    let permissions =
        Permissions::parse(call.permissions.iter().map(String::as_str)).map_err(|_invalid| {
            ToolError::refused(Code::InternalError, "the caller's rights are unclear")
        })?;
    let principal = Principal {
        id: call.principal.as_str().into(),
        name: call.principal.as_str().into(),
        person: None,
        organization: call.organization.as_str().into(),
        namespace: call.namespace.as_str().into(),
        role: Role::Viewer,
        kind: CredentialKind::Local,
        permissions,
        rate_limit: 0,
    };
    Ok(Caller {
        principal: Arc::new(principal),
        correlation_id: call.correlation_id.clone(),
        request_id: "req_tool".into(),
        traceparent: call.traceparent.as_deref().map(Arc::from),
        address: None,
        door: "tool",
        depth: 0,
        http: None,
    })
}

async fn shown(workflows: &Workflows, caller: &Caller, id: &str) -> Result<RunShown, ToolError> {
    let document = workflows
        .show(&caller.principal, id)
        .await
        .map_err(refusal)?;
    let mut shown: RunShown = serde_json::from_value(document).map_err(|error| {
        tracing::error!(event = "workflow_shape", %error, "a run could not be shown");
        ToolError::refused(Code::InternalError, "the run could not be shown")
    })?;
    shown.count = shown.results.len();
    Ok(shown)
}

fn refusal(error: WorkflowError) -> ToolError {
    if let WorkflowError::Wrong(complaints) = &error {
        let places: Vec<Value> = complaints
            .iter()
            .map(|it| json!({"code": it.code, "pointer": it.pointer, "line": it.line, "message": it.message}))
            .collect();
        let first = complaints
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        let mut wrong = ToolError::refused(error.code(), format!("the workflow is wrong: {first}"));
        wrong.details = Some(json!({ "complaints": places }));
        return wrong;
    }
    if error.code() == Code::ServiceUnavailable {
        tracing::error!(
            event = "workflows_failed",
            error = &error as &dyn std::error::Error,
            "a tool could not use workflows"
        );
        return ToolError::refused(error.code(), "workflows cannot be used now").retryable();
    }
    ToolError::refused(error.code(), error.to_string())
}
