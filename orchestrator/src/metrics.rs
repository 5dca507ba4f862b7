//! Every metric of the hub: name, labels and buckets in one file. Source: `interfaces.md` 14.
//!
//! Label values come from closed sets or are bounded here, so no caller can make the number of
//! series grow. Metrics of prices and log sinks are added with those parts.

mod calls;
mod new;
mod runs;

use new::New;
use parking_lot::RwLock;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    Encoder, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};
use runs::Runs;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Media type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Tool label once a service has more tools than the hub accepts series for.
const UNKNOWN: &str = "unknown";
/// Pairs of service and tool that get a series of their own.
const MAX_TOOLS: usize = 4096;
/// Seconds; the objective (500 ms) is a bound of its own.
const CALL_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];
/// Seconds of one statement or batch.
const QUERY_BUCKETS: &[f64] = &[0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// The `error_type` label of `mcp_errors_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// The deadline passed.
    Timeout,
    /// The upstream could not be reached, or was lost.
    Unreachable,
    /// The upstream or its tool failed.
    Upstream,
    /// The caller's request was wrong.
    Validation,
    /// Policy, approvals or authentication said no.
    Denied,
    /// Over a limit.
    RateLimited,
    /// The breaker was open.
    BreakerOpen,
    /// A fault of the hub.
    Internal,
}

impl ErrorType {
    /// The label's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Upstream => "upstream",
            Self::Validation => "validation",
            Self::Denied => "denied",
            Self::RateLimited => "rate_limited",
            Self::BreakerOpen => "breaker_open",
            Self::Internal => "internal",
        }
    }
}

/// Connections of the store's pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolSize {
    /// Established.
    pub open: u32,
    /// Established and not in use.
    pub idle: u32,
    /// Most there may be.
    pub max: u32,
}

/// Tool calls since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallTotals {
    /// Calls that ended, by tool.
    pub by_tool: BTreeMap<String, u64>,
    /// Calls that ended without a result.
    pub errors: u64,
}

/// The hub's metrics; share it in an `Arc`.
pub struct Metrics {
    registry: Registry,
    tools: RwLock<HashSet<(String, String)>>,
    failed: AtomicU64,
    calls: Calls,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    connections: IntGauge,
    plugin_seconds: HistogramVec,
    commands: IntCounterVec,
    pool: IntGaugeVec,
    query_seconds: HistogramVec,
    redis_fallback: IntGauge,
    approvals: IntCounterVec,
    approvals_pending: IntGauge,
    sessions: IntGaugeVec,
    audit_records: IntCounterVec,
    workflows: Runs,
}

/// Tool calls and what they are made to.
struct Calls {
    ended: IntCounterVec,
    seconds: HistogramVec,
    errors: IntCounterVec,
    health: IntGaugeVec,
    server_up: IntGaugeVec,
    breaker: IntGaugeVec,
    retries: IntCounterVec,
    cache: IntCounterVec,
    limited: IntCounterVec,
}

impl Calls {
    fn new(new: &New) -> Self {
        let tool = &["service", "tool"];
        let took = "Duration of tool calls.";
        let failed = "Tool calls without a result.";
        let breaker = "0 closed, 1 half-open, 2 open.";
        let again = "Attempts after the first.";
        let cache = "Look-ups in the cache of reads.";
        Self {
            ended: new.counters("mcp_requests_total", "Tool calls.", tool),
            seconds: new.histograms("mcp_request_duration_seconds", took, tool, CALL_BUCKETS),
            errors: new.counters("mcp_errors_total", failed, &["service", "error_type"]),
            health: new.gauges("mcp_service_health", "1 when healthy.", &["service"]),
            server_up: new.gauges("waygate_mcp_server_up", "1 when it answers.", &["server"]),
            breaker: new.gauges("waygate_breaker_state", breaker, &["target", "class"]),
            retries: new.counters("waygate_retries_total", again, &["target"]),
            cache: new.counters("waygate_cache_requests_total", cache, &["result"]),
            limited: new.counters("waygate_rate_limited_total", "Refused calls.", &["scope"]),
        }
    }
}

impl Metrics {
    /// A new set with its own registry. `version` is the build's.
    ///
    /// # Panics
    /// Never: the names below are valid and distinct, which a test shows.
    #[must_use]
    pub fn new(version: &str) -> Self {
        let new = New(Registry::new());
        new.add(ProcessCollector::for_self());
        let build = new.gauges("waygate_build_info", "Version of this build.", &["version"]);
        build.with_label_values(&[version]).set(1);
        let route = &["method", "endpoint"];
        let answered = "Duration of HTTP requests.";
        let command = &["plugin", "command"];
        let ran = "Duration of commands.";
        let asked = "Duration of store operations.";
        Self {
            tools: RwLock::default(),
            failed: AtomicU64::new(0),
            calls: Calls::new(&new),
            requests: new.counters(
                "waygate_requests_total",
                "HTTP requests.",
                &["method", "endpoint", "status"],
            ),
            request_seconds: new.histograms(
                "waygate_request_duration_seconds",
                answered,
                route,
                CALL_BUCKETS,
            ),
            connections: new.gauge("waygate_active_connections", "Requests being answered."),
            plugin_seconds: new.histograms(
                "waygate_plugin_execution_seconds",
                ran,
                command,
                CALL_BUCKETS,
            ),
            commands: new.counters("waygate_commands_total", "Commands.", &["action", "status"]),
            pool: new.gauges(
                "waygate_db_pool_connections",
                "The store's pool.",
                &["state"],
            ),
            query_seconds: new.histograms(
                "waygate_db_query_duration_seconds",
                asked,
                &["operation"],
                QUERY_BUCKETS,
            ),
            redis_fallback: new.gauge("waygate_redis_fallback_active", "1 when Redis is away."),
            approvals: new.counters("waygate_approvals_total", "Approvals by state.", &["state"]),
            approvals_pending: new.gauge("waygate_approvals_pending", "Approvals that wait."),
            sessions: new.gauges("waygate_sessions_active", "Open sessions.", &["transport"]),
            audit_records: new.counters("waygate_audit_records_total", "Records.", &["action"]),
            workflows: Runs::new(&new),
            registry: new.0,
        }
    }

    /// The health of one service was seen.
    pub fn service_health(&self, service: &str, healthy: bool) {
        let gauge = self.calls.health.with_label_values(&[service]);
        gauge.set(i64::from(healthy));
    }

    /// One HTTP request ended. `endpoint` is the route's template, or `unknown`.
    pub fn request_ended(&self, method: &str, endpoint: &str, status: u16, took: Duration) {
        let status = status.to_string();
        let method = known_method(method);
        self.requests
            .with_label_values(&[method, endpoint, status.as_str()])
            .inc();
        self.request_seconds
            .with_label_values(&[method, endpoint])
            .observe(took.as_secs_f64());
    }

    /// Counts one request as being answered until the guard is dropped.
    #[must_use]
    pub fn active(&self) -> Active {
        self.connections.inc();
        Active(self.connections.clone())
    }

    /// One command of the command engine ended.
    pub fn command_ended(&self, plugin: &str, command: &str, status: &str, took: Duration) {
        self.plugin_seconds
            .with_label_values(&[plugin, command])
            .observe(took.as_secs_f64());
        self.commands.with_label_values(&[command, status]).inc();
    }

    /// The store's connections were counted.
    pub fn pool(&self, size: PoolSize) {
        for (state, count) in [("open", size.open), ("idle", size.idle), ("max", size.max)] {
            self.pool.with_label_values(&[state]).set(i64::from(count));
        }
    }

    /// One store operation (`read`, `write`, …) ended.
    pub fn query_ended(&self, operation: &str, took: Duration) {
        self.query_seconds
            .with_label_values(&[operation])
            .observe(took.as_secs_f64());
    }

    /// A third-party server was seen, or not.
    pub fn server_up(&self, server: &str, up: bool) {
        self.calls
            .server_up
            .with_label_values(&[server])
            .set(i64::from(up));
    }

    /// A breaker changed: 0 closed, 1 half-open, 2 open.
    pub fn breaker_state(&self, target: &str, class: &str, state: u8) {
        self.calls
            .breaker
            .with_label_values(&[target, class])
            .set(i64::from(state));
    }

    /// A call to `target` is sent again.
    pub fn retried(&self, target: &str) {
        self.calls.retries.with_label_values(&[target]).inc();
    }

    /// The cache of reads was asked.
    pub fn cache_used(&self, hit: bool) {
        let result = if hit { "hit" } else { "miss" };
        self.calls.cache.with_label_values(&[result]).inc();
    }

    /// Redis went away, or came back.
    pub fn redis_fallback(&self, active: bool) {
        self.redis_fallback.set(i64::from(active));
    }

    /// A call was refused by the limit of this scope.
    pub fn rate_limited(&self, scope: &str) {
        self.calls.limited.with_label_values(&[scope]).inc();
    }

    /// An approval reached this state.
    pub fn approval(&self, state: &str) {
        self.approvals.with_label_values(&[state]).inc();
    }

    /// So many approvals wait.
    pub fn approvals_pending(&self, count: i64) {
        self.approvals_pending.set(count);
    }

    /// So many sessions of this transport are open.
    pub fn sessions_active(&self, transport: &str, count: i64) {
        self.sessions.with_label_values(&[transport]).set(count);
    }

    /// An audit record of this action was written.
    pub fn audit_record(&self, action: &str) {
        self.audit_records.with_label_values(&[action]).inc();
    }

    /// The Prometheus text format ([`CONTENT_TYPE`]).
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(event = "metrics_failed", %error, "the metrics could not be encoded");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// One request that is being answered.
#[derive(Debug)]
pub struct Active(IntGauge);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn known_method(method: &str) -> &str {
    match method {
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => method,
        _ => UNKNOWN,
    }
}

#[cfg(test)]
mod tests;
