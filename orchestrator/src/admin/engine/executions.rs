//! Asynchronous commands, kept for their callers to ask for.

use super::Execution;
use moka::future::Cache;
use std::sync::Arc;
use std::time::Duration;

/// Commands kept.
const KEPT: u64 = 10_000;
/// How long one is kept.
const LIFE: Duration = Duration::from_secs(3600);

/// Commands by principal and id. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Executions(Cache<(Arc<str>, String), Execution>);

impl Default for Executions {
    fn default() -> Self {
        Self(
            Cache::builder()
                .max_capacity(KEPT)
                .time_to_live(LIFE)
                .build(),
        )
    }
}

impl Executions {
    pub(super) async fn put(&self, principal: &Arc<str>, execution: Execution) {
        let key = (Arc::clone(principal), execution.command_id.clone());
        self.0.insert(key, execution).await;
    }

    pub(super) async fn get(&self, principal: &Arc<str>, command_id: &str) -> Option<Execution> {
        self.0
            .get(&(Arc::clone(principal), command_id.to_owned()))
            .await
    }
}
