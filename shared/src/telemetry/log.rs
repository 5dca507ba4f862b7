//! Log lines: one flat object each, redacted, safe to print.

use super::Format;
use crate::redact::Redactor;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, OnceLock};
use tracing::dispatcher::WeakDispatch;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Longest text of one field, in bytes; the rest is cut off.
const MAX_TEXT: usize = 16 * 1024;

/// Fields that stand at the top of a line, from the statement or from the spans around it. All
/// others go to `props`.
const TOP_LEVEL: &[&str] = &[
    "correlation_id",
    "request_id",
    "trace_id",
    "principal",
    "organization_id",
    "tool",
    "duration_ms",
    "status",
    "error_code",
];

/// Writes every event as a line.
pub struct LogLayer<W> {
    service: String,
    format: Format,
    redactor: Arc<Redactor>,
    writer: W,
    dispatch: OnceLock<WeakDispatch>,
}

impl<W> LogLayer<W> {
    /// A layer that writes lines of this service to `writer`.
    pub fn new(service: &str, format: Format, redactor: Arc<Redactor>, writer: W) -> Self {
        Self {
            service: service.to_owned(),
            format,
            redactor,
            writer,
            dispatch: OnceLock::new(),
        }
    }

    fn line<S>(&self, event: &Event<'_>, context: &Context<'_, S>) -> Map<String, Value>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut line = Map::with_capacity(16);
        let mut put = |name: &str, value: Value| line.insert(name.to_owned(), value);
        put("timestamp", format!("{:.6}", Timestamp::now()).into());
        put("level", level_word(*metadata.level()).into());
        put("service", self.service.as_str().into());
        let name = fields.take("event");
        put("event", name.unwrap_or_else(|| metadata.target().into()));
        put(
            "message",
            fields.take("message").unwrap_or_else(|| "".into()),
        );
        put("correlation_id", Value::Null);
        put("request_id", Value::Null);
        self.put_ids(&mut line, event, context);
        for name in TOP_LEVEL {
            if let Some(value) = fields.take(name) {
                line.insert((*name).to_owned(), value);
            }
        }
        if let Some(error) = fields.take("error") {
            line.insert("exception".into(), error);
        }
        if !fields.0.is_empty() {
            let props = fields.0.into_iter();
            let props = props
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            line.insert("props".into(), Value::Object(props));
        }
        line.insert("logger_name".into(), metadata.target().into());
        if let (Some(path), Some(number)) = (metadata.file(), metadata.line()) {
            line.insert("pathname".into(), path.into());
            line.insert("lineno".into(), number.into());
        }
        for (name, value) in &mut line {
            self.redactor.redact_field(name, value);
            make_printable(value);
        }
        line
    }

    /// Ids from the spans around the event; an inner span wins over an outer one.
    fn put_ids<S>(&self, line: &mut Map<String, Value>, event: &Event<'_>, context: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let Some(innermost) = context.event_span(event) else {
            return;
        };
        let dispatch = self.dispatch.get().and_then(WeakDispatch::upgrade);
        if let Some(dispatch) = dispatch
            && let Some(id) = super::trace::trace_id(&innermost.id(), &dispatch)
        {
            line.insert("trace_id".into(), id.into());
        }
        for span in innermost.scope().from_root() {
            let extensions = span.extensions();
            let fields = extensions.get::<Fields>().into_iter();
            for (name, value) in fields.flat_map(|fields| &fields.0) {
                line.insert((*name).to_owned(), value.clone());
            }
        }
    }
}

impl<S, W> Layer<S> for LogLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        // Only the first one can be the subscriber this layer belongs to.
        self.dispatch.get_or_init(|| dispatch.downgrade());
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        fields.keep_ids();
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
            fields.keep_ids();
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let line = self.line(event, &context);
        let mut bytes = match self.format {
            Format::Json => Value::Object(line).to_string(),
            Format::Text => as_text(&line),
        };
        bytes.push('\n');
        let mut writer = self.writer.make_writer_for(event.metadata());
        // There is nowhere left to complain to.
        writer.write_all(bytes.as_bytes()).ok();
    }
}

impl<W> fmt::Debug for LogLayer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogLayer")
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// The fields of a span or an event, in the order they were recorded.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        let name = field.name();
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value));
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let index = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.remove(index).1)
    }

    fn keep_ids(&mut self) {
        self.0.retain(|(name, _)| TOP_LEVEL.contains(name));
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, cut(&format!("{value:?}")).into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, cut(value).into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    /// The whole chain: an error of ours does not repeat its source.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut next = value.source();
        for _ in 0..16 {
            let Some(error) = next else { break };
            text.push_str(": ");
            text.push_str(&error.to_string());
            next = error.source();
        }
        self.put(field, cut(&text).into());
    }
}

const fn level_word(level: tracing::Level) -> &'static str {
    match level {
        tracing::Level::ERROR => "ERROR",
        tracing::Level::WARN => "WARNING",
        tracing::Level::INFO => "INFO",
        tracing::Level::DEBUG | tracing::Level::TRACE => "DEBUG",
    }
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT))
        .unwrap_or(text)
}

/// JSON escapes what is below U+0020; terminals also obey C1 controls, and readers are fooled by
/// marks that turn the direction of text.
fn make_printable(value: &mut Value) {
    match value {
        Value::String(text) => {
            if text.contains(is_deceptive) {
                *text = text.replace(is_deceptive, "\u{fffd}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_printable),
        Value::Object(fields) => fields.values_mut().for_each(make_printable),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

const fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn as_text(line: &Map<String, Value>) -> String {
    let text = |name: &str| match line.get(name) {
        Some(Value::String(text)) => Cow::Owned(one_line(text)),
        _ => Cow::Borrowed(""),
    };
    let mut out = format!(
        "{} {:7} {} {}",
        text("timestamp"),
        text("level"),
        text("event"),
        text("message")
    );
    let rest = TOP_LEVEL.iter().copied().chain(["exception", "props"]);
    for (name, value) in rest.filter_map(|name| Some((name, line.get(name)?))) {
        if !value.is_null() {
            out.push_str(&format!(" {name}={value}"));
        }
    }
    out
}

fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}
