//! Makes metrics and registers them; the names are in the parent.

use prometheus::core::Collector;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// A registry that is being filled.
pub(super) struct New(pub(super) Registry);

const VALID: &str = "metric names are valid and distinct";

impl New {
    pub(super) fn add(&self, collector: impl Collector + 'static) {
        self.0.register(Box::new(collector)).expect(VALID);
    }

    pub(super) fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        let metric = IntCounterVec::new(Opts::new(name, help), labels).expect(VALID);
        self.add(metric.clone());
        metric
    }

    pub(super) fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        let metric = IntGaugeVec::new(Opts::new(name, help), labels).expect(VALID);
        self.add(metric.clone());
        metric
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> IntGauge {
        let metric = IntGauge::new(name, help).expect(VALID);
        self.add(metric.clone());
        metric
    }

    pub(super) fn histograms(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &'static [f64],
    ) -> HistogramVec {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let metric = HistogramVec::new(options, labels).expect(VALID);
        self.add(metric.clone());
        metric
    }
}
