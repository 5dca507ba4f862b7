//! What operators do to a run.

use super::documents::Ordered;
use super::{refused, shown, workflows};
use crate::admin::{input, output};
use crate::caller::Caller;
use crate::transport::Hub;
use crate::transport::refusal::Refusal;
use crate::workflow::{Order, StepResolution};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use shared::error::Code;

pub(super) async fn resume(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Ordered = input::read(&headers, body, hub.settings.body_bytes).await?;
    let resolution = match asked.resolution.as_deref() {
        None => None,
        Some("retry") => Some(StepResolution::Retry),
        Some("assume_done") => Some(StepResolution::AssumeDone(asked.output)),
        Some("skip") => Some(StepResolution::Skip(asked.output)),
        Some("abort") => Some(StepResolution::Abort),
        Some(_) => {
            let message = "resolution is retry, assume_done, skip or abort";
            return Err(Refusal::new(Code::InvalidInput, message).with("field", "resolution"));
        }
    };
    workflows(&hub)?
        .resume(&caller, &id, (asked.path, resolution), asked.reason)
        .await
        .map_err(refused)?;
    shown(&hub, &caller, &id).await
}

pub(super) async fn cancel(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Ordered = input::read(&headers, body, hub.settings.body_bytes).await?;
    order(&hub, &caller, &id, (Order::Cancel, asked.reason)).await
}

pub(super) async fn suspend(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Ordered = input::read(&headers, body, hub.settings.body_bytes).await?;
    order(&hub, &caller, &id, (Order::Pause, asked.reason)).await
}

pub(super) async fn kill(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Ordered = input::read(&headers, body, hub.settings.body_bytes).await?;
    order(&hub, &caller, &id, (Order::Kill, asked.reason)).await
}

async fn order(
    hub: &Hub,
    caller: &Caller,
    id: &str,
    (order, reason): (Order, Option<String>),
) -> Result<Response, Refusal> {
    let workflows = workflows(hub)?;
    workflows
        .order(caller, id, order, reason)
        .await
        .map_err(refused)?;
    shown(hub, caller, id).await
}

pub(super) async fn rerun(
    State(hub): State<Hub>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let asked: Ordered = input::read(&headers, body, hub.settings.body_bytes).await?;
    let workflows = workflows(&hub)?;
    let started = workflows
        .rerun(&caller, &id, asked.from_step.as_deref())
        .await;
    let id = started.map_err(refused)?.id;
    let shown = workflows
        .show(&caller.principal, &id)
        .await
        .map_err(refused)?;
    Ok(output::created(shown, &format!("/api/workflows/{id}")))
}
