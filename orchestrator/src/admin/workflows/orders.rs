//! What operators do to a run.

use super::documents::{Adopt, Ordered};
use super::{refused, source, workflows};
use crate::admin::input::Input;
use crate::admin::{Admin, input, output};
use crate::caller::Caller;
use crate::transport::Hub;
use crate::transport::refusal::Refusal;
use crate::workflow::{AdoptRequest, Order, StepResolution, WorkflowError, Workflows};
use axum::extract::{FromRef, FromRequest, FromRequestParts, Path, Request};
use axum::response::Response;
use shared::error::Code;
use std::sync::Arc;

/// Somebody wants something done to a run.
pub(super) struct Wish<T = Ordered> {
    workflows: Arc<Workflows>,
    caller: Caller,
    id: String,
    asked: T,
}

pub(super) async fn resume(wish: Wish) -> Result<Response, Refusal> {
    let asked = &wish.asked;
    let resolution = match asked.resolution.as_deref() {
        None => None,
        Some("retry") => Some(StepResolution::Retry),
        Some("assume_done") => Some(StepResolution::AssumeDone(asked.output.clone())),
        Some("skip") => Some(StepResolution::Skip(asked.output.clone())),
        Some("abort") => Some(StepResolution::Abort),
        Some(_) => {
            let message = "resolution is retry, assume_done, skip or abort";
            return Err(Refusal::new(Code::InvalidInput, message).with("field", "resolution"));
        }
    };
    let step = (asked.path.clone(), resolution);
    let done = wish
        .workflows
        .resume(&wish.caller, &wish.id, step, asked.reason.clone());
    wish.shown_after(done.await).await
}

pub(super) async fn cancel(wish: Wish) -> Result<Response, Refusal> {
    wish.order(Order::Cancel).await
}

pub(super) async fn suspend(wish: Wish) -> Result<Response, Refusal> {
    wish.order(Order::Pause).await
}

pub(super) async fn kill(wish: Wish) -> Result<Response, Refusal> {
    wish.order(Order::Kill).await
}

pub(super) async fn rerun(wish: Wish) -> Result<Response, Refusal> {
    let from = wish.asked.from_step.as_deref();
    let started = wish.workflows.rerun(&wish.caller, &wish.id, from).await;
    let id = started.map_err(refused)?.id;
    let shown = wish.workflows.show(&wish.caller.principal, &id).await;
    let shown = shown.map_err(refused)?;
    Ok(output::created(shown, &format!("/api/workflows/{id}")))
}

pub(super) async fn adopt(wish: Wish<Adopt>) -> Result<Response, Refusal> {
    let request = AdoptRequest {
        source: source(wish.asked.workflow),
        dry_run: wish.asked.dry_run,
        reason: wish.asked.reason,
    };
    let adopted = wish
        .workflows
        .adopt_definition(&wish.caller, &wish.id, request);
    Ok(output::data(adopted.await.map_err(refused)?.to_json()))
}

impl Wish {
    async fn order(self, order: Order) -> Result<Response, Refusal> {
        let reason = self.asked.reason.clone();
        let done = self
            .workflows
            .order(&self.caller, &self.id, order, reason)
            .await;
        self.shown_after(done).await
    }

    async fn shown_after(&self, done: Result<(), WorkflowError>) -> Result<Response, Refusal> {
        done.map_err(refused)?;
        let shown = self.workflows.show(&self.caller.principal, &self.id).await;
        Ok(output::data(shown.map_err(refused)?))
    }
}

impl<T: Input + Send> FromRequest<Admin> for Wish<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, admin: &Admin) -> Result<Self, Refusal> {
        let hub = Hub::from_ref(admin);
        let (mut parts, body) = request.into_parts();
        let path = Path::<String>::from_request_parts(&mut parts, admin).await;
        let headers = std::mem::take(&mut parts.headers);
        let asked = input::read(&headers, body, hub.settings.body_bytes).await?;
        let caller = parts.extensions.remove::<Caller>();
        let (Ok(Path(id)), Some(caller)) = (path, caller) else {
            return Err(Refusal::new(Code::NotFound, "there is no such workflow"));
        };
        Ok(Self {
            workflows: Arc::clone(workflows(&hub)?),
            caller,
            id,
            asked,
        })
    }
}
