//! Traces: OTLP over gRPC in batches, redacted, and W3C trace context in and out.

use super::{TelemetryConfig, TelemetryError};
use crate::redact::Redactor;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Status, TraceContextExt, TracerProvider};
use opentelemetry::{KeyValue, StringValue, Value};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanData};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tracing::span::Id;
use tracing::{Dispatch, Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::registry::LookupSpan;

const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes a span the child of the caller's, given its `traceparent`. Call it right after the span is
/// made; a header that cannot be read, or traces being off, changes nothing.
pub fn adopt_traceparent(span: &Span, traceparent: &str) {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract(&carrier);
    if parent.span().span_context().is_valid() {
        span.set_parent(parent).ok();
    }
}

/// The `traceparent` to send along with what is asked of others on behalf of `span`; `None` when
/// traces are off.
#[must_use]
pub fn traceparent(span: &Span) -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
    carrier.remove("traceparent")
}

pub(super) fn provider(
    config: &TelemetryConfig,
    redactor: Arc<Redactor>,
) -> Result<SdkTracerProvider, TelemetryError> {
    tokio::runtime::Handle::try_current().map_err(TelemetryError::NoRuntime)?;
    let inner = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(config.otlp_endpoint.as_str())
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(TelemetryError::Endpoint)?;
    let resource = Resource::builder().with_service_name(config.service.clone());
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(Redacting { inner, redactor })
        .with_resource(resource.build())
        .build())
}

pub(crate) fn layer<S>(provider: &SdkTracerProvider) -> OpenTelemetryLayer<S, SdkTracer>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_opentelemetry::layer().with_tracer(provider.tracer("waygate"))
}

/// The trace a span belongs to; `None` when traces are off.
pub(super) fn trace_id(span: &Id, dispatch: &Dispatch) -> Option<String> {
    let context = tracing_opentelemetry::get_otel_context(span, dispatch)?;
    let context = context.span().span_context().clone();
    context.is_valid().then(|| context.trace_id().to_string())
}

/// Takes secrets out of spans on their way out.
#[derive(Debug)]
pub(crate) struct Redacting<E> {
    pub(crate) inner: E,
    pub(crate) redactor: Arc<Redactor>,
}

impl<E> Redacting<E> {
    fn redact(&self, span: &mut SpanData) {
        self.redact_attributes(&mut span.attributes);
        for event in &mut span.events.events {
            self.redact_text(&mut event.name);
            self.redact_attributes(&mut event.attributes);
        }
        if let Status::Error { description } = &mut span.status {
            self.redact_text(description);
        }
    }

    fn redact_attributes(&self, attributes: &mut [KeyValue]) {
        for attribute in attributes {
            let text = match &attribute.value {
                Value::Bool(_) | Value::I64(_) | Value::F64(_) => continue,
                value => value.as_str().into_owned(),
            };
            let mut value = serde_json::Value::String(text);
            self.redactor
                .redact_field(attribute.key.as_str(), &mut value);
            if let serde_json::Value::String(text) = value {
                attribute.value = Value::String(StringValue::from(text));
            }
        }
    }

    fn redact_text(&self, text: &mut Cow<'static, str>) {
        if let Cow::Owned(redacted) = self.redactor.redact(text) {
            *text = Cow::Owned(redacted);
        }
    }
}

impl<E: opentelemetry_sdk::trace::SpanExporter> opentelemetry_sdk::trace::SpanExporter
    for Redacting<E>
{
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &mut batch {
            self.redact(span);
        }
        self.inner.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Debug, Clone, Default)]
    struct Kept(Arc<Mutex<Vec<SpanData>>>);

    impl opentelemetry_sdk::trace::SpanExporter for Kept {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            self.0.lock().extend(batch);
            Ok(())
        }
    }

    /// Acceptance: 360
    #[test]
    fn spans_leave_without_secrets_and_within_the_callers_trace() {
        let redactor = Arc::new(Redactor::new());
        redactor.learn("DB", &"planted-value".into());
        let exporter = Kept::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(Redacting {
                inner: exporter.clone(),
                redactor,
            })
            .build();
        let subscriber = tracing_subscriber::registry().with(layer(&provider));
        let caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        tracing::subscriber::with_default(subscriber, || {
            let span =
                tracing::info_span!("execute_command", url = "https://u:pass@h", password = "x");
            adopt_traceparent(&span, caller);
            assert!(
                traceparent(&span)
                    .is_some_and(|sent| sent.contains("0af7651916cd43dd8448eb211c80319c"))
            );
            let _entered = span.enter();
            tracing::error!(token = 1, "it was planted-value");
        });
        let shown = format!("{:?}", exporter.0.lock());
        assert!(
            shown.contains("0af7651916cd43dd8448eb211c80319c"),
            "{shown}"
        );
        assert!(shown.contains("https://u:[redacted:url]@h"), "{shown}");
        assert!(shown.contains("it was [redacted:DB]"), "{shown}");
        for secret in ["planted-value", "u:pass@", "\"x\""] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}
