//! The STDIO bridge over plain HTTP: programs of the hub's machine, run as the tools `stdio.*`.

use super::input::{self, Input};
use super::table::Route;
use super::tools::{self, header};
use crate::auth::Verb;
use crate::caller::Caller;
use crate::transport::Hub;
use crate::transport::access::Need;
use crate::transport::errors;
use crate::transport::refusal::Refusal;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shared::error::Code;

pub(super) fn routes() -> Vec<Route> {
    let all = [
        Route::post("/stdio/execute", execute)
            .executes()
            .says("Run a listed program to its end"),
        Route::post("/stdio/process", manage)
            .executes()
            .says("Start, stop, restart or look at a process"),
        Route::get("/stdio/process", look).says("The caller's processes"),
        Route::post("/stdio/send", send)
            .executes()
            .says("Send a line to a process"),
    ];
    let need = Need::Permission("stdio", Verb::Execute);
    all.into_iter().map(|route| route.needs(need)).collect()
}

/// The arguments of a tool, which its schema checks.
#[derive(Deserialize)]
#[serde(transparent)]
struct Arguments(Map<String, Value>);

impl Input for Arguments {
    const REQUIRED: &'static [&'static str] = &[];
}

async fn execute(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    posted(&hub, caller, (&headers, body), "stdio.execute").await
}

async fn manage(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    posted(&hub, caller, (&headers, body), "stdio.process").await
}

async fn send(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    posted(&hub, caller, (&headers, body), "stdio.send").await
}

#[derive(Deserialize)]
struct Looked {
    process_id: Option<String>,
}

async fn look(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Query(looked): Query<Looked>,
) -> Result<Response, Refusal> {
    let mut arguments = Map::new();
    arguments.insert("action".into(), json!("status"));
    if let Some(id) = looked.process_id {
        arguments.insert("process_id".into(), id.into());
    }
    called(
        &hub,
        caller,
        &HeaderMap::new(),
        ("stdio.process", arguments),
    )
    .await
}

async fn posted(
    hub: &Hub,
    caller: Caller,
    (headers, body): (&HeaderMap, Body),
    tool: &str,
) -> Result<Response, Refusal> {
    let arguments: Arguments = input::read(headers, body, hub.settings.body_bytes).await?;
    called(hub, caller, headers, (tool, arguments.0)).await
}

async fn called(
    hub: &Hub,
    caller: Caller,
    headers: &HeaderMap,
    (tool, arguments): (&str, Map<String, Value>),
) -> Result<Response, Refusal> {
    if hub.gateway.router.snapshot().resolve(tool).is_err() {
        let message = "no program may be run: WAYGATE_STDIO_ALLOW is empty";
        return Err(Refusal::new(Code::PolicyViolation, message));
    }
    let call = tools::Call {
        tool: tool.to_owned(),
        arguments,
        approval_token: header(headers, "x-approval-token"),
        idempotency_key: header(headers, "idempotency-key"),
        budget: None,
    };
    let answer = tools::make(hub, caller, call).await;
    let answer = answer.map_err(|error| errors::refusal(&error, &hub.settings.public_url))?;
    let json = answer.output.structured.get().to_owned();
    Ok(([(CONTENT_TYPE, "application/json")], json).into_response())
}
