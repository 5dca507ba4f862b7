//! The counters of a spoke, and the tool that shows them. Source: `interfaces.md` 14.

use super::call::Failure;
use crate::clock::SharedClock;
use crate::error::Code;
use crate::id::InvalidId;
use crate::tool::{Call, Effect, Spec, Tool, ToolError, TypedTool, boxed};
use async_trait::async_trait;
use parking_lot::Mutex;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The counters of one spoke. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Meter(Arc<Inner>);

struct Inner {
    service: &'static str,
    clock: SharedClock,
    started: Instant,
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    health: IntGaugeVec,
    errors: IntCounterVec,
    /// By canonical id, so bounded by the number of tools.
    totals: Mutex<Totals>,
}

#[derive(Debug, Clone, Default)]
struct Totals {
    errors: u64,
    by_tool: BTreeMap<String, u64>,
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meter").field(&self.0.service).finish()
    }
}

impl Meter {
    /// Counters that stand at zero.
    ///
    /// # Errors
    /// When a metric's name is refused: a mistake in this file.
    pub(super) fn new(service: &'static str, clock: SharedClock) -> prometheus::Result<Self> {
        let inner = Inner {
            service,
            clock,
            started: Instant::now(),
            registry: Registry::new(),
            requests: IntCounterVec::new(
                Opts::new("mcp_requests_total", "calls of tools"),
                &["service", "tool"],
            )?,
            durations: HistogramVec::new(
                HistogramOpts::new("mcp_request_duration_seconds", "duration of calls").buckets(
                    vec![
                        0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
                        60.0, 300.0,
                    ],
                ),
                &["service", "tool"],
            )?,
            health: IntGaugeVec::new(
                Opts::new("mcp_service_health", "1 when the service works, 0 when not"),
                &["service"],
            )?,
            errors: IntCounterVec::new(
                Opts::new("mcp_errors_total", "failed calls by kind"),
                &["service", "error_type"],
            )?,
            totals: Mutex::default(),
        };
        inner.registry.register(Box::new(inner.requests.clone()))?;
        inner.registry.register(Box::new(inner.durations.clone()))?;
        inner.registry.register(Box::new(inner.health.clone()))?;
        inner.registry.register(Box::new(inner.errors.clone()))?;
        let process = prometheus::process_collector::ProcessCollector::for_self();
        inner.registry.register(Box::new(process))?;
        let meter = Self(Arc::new(inner));
        meter.set_health(true);
        Ok(meter)
    }

    /// Where a spoke registers metrics of its own.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Since the meter was made.
    #[must_use]
    pub fn uptime(&self) -> Duration {
        self.0.started.elapsed()
    }

    /// Calls of known tools since the start, and how many of all calls failed.
    #[must_use]
    pub fn totals(&self) -> (u64, u64) {
        let totals = self.0.totals.lock();
        (totals.by_tool.values().sum(), totals.errors)
    }

    /// Whether the service works, for the gauge.
    pub(super) fn set_health(&self, works: bool) {
        let gauge = self.0.health.with_label_values(&[self.0.service]);
        gauge.set(i64::from(works));
    }

    /// Counts one call. `tool` is a canonical id, `None` for a name nobody answers to.
    pub(super) fn count(&self, tool: Option<&str>, took: Duration, failure: Option<&Failure>) {
        let labels = [self.0.service, tool.unwrap_or("unknown")];
        self.0.requests.with_label_values(&labels).inc();
        self.0
            .durations
            .with_label_values(&labels)
            .observe(took.as_secs_f64());
        let error = failure.and_then(error_type);
        if let Some(error) = error {
            let labels = [self.0.service, error];
            self.0.errors.with_label_values(&labels).inc();
        }
        let mut totals = self.0.totals.lock();
        totals.errors += u64::from(error.is_some());
        if let Some(tool) = tool {
            *totals.by_tool.entry(tool.to_owned()).or_default() += 1;
        }
    }

    /// Prometheus text.
    pub(super) fn text(&self) -> prometheus::Result<String> {
        prometheus::TextEncoder::new().encode_to_string(&self.0.registry.gather())
    }

    fn snapshot(&self, extra: &ExtraMetrics) -> Metrics {
        let totals = self.0.totals.lock().clone();
        Metrics {
            service: self.0.service.to_owned(),
            metrics: Figures {
                calls_total: totals.by_tool.values().sum(),
                errors_total: totals.errors,
                calls_by_tool: totals.by_tool,
                uptime_seconds: self.uptime().as_secs(),
                extra: extra()
                    .into_iter()
                    .filter(|(name, _)| !COMMON.contains(name))
                    .map(|(k, v)| (k.to_owned(), v))
                    .collect(),
            },
            timestamp: self.0.clock.now().to_string(),
        }
    }
}

/// Figures every service has.
const COMMON: &[&str] = &[
    "calls_total",
    "errors_total",
    "calls_by_tool",
    "uptime_seconds",
];

/// Further figures of a spoke for its metrics tool, asked for at each call; must not block. One named
/// like a figure every service has is left out, so that no key stands twice.
pub type ExtraMetrics = Arc<dyn Fn() -> Vec<(&'static str, Value)> + Send + Sync>;

/// The `…getMetrics` tool every service has.
///
/// # Errors
/// [`InvalidId`] when `id` is not a canonical tool id.
pub fn metrics_tool(
    meter: &Meter,
    id: &'static str,
    extra: ExtraMetrics,
) -> Result<Arc<dyn Tool>, InvalidId> {
    boxed(GetMetrics {
        meter: meter.clone(),
        id,
        extra,
    })
}

struct GetMetrics {
    meter: Meter,
    id: &'static str,
    extra: ExtraMetrics,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoArguments {}

#[derive(Serialize, JsonSchema)]
struct Metrics {
    /// Name of the service.
    service: String,
    metrics: Figures,
    /// RFC 3339, UTC.
    timestamp: String,
}

#[derive(Serialize, JsonSchema)]
struct Figures {
    /// Calls since the start.
    calls_total: u64,
    /// Of them, failed ones.
    errors_total: u64,
    calls_by_tool: BTreeMap<String, u64>,
    uptime_seconds: u64,
    /// Figures of this service only.
    #[serde(flatten)]
    extra: BTreeMap<String, Value>,
}

#[async_trait]
impl TypedTool for GetMetrics {
    type Arguments = NoArguments;
    type Output = Metrics;

    fn spec(&self) -> Spec {
        Spec::new(
            self.id,
            Effect::Read,
            "Show how often each tool of this service was called since it started, how many calls \
             failed, and how long it has been running.",
        )
        .live()
    }

    async fn run(&self, _: NoArguments, _: &Call) -> Result<Metrics, ToolError> {
        Ok(self.meter.snapshot(&self.extra))
    }
}

/// Label `error_type`; `None` for what is no error: a call its caller gave up.
fn error_type(failure: &Failure) -> Option<&'static str> {
    let code = match failure {
        Failure::Cancelled => return None,
        Failure::UnknownTool | Failure::Invalid { .. } => return Some("validation"),
        Failure::Approval(_) => return Some("denied"),
        Failure::Failed(error) => error.code,
    };
    Some(match code {
        Code::Timeout | Code::RequestTimeout => "timeout",
        Code::ProxyError
        | Code::ServiceUnavailable
        | Code::ServerUnhealthy
        | Code::NotConfigured => "unreachable",
        Code::CircuitBreakerOpen => "breaker_open",
        Code::RateLimited | Code::QuotaExceeded | Code::AccountLocked => "rate_limited",
        Code::InternalError | Code::ConfigurationError | Code::PluginError => "internal",
        Code::BadGateway | Code::OutcomeUnknown => "upstream",
        _ => match code.http_status() {
            401 | 403 => "denied",
            400..=499 => "validation",
            _ => "upstream",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{ArgumentSchema, Limits};
    use crate::clock::TestClock;
    use crate::id::CorrelationId;
    use crate::tool::Progress;
    use serde_json::json;
    use tokio_util::sync::CancellationToken;

    #[tokio::test(start_paused = true)]
    async fn the_metrics_tool_shows_the_counters_and_keeps_to_its_schema() {
        let clock = TestClock::at("2026-11-20T12:00:00Z".parse().unwrap());
        let meter = Meter::new("99_test_mcp", clock.shared()).unwrap();
        meter.count(Some("test.a"), Duration::ZERO, None);
        meter.count(Some("test.a"), Duration::ZERO, Some(&Failure::UnknownTool));
        meter.count(None, Duration::ZERO, Some(&Failure::Cancelled));
        tokio::time::advance(Duration::from_secs(7)).await;
        let extra: ExtraMetrics =
            Arc::new(|| vec![("servers", json!(3)), ("calls_total", json!(9))]);
        let tool = metrics_tool(&meter, "test.getMetrics", extra).unwrap();
        let call = Call {
            principal: String::new(),
            organization: String::new(),
            namespace: String::new(),
            permissions: Vec::new(),
            correlation_id: CorrelationId::fresh(),
            traceparent: None,
            idempotency_key: None,
            grant: None,
            deadline: Instant::now(),
            cancelled: CancellationToken::new(),
            progress: Progress::ignored(),
        };
        let output = tool.call(json!({}), &call).await.unwrap();
        let text = output.structured.get().as_bytes();
        let value = crate::arguments::parse_value(text, Limits::default()).unwrap();
        assert_eq!(
            value,
            json!({
                "service": "99_test_mcp",
                "metrics": {
                    "calls_total": 2,
                    "errors_total": 1,
                    "calls_by_tool": {"test.a": 2},
                    "uptime_seconds": 7,
                    "servers": 3,
                },
                "timestamp": "2026-11-20T12:00:00Z",
            })
        );
        let schema = ArgumentSchema::compile(tool.definition().output_schema.clone()).unwrap();
        assert_eq!(schema.check(&value), Ok(()));
    }
}
