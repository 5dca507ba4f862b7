//! How the spoke is: its health check, its figures, and the task that looks at the files.

use crate::library::Library;
use async_trait::async_trait;
use serde_json::json;
use shared::id::InvalidId;
use shared::spoke::{Health, HealthCheck, Meter};
use shared::tasks::Tasks;
use shared::tool::Tool;
use std::sync::Arc;
use std::time::Duration;

/// Whether the files can be read and are documents.
pub(crate) struct StoreCheck(pub(crate) Arc<Library>);

#[async_trait]
impl HealthCheck for StoreCheck {
    fn name(&self) -> &str {
        "documents"
    }

    async fn check(&self) -> Health {
        match self.0.with(|library| Ok(library.figures())).await {
            Err(error) => Health::Unhealthy(error.message),
            Ok(figures) => match figures.problems.first() {
                None => Health::Healthy,
                Some(first) => {
                    let problems = figures.problems.len();
                    Health::Degraded(format!("{problems} files are no documents: {first}"))
                }
            },
        }
    }
}

/// Looks at the files now and every `interval`.
pub(crate) fn look_after(tasks: &Tasks, library: &Arc<Library>, interval: Duration) {
    let (stop, library) = (tasks.token(), Arc::clone(library));
    tasks.spawn("docs_index", async move {
        loop {
            if let Err(error) = library.with(Library::refresh).await {
                tracing::warn!(event = "docs_unread", %error, "the documents could not be looked at");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(interval) => {}
            }
        }
    });
}

/// `docs.getMetrics`.
pub(crate) fn metrics_tool(
    meter: &Meter,
    library: Arc<Library>,
) -> Result<Arc<dyn Tool>, InvalidId> {
    let figures = move || {
        let figures = library.figures();
        vec![
            ("documents", json!(figures.documents)),
            ("index_size_bytes", json!(figures.index_bytes)),
            ("last_indexed", json!(figures.indexed)),
            ("rejected_files", json!(figures.problems.len())),
        ]
    };
    shared::spoke::metrics_tool(meter, "docs.getMetrics", Arc::new(figures))
}
