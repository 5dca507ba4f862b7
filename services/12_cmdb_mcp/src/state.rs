//! How the spoke is: its health checks and its figures.

use crate::servicenow::ServiceNow;
use crate::store::Store;
use async_trait::async_trait;
use serde_json::{Value, json};
use shared::id::InvalidId;
use shared::spoke::{Health, HealthCheck, Meter};
use shared::tool::Tool;
use std::sync::Arc;

/// Whether the file can be read. One that does not exist yet is an empty CMDB.
pub(crate) struct LocalCheck(pub(crate) Arc<Store>);

#[async_trait]
impl HealthCheck for LocalCheck {
    fn name(&self) -> &str {
        "local"
    }

    async fn check(&self) -> Health {
        match self.0.get().await {
            Ok(_) => Health::Healthy,
            Err(error) => Health::Degraded(error.message),
        }
    }
}

/// Whether `ServiceNow` answered last. Nobody is asked: a probe must not load a system of others.
pub(crate) struct RemoteCheck(pub(crate) Arc<ServiceNow>);

#[async_trait]
impl HealthCheck for RemoteCheck {
    fn name(&self) -> &str {
        "servicenow"
    }

    async fn check(&self) -> Health {
        health_of(&self.0)
    }
}

/// Not to use it is a choice; to have begun and not finished is not.
fn health_of(remote: &ServiceNow) -> Health {
    match remote {
        ServiceNow::Missing(missing) if missing.begun => {
            Health::Degraded(format!("not configured: set {}", missing.setting))
        }
        ServiceNow::Missing(_) => Health::Healthy,
        ServiceNow::Ready(connection) => match connection.trouble() {
            None => Health::Healthy,
            Some(trouble) => Health::Degraded(trouble),
        },
    }
}

/// `cmdb.getMetrics`.
pub(crate) fn metrics_tool(
    meter: &Meter,
    store: Arc<Store>,
    remote: Arc<ServiceNow>,
) -> Result<Arc<dyn Tool>, InvalidId> {
    let counters = meter.clone();
    let figures = move || figures(&counters, &store, &remote);
    shared::spoke::metrics_tool(meter, "cmdb.getMetrics", Arc::new(figures))
}

fn figures(meter: &Meter, store: &Store, remote: &ServiceNow) -> Vec<(&'static str, Value)> {
    let cmdb = store.load().ok();
    let (rows, rejected) = cmdb.as_ref().map_or((0, 0), |cmdb| {
        (cmdb.inventory.len(), cmdb.inventory.rejected())
    });
    let status = match (&cmdb, health_of(remote)) {
        (Some(_), Health::Healthy) => "healthy",
        _ => "degraded",
    };
    let (calls, errors) = meter.totals();
    vec![
        ("status", json!(status)),
        (
            "local_cmdb_loaded",
            json!(cmdb.is_some_and(|cmdb| cmdb.exists)),
        ),
        ("rows", json!(rows)),
        ("rejected_rows", json!(rejected)),
        (
            "servicenow_client_initialized",
            json!(matches!(remote, ServiceNow::Ready(_))),
        ),
        ("requests_processed", json!(calls)),
        ("errors_encountered", json!(errors)),
    ]
}
