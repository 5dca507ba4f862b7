//! Counting workflows; the names are in the parent.

use super::Metrics;
use std::time::Duration;

impl Metrics {
    /// A workflow was asked for.
    pub fn workflow_started(&self) {
        self.workflows.ended.with_label_values(&["started"]).inc();
    }

    /// A workflow ended with this status.
    pub fn workflow_ended(&self, status: &str, took: Duration) {
        let runs = &self.workflows;
        runs.ended.with_label_values(&[status]).inc();
        let seconds = runs.seconds.with_label_values(&[status]);
        seconds.observe(took.as_secs_f64());
    }

    /// A step of a workflow reached this status.
    pub fn workflow_step(&self, status: &str) {
        self.workflows.steps.with_label_values(&[status]).inc();
    }

    /// A timer fired so many microseconds late.
    pub fn workflow_timer_lag(&self, micros: i64) {
        let late = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        let lag = self.workflows.timer_lag.with_label_values::<&str>(&[]);
        lag.observe(late.as_secs_f64());
    }

    /// So many workflows stand still without a reason.
    pub fn workflows_stuck(&self, count: i64) {
        self.workflows.stuck.set(count);
    }

    /// So many workflows are held in memory.
    pub fn workflows_at_work(&self, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.workflows.at_work.set(count);
    }
}
