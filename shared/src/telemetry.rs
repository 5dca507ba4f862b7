//! Logs and traces of one process.
//!
//! Logs are one JSON object a line on stdout (stderr for a process whose stdout carries MCP), with
//! the fields of `interfaces.md` 14 and every secret taken out. Traces go to an OpenTelemetry
//! collector when enabled; a collector that is away changes nothing. Metrics are not here.
//!
//! A log statement says `event = "stable_name"` and a message for people. The ids of the call come
//! from the fields of the enclosing spans: open a span with `correlation_id`, `tool`, `principal`.

mod log;
pub(crate) mod trace;

pub use log::LogLayer;
pub use trace::{adopt_traceparent, traceparent};

use crate::redact::Redactor;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde::Deserialize;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

/// Where traces go unless a setting says otherwise.
pub const DEFAULT_OTLP_ENDPOINT: &str = "http://localhost:4317";
/// How long the end of the process waits for the last traces.
const FLUSH: Duration = Duration::from_secs(2);

/// Least severity that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum Level {
    /// Detail of our own code; the normal course of libraries.
    Debug,
    /// Normal course of our own code; of libraries only what is odd.
    #[default]
    Info,
    /// Odd, but the work goes on.
    Warning,
    /// Work failed.
    Error,
}

/// A word that is no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected DEBUG, INFO, WARNING or ERROR")]
pub struct UnknownLevel;

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        match text.to_ascii_uppercase().as_str() {
            "DEBUG" => Ok(Self::Debug),
            "INFO" => Ok(Self::Info),
            "WARNING" => Ok(Self::Warning),
            "ERROR" => Ok(Self::Error),
            _ => Err(UnknownLevel),
        }
    }
}

impl TryFrom<String> for Level {
    type Error = UnknownLevel;

    fn try_from(text: String) -> Result<Self, UnknownLevel> {
        text.parse()
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// For a person at a terminal.
    Text,
}

/// What [`init`] needs to know.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    /// Name of the service in every line and span.
    pub service: String,
    /// Least severity that is logged.
    pub level: Level,
    /// How a log line looks.
    pub format: Format,
    /// Whether traces are sent.
    pub tracing_enabled: bool,
    /// Where they are sent (OTLP over gRPC), see [`DEFAULT_OTLP_ENDPOINT`].
    pub otlp_endpoint: String,
    /// Log to stderr because stdout belongs to MCP.
    pub to_stderr: bool,
}

impl TelemetryConfig {
    /// JSON logs of level INFO on stdout, no traces.
    #[must_use]
    pub fn of(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            level: Level::default(),
            format: Format::default(),
            tracing_enabled: false,
            otlp_endpoint: DEFAULT_OTLP_ENDPOINT.into(),
            to_stderr: false,
        }
    }
}

/// Why logs or traces cannot start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// [`init`] ran before in this process.
    #[error("logging is already set up")]
    AlreadySetUp(#[source] tracing_subscriber::util::TryInitError),
    /// The address of the collector is not one.
    #[error("the OTLP endpoint cannot be used")]
    Endpoint(#[source] opentelemetry_otlp::ExporterBuildError),
    /// Traces are sent from inside a runtime.
    #[error("tracing needs a Tokio runtime")]
    NoRuntime(#[source] tokio::runtime::TryCurrentError),
}

/// Keeps telemetry going; dropping it sends the last traces (at most 2 seconds).
#[must_use = "telemetry ends when the guard is dropped"]
pub struct Guard {
    redactor: Arc<Redactor>,
    provider: Option<SdkTracerProvider>,
}

impl Guard {
    /// Takes secrets out of all that is logged and traced; hand it to
    /// [`crate::secret::FileThenEnvironment::telling`].
    #[must_use]
    pub fn redactor(&self) -> Arc<Redactor> {
        Arc::clone(&self.redactor)
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard")
            .field("traces", &self.provider.is_some())
            .finish_non_exhaustive()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(provider) = self.provider.take() {
            // Blocks, so not on a thread of the runtime that carries the connection.
            let flush = std::thread::spawn(move || provider.shutdown_with_timeout(FLUSH));
            if flush.join().is_err() {
                tracing::warn!(
                    event = "trace_flush_failed",
                    "the last traces were not sent"
                );
            }
        }
    }
}

/// Sets up logs and traces for the whole process. Call it once, inside the runtime.
///
/// # Errors
/// [`TelemetryError`]; a collector that does not answer is not an error.
pub fn init(config: TelemetryConfig) -> Result<Guard, TelemetryError> {
    let redactor = Arc::new(Redactor::new());
    let provider = match config.tracing_enabled {
        true => Some(trace::provider(&config, Arc::clone(&redactor))?),
        false => None,
    };
    let writer = match config.to_stderr {
        true => BoxMakeWriter::new(std::io::stderr),
        false => BoxMakeWriter::new(std::io::stdout),
    };
    let traces = provider.as_ref().map(trace::layer);
    subscriber(&config, Arc::clone(&redactor), writer)
        .with(traces)
        .try_init()
        .map_err(TelemetryError::AlreadySetUp)?;
    Ok(Guard { redactor, provider })
}

/// The logging half of [`init`] with a writer of one's choice, for tests that read the lines; use it
/// with `tracing::subscriber::set_default`.
pub fn subscriber<W>(
    config: &TelemetryConfig,
    redactor: Arc<Redactor>,
    writer: W,
) -> impl Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a> + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let log = LogLayer::new(&config.service, config.format, redactor, writer);
    Registry::default().with(filter(config.level)).with(log)
}

/// Events by level; spans always, for lines take their ids from them.
fn filter<S: Subscriber>(level: Level) -> impl Layer<S> {
    let (ours, theirs) = match level {
        Level::Debug => (LevelFilter::DEBUG, LevelFilter::INFO),
        Level::Info => (LevelFilter::INFO, LevelFilter::WARN),
        Level::Warning => (LevelFilter::WARN, LevelFilter::WARN),
        Level::Error => (LevelFilter::ERROR, LevelFilter::ERROR),
    };
    FilterFn::new(move |metadata: &Metadata<'_>| {
        if metadata.is_span() {
            return *metadata.level() <= LevelFilter::INFO.max(ours);
        }
        let limit = if is_ours(metadata.target()) {
            ours
        } else {
            theirs
        };
        *metadata.level() <= limit
    })
    .with_max_level_hint(LevelFilter::INFO.max(ours))
}

fn is_ours(target: &str) -> bool {
    let krate = target.split("::").next().unwrap_or_default();
    matches!(krate, "orchestrator" | "waygate" | "shared" | "proto") || krate.starts_with("spoke_")
}

#[cfg(test)]
mod tests;
