//! Counting tool calls; the names are in the parent.

use super::{CallTotals, ErrorType, MAX_TOOLS, Metrics, UNKNOWN};
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Metrics {
    /// One tool call ended. Unknown tools come as `unknown`; so do tools past the bound on series.
    pub fn call_ended<E: Into<ErrorType>>(
        &self,
        service: &str,
        tool: &str,
        took: Duration,
        error: Option<E>,
    ) {
        let tool = self.bounded(service, tool);
        let labels = [service, tool];
        self.calls.ended.with_label_values(&labels).inc();
        self.calls
            .seconds
            .with_label_values(&labels)
            .observe(took.as_secs_f64());
        if let Some(error) = error {
            self.failed.fetch_add(1, Ordering::Relaxed);
            let labels = [service, error.into().as_str()];
            self.calls.errors.with_label_values(&labels).inc();
        }
    }

    /// The tool calls so far.
    #[must_use]
    pub fn call_totals(&self) -> CallTotals {
        let mut totals = CallTotals::default();
        for (service, tool) in self.tools.read().iter() {
            let count = self.calls.ended.with_label_values(&[service, tool]).get();
            *totals.by_tool.entry(tool.clone()).or_default() += count;
        }
        totals.errors = self.failed.load(Ordering::Relaxed);
        totals
    }

    fn bounded<'a>(&self, service: &str, tool: &'a str) -> &'a str {
        // Two look-ups without an allocation would need a nested map; calls are far rarer than that.
        let pair = (service.to_owned(), tool.to_owned());
        if self.tools.read().contains(&pair) {
            return tool;
        }
        let mut tools = self.tools.write();
        if tools.len() >= MAX_TOOLS {
            return UNKNOWN;
        }
        tools.insert(pair);
        tool
    }
}
