//! The command engine: named actions over plain HTTP. `execute` goes through the same door as
//! `tools/call`.
//!
//! What an action comes to is an answer, also when it failed; only an unknown action is refused. An
//! asynchronous command is kept in memory for its caller to ask for.

mod executions;

pub(crate) use executions::Executions;

use super::Admin;
use super::input::{self, Input};
use super::table::Route;
use super::tools::{self, header, visible};
use crate::auth::Verb;
use crate::caller::Caller;
use crate::error::CallError;
use crate::transport::errors;
use crate::transport::refusal::Refusal;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shared::error::Code;
use shared::id::CorrelationId;
use std::time::Duration;
use tokio::time::Instant;
use utoipa::ToSchema;

/// The actions there are.
pub(super) const ACTIONS: [&str; 5] = ["test", "echo", "status", "list", "execute"];

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/mcp/execute", execute)
            .needs_tools(Verb::Execute)
            .executes()
            .takes::<Command>()
            .answers::<Execution>()
            .says("Run a command"),
        Route::get("/mcp/executions/{command_id}", find)
            .needs_tools(Verb::Read)
            .answers::<Execution>()
            .says("What a command came to"),
        Route::get("/mcp/commands", commands)
            .needs_tools(Verb::Read)
            .answers::<Commands>()
            .says("The commands there are"),
    ]
}

/// A command.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Command {
    action: String,
    #[serde(default)]
    #[schema(value_type = Object)]
    params: Map<String, Value>,
    #[serde(default)]
    context: Context,
    /// 1 to 300 seconds.
    #[serde(default = "half_a_minute")]
    timeout: u64,
}

/// Circumstances of a command.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Context {
    #[serde(default)]
    correlation_id: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    idempotency_key: Option<String>,
    #[serde(default)]
    approval_token: Option<String>,
}

const fn half_a_minute() -> u64 {
    30
}

impl Input for Command {
    const REQUIRED: &'static [&'static str] = &["action"];
}

/// What a command came to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Execution {
    /// pending, executing, success, failed or timeout.
    status: &'static str,
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
    duration_ms: u64,
    command_id: String,
}

impl Execution {
    fn waiting(command_id: &str, status: &'static str) -> Self {
        Self {
            status,
            result: None,
            error: None,
            duration_ms: 0,
            command_id: command_id.to_owned(),
        }
    }
}

/// How a command ended.
enum Ended {
    Success(Value),
    Failed(Value),
    Timeout,
    /// Over a limit, which is about the request and not the command.
    Limited(Refusal),
}

async fn execute(
    State(admin): State<Admin>,
    Extension(mut caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let mut command: Command = input::read(&headers, body, admin.hub.settings.body_bytes).await?;
    check(&command)?;
    if let Some(text) = &command.context.correlation_id {
        caller.correlation_id = CorrelationId::parse(text)
            .map_err(|error| Refusal::new(Code::InvalidInput, error.to_string()))?;
    }
    let context = &mut command.context;
    if context
        .namespace
        .as_deref()
        .is_some_and(|name| *name != *caller.principal.namespace)
    {
        let message = "context.namespace: this credential has another namespace";
        return Err(Refusal::new(Code::ValidationFailed, message));
    }
    context.approval_token = context
        .approval_token
        .take()
        .or_else(|| header(&headers, "x-approval-token"));
    context.idempotency_key = context
        .idempotency_key
        .take()
        .or_else(|| header(&headers, "idempotency-key"));
    let command_id = uuid::Uuid::now_v7().to_string();
    let asynchronous = header(&headers, "prefer").is_some_and(|it| it.contains("respond-async"));
    if asynchronous {
        return Ok(later(&admin, caller, command, &command_id).await);
    }
    match run(&admin, caller, command, &command_id).await {
        Ok(execution) => Ok(Json(execution).into_response()),
        Err(refusal) => Err(refusal),
    }
}

fn check(command: &Command) -> Result<(), Refusal> {
    if !ACTIONS.contains(&command.action.as_str()) {
        let name: String = command.action.chars().take(64).collect();
        return Err(
            Refusal::new(Code::InvalidCommand, "there is no such command")
                .with("command", name)
                .with("available_commands", ACTIONS.to_vec()),
        );
    }
    if !(1..=300).contains(&command.timeout) {
        return Err(
            Refusal::new(Code::InvalidInput, "timeout is 1 to 300 seconds")
                .with("field", "timeout"),
        );
    }
    Ok(())
}

/// Answers 202 and goes on in a task.
async fn later(admin: &Admin, caller: Caller, command: Command, command_id: &str) -> Response {
    let pending = Execution::waiting(command_id, "pending");
    let principal = caller.principal.id.clone();
    admin.executions.put(&principal, pending.clone()).await;
    let (own, id) = (admin.clone(), command_id.to_owned());
    admin.hub.gateway.tasks.spawn("command", async move {
        own.executions
            .put(&principal, Execution::waiting(&id, "executing"))
            .await;
        let execution = run(&own, caller, command, &id)
            .await
            .unwrap_or_else(|refusal| Execution {
                error: Some(json!({"code": refusal.code.as_str(), "message": refusal.message})),
                ..Execution::waiting(&id, "failed")
            });
        own.executions.put(&principal, execution).await;
    });
    (StatusCode::ACCEPTED, Json(pending)).into_response()
}

async fn run(
    admin: &Admin,
    caller: Caller,
    command: Command,
    command_id: &str,
) -> Result<Execution, Refusal> {
    let started = Instant::now();
    let action = ACTIONS
        .into_iter()
        .find(|it| *it == command.action)
        .unwrap_or("unknown");
    let ended = act(admin, caller, command).await;
    let took = started.elapsed();
    let (status, result, error) = match ended {
        Ended::Limited(refusal) => return Err(refusal),
        Ended::Success(result) => ("success", Some(result), None),
        Ended::Failed(error) => ("failed", None, Some(error)),
        Ended::Timeout => {
            let error =
                json!({"code": Code::Timeout.as_str(), "message": "the command took too long"});
            ("timeout", None, Some(error))
        }
    };
    admin
        .hub
        .gateway
        .metrics
        .command_ended("builtin", action, status, took);
    Ok(Execution {
        status,
        result,
        error,
        duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        command_id: command_id.to_owned(),
    })
}

async fn act(admin: &Admin, caller: Caller, command: Command) -> Ended {
    match command.action.as_str() {
        "test" => Ended::Success(json!({"message": "ok", "params": command.params})),
        "echo" => Ended::Success(Value::Object(command.params)),
        "status" => Ended::Success(json!({
            "status": admin.health.checks().await.status(),
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_seconds": admin.started.elapsed().as_secs(),
        })),
        "list" => {
            let tools = visible(&admin.hub, &caller);
            Ended::Success(json!({"commands": ACTIONS, "tools": tools}))
        }
        _ => call(admin, caller, command).await,
    }
}

async fn call(admin: &Admin, caller: Caller, mut command: Command) -> Ended {
    let Some(Value::String(tool)) = command.params.remove("tool") else {
        let message = "params.tool must be the name of a tool";
        return Ended::Failed(
            json!({"code": Code::MissingRequiredField.as_str(), "message": message}),
        );
    };
    let arguments = match command.params.remove("arguments") {
        None => Map::new(),
        Some(Value::Object(arguments)) => arguments,
        Some(_) => {
            let message = "params.arguments must be an object";
            return Ended::Failed(json!({"code": Code::InvalidInput.as_str(), "message": message}));
        }
    };
    let call = tools::Call {
        tool,
        arguments,
        approval_token: command.context.approval_token,
        idempotency_key: command.context.idempotency_key,
        budget: Some(Duration::from_secs(command.timeout)),
    };
    match tools::make(&admin.hub, caller, call).await {
        Ok(answer) => {
            let result = serde_json::from_str(answer.output.structured.get());
            Ended::Success(result.unwrap_or_default())
        }
        Err(error) if error.code() == Code::Timeout => Ended::Timeout,
        Err(error @ CallError::Limited(_)) => {
            Ended::Limited(errors::refusal(&error, &admin.hub.settings.public_url))
        }
        Err(error) => {
            let refusal = errors::refusal(&error, &admin.hub.settings.public_url);
            Ended::Failed(json!({
                "code": refusal.code.as_str(),
                "message": refusal.message,
                "details": refusal.details,
            }))
        }
    }
}

async fn find(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Path(command_id): Path<String>,
) -> Result<Json<Execution>, Refusal> {
    let found = admin
        .executions
        .get(&caller.principal.id, &command_id)
        .await;
    found
        .map(Json)
        .ok_or_else(|| Refusal::new(Code::NotFound, "there is no such command"))
}

#[derive(Serialize, ToSchema)]
struct Commands {
    commands: Vec<CommandInfo>,
}

#[derive(Serialize, ToSchema)]
struct CommandInfo {
    name: &'static str,
    description: &'static str,
    #[schema(value_type = Object)]
    params_schema: Value,
}

async fn commands() -> Json<Commands> {
    let any = || json!({"type": "object"});
    let info = |name, description, params_schema| CommandInfo {
        name,
        description,
        params_schema,
    };
    let execute = json!({
        "type": "object",
        "required": ["tool"],
        "properties": {"tool": {"type": "string"}, "arguments": {"type": "object"}},
    });
    Json(Commands {
        commands: vec![
            info("test", "Answers that it works, with the parameters.", any()),
            info("echo", "Answers the parameters.", any()),
            info("status", "How the hub is.", any()),
            info("list", "Commands, and the tools the caller may see.", any()),
            info("execute", "Calls a tool.", execute),
        ],
    })
}
