//! The span of a tool call, for traces. Source: `interfaces.md` 14.

use super::judged::Judged;
use super::{Answer, CallError, Gateway};
use shared::telemetry;
use tracing::Span;
use tracing::field::Empty;

impl Gateway {
    /// Begins the span of a call, below the caller's; the upstream goes on below it.
    pub(super) fn span(&self, call: &mut Judged) -> Span {
        let span = tracing::info_span!(
            "execute_command",
            "command.action" = call.route.tool.id.as_str(),
            "command.params" = Empty,
            "command.status" = Empty,
            "exception.type" = Empty,
            "exception.message" = Empty,
            "otel.status_code" = Empty,
            "otel.status_description" = Empty,
        );
        if let Some(parent) = &call.caller.traceparent {
            telemetry::adopt_traceparent(&span, parent);
        }
        // Writing the arguments out costs more than the rest, so only where somebody reads them.
        if let Some(own) = telemetry::traceparent(&span) {
            span.record("command.params", self.masked(call).to_string());
            call.upstream.call.traceparent = Some(own);
        }
        span
    }
}

/// Writes down how a call ended.
pub(super) fn ended(span: &Span, answer: &Result<Answer, CallError>) {
    match answer {
        Ok(_) => {
            span.record("command.status", "ok");
        }
        Err(error) => {
            let message = error.to_string();
            span.record("command.status", "failed");
            span.record("exception.type", error.code().as_str());
            span.record("exception.message", &message);
            span.record("otel.status_code", "ERROR");
            span.record("otel.status_description", &message);
        }
    }
}
