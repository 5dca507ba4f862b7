//! Routes of checkpoints: state somebody keeps for the steps of a run.

use super::documents::{Checkpoint, Restore};
use super::{refused, workflows};
use crate::admin::table::Route;
use crate::admin::{input, output};
use crate::auth::Verb;
use crate::caller::Caller;
use crate::transport::Hub;
use crate::transport::refusal::Refusal;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/workflows/{id}/checkpoints", keep)
            .needs_tools(Verb::Execute)
            .takes::<Checkpoint>()
            .says("Keep state for a step of a run"),
        Route::post("/api/workflows/{id}/restore", restore)
            .needs_tools(Verb::Execute)
            .takes::<Restore>()
            .says("Give back the state that was kept for a step of a run"),
    ]
}

async fn keep(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Checkpoint = input::read(&headers, body, hub.settings.body_bytes).await?;
    let place = (id.as_str(), asked.step.as_str());
    let kept = workflows(&hub)?.checkpoint(&caller.principal, place, &asked.state);
    Ok(output::data(kept.await.map_err(refused)?))
}

async fn restore(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Restore = input::read(&headers, body, hub.settings.body_bytes).await?;
    let place = (id.as_str(), asked.checkpoint_id.as_str());
    let found = workflows(&hub)?.checkpoint_by_id(&caller.principal, place);
    Ok(output::data(found.await.map_err(refused)?))
}
