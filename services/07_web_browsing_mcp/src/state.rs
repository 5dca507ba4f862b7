//! How the spoke is: its health check and its figures.

use crate::sessions::Sessions;
use async_trait::async_trait;
use serde_json::{Value, json};
use shared::id::InvalidId;
use shared::spoke::{Health, HealthCheck, Meter};
use shared::tool::Tool;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whether there is a browser to be had. None is started to find out.
pub(crate) struct BrowserCheck(pub(crate) Sessions);

#[async_trait]
impl HealthCheck for BrowserCheck {
    fn name(&self) -> &str {
        "browser"
    }

    async fn check(&self) -> Health {
        match self.0.browser().ready().await {
            Ok(()) => Health::Healthy,
            Err(error) => Health::Degraded(error.message),
        }
    }
}

/// `web.browse.getMetrics`.
pub(crate) fn metrics_tool(meter: &Meter, sessions: Sessions) -> Result<Arc<dyn Tool>, InvalidId> {
    let figures = move || figures(&sessions);
    shared::spoke::metrics_tool(meter, "web.browse.getMetrics", Arc::new(figures))
}

fn figures(sessions: &Sessions) -> Vec<(&'static str, Value)> {
    let figures = sessions.figures();
    let number = |counter: &AtomicU64| json!(counter.load(Ordering::Relaxed));
    vec![
        ("pages_loaded", number(&figures.pages)),
        ("actions_performed", number(&figures.actions)),
        ("screenshots_taken", number(&figures.pictures)),
        ("errors", number(&figures.errors)),
        ("last_url", json!(figures.last_url.lock().clone())),
        ("browser_active", json!(sessions.browser().is_active())),
    ]
}
