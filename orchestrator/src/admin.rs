//! The hub's HTTP routes: probes, the command engine, tools, approvals, keys, operations.
//!
//! Every route stands in one table, from which the router and the `OpenAPI` document are made. What
//! every request passes first is `transport::edge`; tool calls go through the gateway like any other.

mod approval_page;
mod approvals;
mod audit;
mod document;
mod effects;
mod engine;
mod health;
mod input;
mod keys;
mod oauth;
mod once;
mod operations;
mod output;
mod policies;
mod probes;
mod servers;
mod status;
mod stdio;
mod table;
mod tools;
mod transports;
mod workflows;

pub(crate) use document::API_VERSION;
pub use health::Health;

use crate::transport::Hub;
use crate::transport::access::{Guard, guard};
use crate::transport::edge::{Edge, edge};
use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use engine::Executions;
use http::StatusCode;
use std::sync::Arc;
use table::{Budget, Repeats, Route, alias};
use tokio::time::Instant;

/// What the routes work with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Admin {
    hub: Hub,
    health: Arc<Health>,
    executions: Executions,
    started: Instant,
}

impl FromRef<Admin> for Hub {
    fn from_ref(admin: &Admin) -> Self {
        admin.hub.clone()
    }
}

impl Admin {
    fn new(hub: Hub) -> Self {
        Self {
            health: Arc::new(Health::new(hub.clone())),
            executions: Executions::default(),
            started: Instant::now(),
            hub,
        }
    }
}

/// Everything the hub answers over HTTP.
pub fn router(hub: Hub) -> Router {
    let edge_state = Edge {
        settings: Arc::clone(&hub.settings),
        metrics: Arc::clone(&hub.gateway.metrics),
        clock: Arc::clone(&hub.gateway.clock),
    };
    routes()
        .into_iter()
        .fold(Router::new(), |router, route| add(router, route, &hub))
        .fallback(nowhere)
        .with_state(Admin::new(hub))
        .layer(from_fn_with_state(edge_state, edge))
}

/// The `OpenAPI` document of these routes. `header` carries API keys.
#[must_use]
pub fn openapi(header: &str) -> serde_json::Value {
    document::of(&routes(), header)
}

/// Every route.
fn routes() -> Vec<Route> {
    [
        probes::routes(),
        transports::routes(),
        engine::routes(),
        tools::routes(),
        status::routes(),
        approval_page::routes(),
        approvals::routes(),
        effects::routes(),
        workflows::routes(),
        keys::routes(),
        operations::routes(),
        policies::routes(),
        audit::routes(),
        servers::routes(),
        oauth::routes(),
        stdio::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn add(router: Router<Admin>, route: Route, hub: &Hub) -> Router<Admin> {
    let Route {
        path,
        handler,
        need,
        budget,
        repeats,
        ..
    } = route;
    let handler = match repeats {
        Repeats::Anew => handler,
        Repeats::Kept => handler.route_layer(from_fn_with_state(hub.clone(), once::layer)),
    };
    let guarded = match budget {
        Budget::Probe => handler,
        Budget::Usual | Budget::Execute => {
            let per_minute = match budget {
                Budget::Execute => hub.settings.execute_per_minute,
                _ => hub.settings.endpoint_per_minute,
            };
            let state = Guard {
                hub: hub.clone(),
                need,
                per_minute,
            };
            handler.route_layer(from_fn_with_state(state, guard))
        }
    };
    match alias(path) {
        Some(other) => router.route(path, guarded.clone()).route(&other, guarded),
        None => router.route(path, guarded),
    }
}

async fn nowhere() -> Response {
    StatusCode::NOT_FOUND.into_response()
}

#[cfg(test)]
mod tests;
