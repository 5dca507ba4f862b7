//! One line and one count for each call.

use super::{Caller, Core, Failure};
use crate::id::CorrelationId;
use crate::spoke::catalogue::Entry;
use crate::tool::Output;
use tokio::time::Instant;

/// Counts and logs one call, also one whose future was dropped.
pub(super) struct Record<'a> {
    core: &'a Core,
    tool: Option<String>,
    principal: String,
    correlation_id: CorrelationId,
    started: Instant,
    open: bool,
}

impl<'a> Record<'a> {
    pub(super) fn new(core: &'a Core, entry: Option<&Entry>, caller: &Caller) -> Self {
        Self {
            core,
            tool: entry.map(|entry| entry.id().to_string()),
            principal: caller.principal.clone(),
            correlation_id: caller.correlation_id.clone(),
            started: Instant::now(),
            open: true,
        }
    }

    pub(super) fn close(&mut self, outcome: &Result<Output, Failure>) {
        self.open = false;
        let took = self.started.elapsed();
        let failure = outcome.as_ref().err();
        self.core.meter.count(self.tool.as_deref(), took, failure);
        let error = failure.map(|failure| failure.as_error(self.core.service.name));
        tracing::info!(
            event = "call",
            correlation_id = %self.correlation_id,
            tool = self.tool.as_deref().unwrap_or("unknown"),
            principal = self.principal,
            duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            status = if error.is_none() { "success" } else { "failed" },
            error_code = error.as_ref().map(|error| error.code.as_str()),
            "a tool was called"
        );
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if self.open {
            self.close(&Err(Failure::Cancelled));
        }
    }
}
