//! Metrics of workflows: names, labels, buckets, and counting.
//!
//! Steps a second are the rate of `waygate_workflow_steps_total`.

use super::new::New;
use super::{CALL_BUCKETS, Metrics};
use prometheus::{HistogramVec, IntCounterVec, IntGauge, IntGaugeVec};
use std::time::Duration;

/// Seconds of one workflow, people included.
const RUN_BUCKETS: &[f64] = &[
    0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 1800.0, 7200.0, 86_400.0,
];
/// Every phase a run can be open in.
const OPEN: [&str; 4] = ["pending", "running", "waiting", "suspended"];

/// Workflows and their steps.
pub(super) struct Runs {
    ended: IntCounterVec,
    steps: IntCounterVec,
    seconds: HistogramVec,
    timer_lag: HistogramVec,
    queue: HistogramVec,
    open: IntGaugeVec,
    unknown: IntGauge,
    stuck: IntGauge,
    at_work: IntGauge,
}

impl Runs {
    pub(super) fn new(new: &New) -> Self {
        let status = &["status"];
        let gauge = |name, help| new.gauge(name, help);
        let times = |name, help| new.histograms(name, help, &[], CALL_BUCKETS);
        Self {
            ended: new.counters("waygate_workflows_total", "Workflows by status.", status),
            steps: new.counters("waygate_workflow_steps_total", "Steps by status.", status),
            seconds: new.histograms(
                "waygate_workflow_duration_seconds",
                "Duration of workflows.",
                status,
                RUN_BUCKETS,
            ),
            timer_lag: times(
                "waygate_workflow_timer_lag_seconds",
                "How late timers of workflows fire.",
            ),
            queue: times(
                "waygate_workflow_queue_seconds",
                "How long steps wait to be sent.",
            ),
            open: new.gauges(
                "waygate_workflows_open",
                "Workflows of this hub that are not over, by phase.",
                &["phase"],
            ),
            unknown: gauge(
                "waygate_workflow_steps_unknown",
                "Steps whose outcome is unknown and that wait for an operator.",
            ),
            stuck: gauge(
                "waygate_workflows_stuck",
                "Open workflows that wait for nothing that could come.",
            ),
            at_work: gauge("waygate_workflows_at_work", "Workflows held in memory now."),
        }
    }
}

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

    /// A step waited so long for its place among those in flight.
    pub fn workflow_queued(&self, waited: Duration) {
        let queue = self.workflows.queue.with_label_values::<&str>(&[]);
        queue.observe(waited.as_secs_f64());
    }

    /// So many workflows of this hub are open in these phases, none in the others.
    pub fn workflows_open(&self, by_phase: &[(String, i64)]) {
        for phase in OPEN {
            let found = by_phase.iter().find(|(own, _)| own == phase);
            let gauge = self.workflows.open.with_label_values(&[phase]);
            gauge.set(found.map_or(0, |(_, count)| *count));
        }
    }

    /// So many steps wait for an operator to say what became of them.
    pub fn workflow_unknowns(&self, count: i64) {
        self.workflows.unknown.set(count);
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
