//! Workflows: start, look, and do things to runs; events in, events out.
//!
//! Runs are seen by everybody of their organisation who may read, and changed by those who may execute;
//! their steps are decided by policy like any other call.

mod checkpoints;
mod documents;
mod orders;
mod schedules;
mod stream;

use super::input::{self, Input, Paging};
use super::output;
use super::table::Route;
use crate::auth::Verb;
use crate::caller::Caller;
use crate::transport::Hub;
use crate::transport::refusal::Refusal;
use crate::workflow::{ListRuns, Reader, StartRequest, WorkflowError, Workflows, cloud_event};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use documents::{Adopt, AdoptedDocument, Ordered, RunDocument, Start, Validate};
use http::{HeaderMap, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::error::Code;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for the end of a run, in seconds.
const MAX_WAIT: u64 = 300;

pub(super) fn routes() -> Vec<Route> {
    let mut all = runs();
    all.extend(schedules::routes());
    all.extend(checkpoints::routes());
    all
}

fn runs() -> Vec<Route> {
    vec![
        Route::post("/api/workflows", start)
            .needs_tools(Verb::Execute)
            .takes::<Start>()
            .envelopes::<RunDocument>()
            .executes()
            .says("Start a workflow: its id, or with wait the run as it is then"),
        Route::post("/api/workflows/validate", validate)
            .needs_tools(Verb::Execute)
            .takes::<Validate>()
            .envelopes::<RunDocument>()
            .says("Read a workflow and say what is wrong with it; nothing is started"),
        Route::get("/api/workflows", list)
            .needs_tools(Verb::Read)
            .envelopes::<Vec<RunDocument>>()
            .says("Runs, newest first"),
        Route::get("/api/workflows/{id}", show)
            .needs_tools(Verb::Read)
            .envelopes::<RunDocument>()
            .says("One run with its steps and what it waits for"),
        Route::get("/api/workflows/{id}/history", history)
            .needs_tools(Verb::Read)
            .envelopes::<Vec<RunDocument>>()
            .says("What happened to a run, line by line"),
        Route::get("/api/workflows/{id}/definition", definition)
            .needs_tools(Verb::Read)
            .says("The document of a run, as it was given"),
        Route::get("/api/workflows/{id}/events", stream::events)
            .needs_tools(Verb::Read)
            .says("Lifecycle events of a run, as a stream"),
        ordered(
            "/api/workflows/{id}/resume",
            orders::resume,
            "Let a run go on; settles a step that waits",
        ),
        ordered(
            "/api/workflows/{id}/cancel",
            orders::cancel,
            "Stop a run and take back what it did",
        ),
        ordered(
            "/api/workflows/{id}/suspend",
            orders::suspend,
            "Begin nothing new in a run",
        ),
        ordered(
            "/api/workflows/{id}/kill",
            orders::kill,
            "Stop a run, and nothing more; needs a reason",
        ),
        ordered(
            "/api/workflows/{id}/rerun",
            orders::rerun,
            "Run again, from a step or from the start",
        ),
        Route::post("/api/workflows/{id}/adopt", orders::adopt)
            .needs_tools(Verb::Execute)
            .takes::<Adopt>()
            .envelopes::<AdoptedDocument>()
            .says(
                "Let a run that stands still go on with a newer document, or only say what differs",
            ),
        Route::post("/api/events", publish)
            .needs_tools(Verb::Execute)
            .executes()
            .says("Hand in a CloudEvent; runs that listen for it hear it"),
    ]
}

fn ordered<H: axum::handler::Handler<T, super::Admin>, T: 'static>(
    path: &'static str,
    handler: H,
    says: &'static str,
) -> Route {
    Route::post(path, handler)
        .needs_tools(Verb::Execute)
        .takes::<Ordered>()
        .envelopes::<RunDocument>()
        .says(says)
}

fn workflows(hub: &Hub) -> Result<&Arc<Workflows>, Refusal> {
    hub.workflows
        .as_ref()
        .ok_or_else(|| Refusal::new(Code::NotConfigured, "this hub runs no workflows"))
}

/// The text of a document that came as an object or as text.
fn source(document: Value) -> String {
    match document {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

async fn start(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Start = input::read(&headers, body, hub.settings.body_bytes).await?;
    let workflows = workflows(&hub)?;
    let timeout = asked.timeout.unwrap_or(MAX_WAIT);
    if !(1..=MAX_WAIT).contains(&timeout) {
        return Err(Refusal::new(
            Code::InvalidInput,
            "timeout is 1 to 300 seconds",
        ));
    }
    let header = headers
        .get("idempotency-key")
        .and_then(|key| key.to_str().ok());
    let request = StartRequest {
        source: source(asked.workflow),
        input: asked.input,
        idempotency_key: asked.idempotency_key.or_else(|| header.map(str::to_owned)),
        asked_by: None,
    };
    let started = workflows.start(&caller, request).await.map_err(refused)?;
    if asked.wait {
        let timeout = Duration::from_secs(timeout);
        workflows
            .wait(&started.id, timeout)
            .await
            .map_err(refused)?;
    }
    let shown = workflows
        .show(&caller.principal, &started.id)
        .await
        .map_err(refused)?;
    if started.known {
        return Ok(output::data(shown));
    }
    Ok(output::created(
        shown,
        &format!("/api/workflows/{}", started.id),
    ))
}

async fn validate(
    State(hub): State<Hub>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Validate = input::read(&headers, body, hub.settings.body_bytes).await?;
    let definition = workflows(&hub)?
        .read(&source(asked.workflow))
        .map_err(refused)?;
    Ok(output::data(json!({
        "workflow_name": definition.id(),
        "version": definition.document.version,
        "digest": definition.digest,
        "tools": definition.tools.keys().collect::<Vec<_>>(),
    })))
}

#[derive(Default, Deserialize)]
struct Wanted {
    status: Option<String>,
    phase: Option<String>,
    name: Option<String>,
    /// `name=value` of a search attribute.
    attribute: Option<String>,
}

async fn list(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Paging(page): Paging,
    uri: Uri,
) -> Result<Response, Refusal> {
    let invalid = |message: &'static str| Refusal::new(Code::InvalidInput, message);
    let Ok(Query(wanted)) = Query::<Wanted>::try_from_uri(&uri) else {
        return Err(invalid("the query cannot be read"));
    };
    let attribute = match wanted.attribute.as_deref().map(|pair| pair.split_once('=')) {
        None => None,
        Some(Some((name, value))) => Some((name.to_owned(), value.to_owned())),
        Some(None) => return Err(invalid("attribute is name=value")),
    };
    let wanted = ListRuns {
        status: wanted.status,
        phase: wanted.phase,
        name: wanted.name,
        attribute,
    };
    let workflows = workflows(&hub)?;
    let listed = workflows
        .list(&caller.principal, &wanted, page)
        .await
        .map_err(refused)?;
    let rows: Vec<Value> = listed
        .rows
        .iter()
        .map(|row| workflows.summary(row))
        .collect();
    Ok(output::page(&rows, listed.total, page, &uri))
}

async fn show(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let run = workflows(&hub)?.show(&caller.principal, &id).await;
    Ok(output::data(run.map_err(refused)?))
}

#[derive(Default, Deserialize)]
struct After {
    after: Option<u64>,
}

async fn history(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    Query(after): Query<After>,
) -> Result<Response, Refusal> {
    let reader = Reader {
        principal: Arc::clone(&caller.principal),
        after: after.after.unwrap_or_default(),
    };
    let lines = workflows(&hub)?
        .history(&reader, &id)
        .await
        .map_err(refused)?;
    let events: Vec<Value> = lines.iter().map(|line| cloud_event(&id, line)).collect();
    Ok(output::data(events))
}

async fn definition(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let source = workflows(&hub)?
        .source(&caller.principal, &id)
        .await
        .map_err(refused)?;
    let kind = [(http::header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((kind, source).into_response())
}

async fn publish(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let event: Event = input::read(&headers, body, hub.settings.body_bytes).await?;
    let heard = workflows(&hub)?.publish(&caller.principal, event.0).await;
    let mut answer = output::data(json!({"listeners": heard.map_err(refused)?}));
    *answer.status_mut() = StatusCode::ACCEPTED;
    Ok(answer)
}

/// A `CloudEvent` in structured mode.
#[derive(Deserialize)]
struct Event(Value);

impl Input for Event {
    const REQUIRED: &'static [&'static str] = &["id", "source", "type"];
}

pub(super) fn refused(error: WorkflowError) -> Refusal {
    if let WorkflowError::Wrong(complaints) = &error {
        let places: Vec<Value> = complaints
            .iter()
            .map(|it| json!({"code": it.code, "pointer": it.pointer, "line": it.line, "message": it.message}))
            .collect();
        let first = complaints
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        let message = format!("the workflow is wrong: {first}");
        return Refusal::new(error.code(), message).with("fields", places);
    }
    if let WorkflowError::Unseen(_) = &error {
        return Refusal::new(error.code(), error.to_string());
    }
    if error.code() == Code::ServiceUnavailable || error.code() == Code::InternalError {
        tracing::error!(
            event = "workflows_failed",
            error = &error as &dyn std::error::Error,
            "workflows could not be used"
        );
        return Refusal::new(error.code(), "workflows cannot be used now");
    }
    let field = match &error {
        WorkflowError::Invalid { field, .. } => Some(*field),
        _ => None,
    };
    let refusal = Refusal::new(error.code(), error.to_string());
    match field {
        Some(field) => refusal.with("field", field),
        None => refusal,
    }
}
