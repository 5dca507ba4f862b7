//! Routes of schedules: make, list, hold, let go on, remove.

use super::documents::{Held, Scheduled};
use super::{refused, source, workflows};
use crate::admin::table::Route;
use crate::admin::{input, output};
use crate::auth::Verb;
use crate::caller::Caller;
use crate::transport::Hub;
use crate::transport::refusal::Refusal;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/workflow-schedules", make)
            .needs_tools(Verb::Execute)
            .takes::<Scheduled>()
            .says("Let a workflow start by itself, as its document says"),
        Route::get("/api/workflow-schedules", list)
            .needs_tools(Verb::Read)
            .says("Schedules, by name"),
        Route::get("/api/workflow-schedules/{id}", show)
            .needs_tools(Verb::Read)
            .says("One schedule: its rule, when it is due, its last run"),
        Route::post("/api/workflow-schedules/{id}/pause", pause)
            .needs_tools(Verb::Execute)
            .takes::<Held>()
            .says("Start nothing by this schedule"),
        Route::post("/api/workflow-schedules/{id}/resume", resume)
            .needs_tools(Verb::Execute)
            .says("Let a schedule go on from now"),
        Route::delete("/api/workflow-schedules/{id}", remove)
            .needs_tools(Verb::Execute)
            .says("Remove a schedule; its runs stay"),
    ]
}

async fn make(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Scheduled = input::read(&headers, body, hub.settings.body_bytes).await?;
    let text = source(asked.workflow);
    let made = workflows(&hub)?
        .schedule(&caller, asked.name.as_deref(), (&text, &asked.input))
        .await
        .map_err(refused)?;
    let id = made.get("schedule_id").and_then(|id| id.as_str());
    let place = format!("/api/workflow-schedules/{}", id.unwrap_or_default());
    Ok(output::created(made, &place))
}

async fn list(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Refusal> {
    let listed = workflows(&hub)?.schedules(&caller.principal).await;
    Ok(output::data(listed.map_err(refused)?))
}

async fn show(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let shown = workflows(&hub)?.schedule_by_id(&caller.principal, &id);
    Ok(output::data(shown.await.map_err(refused)?))
}

async fn pause(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Held = input::read(&headers, body, hub.settings.body_bytes).await?;
    let held = workflows(&hub)?.hold_schedule(&caller, &id, Some(&asked.reason));
    Ok(output::data(held.await.map_err(refused)?))
}

async fn resume(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let held = workflows(&hub)?.hold_schedule(&caller, &id, None).await;
    Ok(output::data(held.map_err(refused)?))
}

async fn remove(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    workflows(&hub)?
        .unschedule(&caller, &id)
        .await
        .map_err(refused)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
