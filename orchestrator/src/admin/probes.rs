//! What monitoring asks: who are you, how are you, are you ready, how much.

use super::Admin;
use super::document::API_VERSION;
use super::table::Route;
use crate::auth::Verb;
use crate::metrics::{CONTENT_TYPE as PROMETHEUS, PoolSize};
use crate::transport::Hub;
use crate::transport::access::Need;
use crate::transport::address::within;
use crate::transport::refusal::Refusal;
use crate::transport::seen::Seen;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use shared::error::Code;
use utoipa::ToSchema;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/", root)
            .needs(Need::Nothing)
            .answers::<Root>()
            .says("What this is"),
        Route::get("/health", health)
            .probe()
            .answers::<HealthDocument>()
            .says("Whether it works"),
        Route::get("/ready", ready)
            .probe()
            .answers::<Ready>()
            .says("Whether it takes calls"),
        Route::get("/metrics", metrics)
            .probe()
            .says("Prometheus text; internal networks only"),
        Route::get("/openapi.json", openapi)
            .needs(Need::Nothing)
            .says("This document"),
    ]
}

#[derive(Serialize, ToSchema)]
struct Root {
    service: &'static str,
    version: &'static str,
    api_version: &'static str,
    status: &'static str,
    mode: &'static str,
    description: &'static str,
    documentation: String,
}

async fn root(State(hub): State<Hub>) -> Json<Root> {
    Json(Root {
        service: "waygate",
        version: env!("CARGO_PKG_VERSION"),
        api_version: API_VERSION,
        status: "operational",
        mode: hub.settings.mode,
        description: "One hub through which AI hosts call tools.",
        documentation: format!("{}/openapi.json", hub.settings.public_url),
    })
}

#[derive(Serialize, ToSchema)]
struct HealthDocument {
    /// healthy, degraded or unhealthy.
    status: &'static str,
    checks: ChecksDocument,
    version: &'static str,
    uptime_seconds: u64,
    timestamp: String,
    /// With a key that may read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    details: Option<Value>,
}

/// Each is ok, degraded or error.
#[derive(Serialize, ToSchema)]
struct ChecksDocument {
    database: &'static str,
    cache: &'static str,
    filesystem: &'static str,
    services: &'static str,
}

async fn health(
    State(admin): State<Admin>,
    Extension(seen): Extension<Seen>,
    headers: HeaderMap,
) -> Response {
    let checks = admin.health.checks().await;
    let document = HealthDocument {
        status: checks.status(),
        checks: ChecksDocument {
            database: checks.database.as_str(),
            cache: checks.cache.as_str(),
            filesystem: checks.filesystem.as_str(),
            services: checks.services.as_str(),
        },
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: admin.started.elapsed().as_secs(),
        timestamp: format!("{:.3}", admin.hub.gateway.clock.now()),
        details: details(&admin.hub, &seen, &headers).await,
    };
    let status = match document.status {
        "unhealthy" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    (status, Json(document)).into_response()
}

/// For those who may read; anybody else gets the short answer.
async fn details(hub: &Hub, seen: &Seen, headers: &HeaderMap) -> Option<Value> {
    let header = &hub.settings.api_key_header;
    if !headers.contains_key(header) && !headers.contains_key(AUTHORIZATION) {
        return None;
    }
    let principal = hub.authenticate(seen, headers).await.ok()?;
    if !principal.permissions.allow("tools", Verb::Read) {
        return None;
    }
    let services: serde_json::Map<String, Value> = hub
        .registry
        .services()
        .iter()
        .map(|it| (it.service.to_string(), it.status.as_str().into()))
        .collect();
    let pool = hub.store.pool_stats();
    let pool = json!({"open": pool.open, "idle": pool.idle, "max": pool.max});
    Some(json!({"pool": pool, "services": services}))
}

#[derive(Serialize, ToSchema)]
struct Ready {
    ready: bool,
}

async fn ready(State(admin): State<Admin>) -> Response {
    let ready = admin.health.ready().await;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Ready { ready })).into_response()
}

async fn metrics(
    State(hub): State<Hub>,
    Extension(seen): Extension<Seen>,
) -> Result<Response, Refusal> {
    let internal = |address| within(&hub.settings.metrics_allow, address);
    if !seen.address.is_some_and(internal) {
        return Err(Refusal::new(
            Code::Forbidden,
            "metrics are for internal networks",
        ));
    }
    // A store that is away is told by the health, and leaves the last figure.
    if let Ok(waiting) = hub.gateway.approvals.pending().await {
        hub.gateway.metrics.approvals_pending(waiting);
    }
    let pool = hub.store.pool_stats();
    hub.gateway.metrics.pool(PoolSize {
        open: pool.open,
        idle: pool.idle,
        max: pool.max,
    });
    Ok(([(CONTENT_TYPE, PROMETHEUS)], hub.gateway.metrics.render()).into_response())
}

/// Open on a desk; for admins elsewhere.
async fn openapi(
    State(hub): State<Hub>,
    Extension(seen): Extension<Seen>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    if !hub.settings.development {
        let principal = hub.authenticate(&seen, &headers).await?;
        Need::Admin.check(&principal)?;
    }
    let header = hub.settings.api_key_header.as_str();
    Ok(Json(super::openapi(header)).into_response())
}
