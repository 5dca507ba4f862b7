//! Jobs that only count what other parts tell.

use crate::approvals::Approvals;
use crate::metrics::Metrics;
use shared::tasks::Tasks;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;

/// Counts every change of state until the tasks stop.
pub(super) fn count_approvals(approvals: &Arc<Approvals>, metrics: &Arc<Metrics>, tasks: &Tasks) {
    let (mut changes, metrics) = (approvals.changes(), Arc::clone(metrics));
    let stop = tasks.token();
    let job = async move {
        loop {
            match changes.recv().await {
                Ok(change) => metrics.approval(change.state.as_str()),
                // Some were missed while the machine was busy; the next ones count again.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    };
    drop(tasks.spawn("count approvals", async move {
        stop.run_until_cancelled(job).await;
    }));
}
