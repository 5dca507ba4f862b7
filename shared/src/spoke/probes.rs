//! What operators and the hub look at: `/`, `/health`, `/ready`, `/metrics`. Open, so nothing secret.

use super::call::Core;
use super::service::{Health, HealthCheck};
use super::store;
use crate::error::Code;
use crate::http::refusal;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::future::join_all;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use parking_lot::Mutex;
use serde_json::{Value, json};
use sqlx::sqlite::SqlitePool;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// An answer is reused for so long, because anybody may ask.
const FRESH: Duration = Duration::from_secs(1);
/// A check that takes longer counts as degraded.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the probes know. Cheap to clone.
#[derive(Clone)]
pub(super) struct Probes(Arc<Inner>);

struct Inner {
    core: Arc<Core>,
    pool: SqlitePool,
    checks: Vec<Arc<dyn HealthCheck>>,
    ready: AtomicBool,
    latest: Mutex<Option<(Instant, Report)>>,
}

#[derive(Clone)]
struct Report {
    worst: &'static str,
    checks: Value,
}

impl Probes {
    pub(super) fn new(
        core: Arc<Core>,
        pool: SqlitePool,
        checks: Vec<Arc<dyn HealthCheck>>,
    ) -> Self {
        Self(Arc::new(Inner {
            core,
            pool,
            checks,
            ready: AtomicBool::new(true),
            latest: Mutex::new(None),
        }))
    }

    /// From now on `/ready` says no.
    pub(super) fn not_ready(&self) {
        self.0.ready.store(false, Ordering::Release);
    }

    pub(super) fn routes(self) -> Router {
        Router::new()
            .route("/", get(info))
            .route("/health", get(health))
            .route("/ready", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self)
    }

    async fn report(&self) -> Report {
        let latest = self.0.latest.lock().clone();
        if let Some((at, report)) = latest
            && at.elapsed() < FRESH
        {
            return report;
        }
        let own = async { ("store".to_owned(), store_health(&self.0.pool).await) };
        let others = join_all(self.0.checks.iter().map(|check| patient(check.as_ref())));
        let (own, mut all) = futures::future::join(own, others).await;
        all.insert(0, own);
        let worst = all.iter().map(|(_, health)| health).max();
        let worst = worst.map_or("healthy", Health::word);
        let checks = all.iter().map(|(name, health)| {
            json!({"name": name, "status": health.word(), "detail": health.detail()})
        });
        let report = Report {
            worst,
            checks: checks.collect(),
        };
        self.0.core.meter.set_health(worst != "unhealthy");
        *self.0.latest.lock() = Some((Instant::now(), report.clone()));
        report
    }
}

async fn patient(check: &dyn HealthCheck) -> (String, Health) {
    let name = check.name().to_owned();
    let health = match tokio::time::timeout(PATIENCE, check.check()).await {
        Ok(health) => health,
        Err(_elapsed) => Health::Degraded("the check took too long".into()),
    };
    (name, health)
}

async fn store_health(pool: &SqlitePool) -> Health {
    match tokio::time::timeout(PATIENCE, store::ping(pool)).await {
        Ok(Ok(())) => Health::Healthy,
        Ok(Err(error)) => {
            tracing::error!(
                event = "spoke.store",
                error = &error as &dyn std::error::Error,
                "the store failed"
            );
            Health::Unhealthy("the service's own store does not answer".into())
        }
        Err(_elapsed) => Health::Unhealthy("the service's own store is too slow".into()),
    }
}

async fn info(State(probes): State<Probes>) -> Json<Value> {
    let service = probes.0.core.service;
    Json(json!({
        "service": service.name,
        "version": service.version,
        "status": "operational",
        "namespaces": service.namespaces,
        "tools": probes.0.core.catalogue.entries().len(),
        "protocols": {"mcp": "/mcp", "grpc": "waygate.spoke.v1.Spoke"},
    }))
}

async fn health(State(probes): State<Probes>) -> Response {
    let report = probes.report().await;
    let core = &probes.0.core;
    let document = json!({
        "status": report.worst,
        "service": core.service.name,
        "version": core.service.version,
        "checks": report.checks,
        "uptime_seconds": core.meter.uptime().as_secs(),
        "timestamp": core.clock.now().to_string(),
    });
    let status = match report.worst {
        "unhealthy" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    (status, Json(document)).into_response()
}

async fn ready(State(probes): State<Probes>) -> Response {
    let ready = probes.0.ready.load(Ordering::Acquire);
    let status = match ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(json!({"ready": ready}))).into_response()
}

async fn metrics(State(probes): State<Probes>) -> Response {
    match probes.0.core.meter.text() {
        Ok(text) => ([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(event = "spoke.metrics", %error, "metrics could not be encoded");
            refusal(Code::InternalError, "metrics could not be encoded")
        }
    }
}
