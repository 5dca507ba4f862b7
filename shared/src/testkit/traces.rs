//! Spans as they leave the process, kept instead of sent.

use crate::redact::Redactor;
use crate::telemetry::trace::{Redacting, layer};
use opentelemetry::trace::Status;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

/// A span that ended.
#[derive(Debug, Clone)]
pub struct KeptSpan {
    /// Its name.
    pub name: String,
    /// Its trace, 32 hexadecimal digits.
    pub trace_id: String,
    /// Its attributes as text.
    pub attributes: BTreeMap<String, String>,
    /// What went wrong; `None` when nothing did.
    pub error: Option<String>,
}

/// The spans of this thread, from [`Traces::start`] until this is dropped.
pub struct Traces {
    kept: Kept,
    /// Ends spans in the exporter when the last one is gone.
    _provider: SdkTracerProvider,
    _thread: DefaultGuard,
}

#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().extend(batch);
        Ok(())
    }
}

impl Traces {
    /// Traces of what this thread does are kept from now on, redacted as on their way out.
    #[must_use]
    pub fn start(redactor: Arc<Redactor>) -> Self {
        let kept = Kept::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(Redacting {
                inner: kept.clone(),
                redactor,
            })
            .build();
        let subscriber = tracing_subscriber::registry().with(layer(&provider));
        Self {
            kept,
            _provider: provider,
            _thread: tracing::subscriber::set_default(subscriber),
        }
    }

    /// The spans with this name that have ended, oldest first.
    #[must_use]
    pub fn spans(&self, name: &str) -> Vec<KeptSpan> {
        let kept = self.kept.0.lock();
        let named = kept.iter().filter(|span| span.name == name);
        named.map(seen).collect()
    }
}

fn seen(span: &SpanData) -> KeptSpan {
    let attributes = span
        .attributes
        .iter()
        .map(|it| (it.key.to_string(), it.value.as_str().into_owned()));
    KeptSpan {
        name: span.name.to_string(),
        trace_id: span.span_context.trace_id().to_string(),
        attributes: attributes.collect(),
        error: match &span.status {
            Status::Error { description } => Some(description.to_string()),
            Status::Ok | Status::Unset => None,
        },
    }
}
