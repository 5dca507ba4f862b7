//! The text of a document: JSON or YAML into JSON, with the line of every value.
//!
//! YAML is read by its core schema. Tags, merge keys and several documents in a text are not known;
//! aliases are, within the bound on values.

use super::Complaint;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use serde_json::{Map, Number, Value};
use std::collections::HashMap;

/// Longest text in bytes.
pub const MAX_TEXT: usize = 1024 * 1024;
/// Deepest value.
pub const MAX_DEPTH: usize = 64;
/// Most values, aliases counted as often as they are used.
pub const MAX_VALUES: usize = 100_000;

/// Where values stand: JSON pointer to line.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<String, u32>);

impl Places {
    /// The line of a value, or of the nearest one around it.
    pub(super) fn line(&self, pointer: &str) -> Option<u32> {
        let mut pointer = pointer;
        loop {
            if let Some(line) = self.0.get(pointer) {
                return Some(*line);
            }
            pointer = pointer.rsplit_once('/')?.0;
        }
    }
}

/// One step of a JSON pointer, escaped.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Reads a text.
pub(super) fn read(text: &str) -> Result<(Value, Places), Complaint> {
    if text.len() > MAX_TEXT {
        let message = format!(
            "the document has {} bytes; {MAX_TEXT} are allowed",
            text.len()
        );
        return Err(complaint("too_large", "", None, message));
    }
    let located = Builder::default().build(text);
    if !text.trim_start().starts_with('{') {
        return located;
    }
    // JSON is read as JSON, so that every escape is understood; YAML only finds the lines.
    match (serde_json::from_str::<Value>(text), located) {
        (_, Err(complaint)) if complaint.code != "not_readable" => Err(complaint),
        (Ok(value), Ok((_, places))) => Ok((value, places)),
        (Ok(value), Err(_)) => Ok((value, Places::default())),
        (Err(_), located) => located,
    }
}

fn complaint(
    code: &'static str,
    pointer: &str,
    line: Option<u32>,
    message: impl Into<String>,
) -> Complaint {
    Complaint {
        code,
        pointer: pointer.to_owned(),
        line,
        message: message.into(),
    }
}

/// A container that is being read.
enum Open {
    List(Vec<Value>, usize),
    Object {
        fields: Map<String, Value>,
        key: Option<String>,
        anchor: usize,
    },
}

/// Puts a value together from the events of the parser.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    path: Vec<String>,
    places: Places,
    anchors: HashMap<usize, (Value, usize)>,
    values: usize,
    root: Option<Value>,
}

impl Builder {
    fn build(mut self, text: &str) -> Result<(Value, Places), Complaint> {
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| {
                let line = u32::try_from(error.marker().line()).ok();
                let message = format!("the text is neither YAML nor JSON: {}", error.info());
                complaint("not_readable", "", line, message)
            })?;
            self.take(event, span)?;
        }
        let root = self.root.take();
        let nothing = || complaint("empty_document", "", None, "the document is empty");
        root.map(|value| (value, self.places)).ok_or_else(nothing)
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Complaint> {
        let line = u32::try_from(span.start.line()).ok();
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err(complaint(
                "several_documents",
                "",
                line,
                "the text holds more than one document; give each its own",
            )),
            Event::Scalar(text, style, anchor, _) => {
                if self.wants_key() {
                    return self.key(text.into_owned(), line);
                }
                let value = scalar(&text, style);
                self.located(line);
                self.put(value, 1, anchor, line)
            }
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let Some((value, size)) = known else {
                    let message = "the alias has no anchor before it";
                    return Err(complaint("not_readable", &self.pointer(), line, message));
                };
                self.located(line);
                self.put(value, size, 0, line)
            }
            Event::SequenceStart(anchor, _) => self.begin(Open::List(Vec::new(), anchor), line),
            Event::MappingStart(anchor, _) => {
                let (fields, key) = (Map::new(), None);
                self.begin(
                    Open::Object {
                        fields,
                        key,
                        anchor,
                    },
                    line,
                )
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(line),
            _ => Ok(()),
        }
    }

    /// Whether the next scalar is the key of a field.
    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Object { key: None, .. }))
    }

    fn key(&mut self, name: String, line: Option<u32>) -> Result<(), Complaint> {
        let pointer = format!("{}/{}", self.pointer(), escaped(&name));
        let Some(Open::Object { fields, key, .. }) = self.open.last_mut() else {
            return Ok(());
        };
        if fields.contains_key(&name) {
            let message = format!("{name} stands here twice");
            return Err(complaint("duplicate_key", &pointer, line, message));
        }
        if let Some(line) = line {
            self.places.0.insert(pointer, line);
        }
        *key = Some(name);
        Ok(())
    }

    fn begin(&mut self, container: Open, line: Option<u32>) -> Result<(), Complaint> {
        if self.wants_key() {
            let message = "a key must be a text";
            return Err(complaint("bad_key", &self.pointer(), line, message));
        }
        self.located(line);
        if self.open.len() >= MAX_DEPTH {
            let message = format!("the document is nested deeper than {MAX_DEPTH}");
            return Err(complaint("too_deep", &self.pointer(), line, message));
        }
        if let Some(step) = self.step() {
            self.path.push(step);
        }
        self.open.push(container);
        Ok(())
    }

    fn end(&mut self, line: Option<u32>) -> Result<(), Complaint> {
        let (value, anchor) = match self.open.pop() {
            Some(Open::List(items, anchor)) => (Value::Array(items), anchor),
            Some(Open::Object { fields, anchor, .. }) => (Value::Object(fields), anchor),
            None => return Ok(()),
        };
        if !self.open.is_empty() {
            self.path.pop();
        }
        let size = if anchor == 0 { 1 } else { size(&value) };
        self.put(value, size, anchor, line)
    }

    /// Notes the line of the value that comes now, unless its key was noted.
    fn located(&mut self, line: Option<u32>) {
        let pointer = match self.step() {
            Some(step) => format!("{}/{step}", self.pointer()),
            None => String::new(),
        };
        if let Some(line) = line {
            self.places.0.entry(pointer).or_insert(line);
        }
    }

    /// The last step of the pointer to the value that comes now; `None` for the document.
    fn step(&self) -> Option<String> {
        match self.open.last()? {
            Open::List(items, _) => Some(items.len().to_string()),
            Open::Object { key, .. } => key.as_deref().map(escaped),
        }
    }

    fn pointer(&self) -> String {
        self.path
            .iter()
            .fold(String::new(), |all, step| format!("{all}/{step}"))
    }

    fn put(
        &mut self,
        value: Value,
        size: usize,
        anchor: usize,
        line: Option<u32>,
    ) -> Result<(), Complaint> {
        self.values = self.values.saturating_add(size);
        if self.values > MAX_VALUES {
            let message = format!("the document has more than {MAX_VALUES} values");
            return Err(complaint("too_many_values", "", line, message));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (value.clone(), size));
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List(items, _)) => items.push(value),
            Some(Open::Object { fields, key, .. }) => {
                if let Some(key) = key.take() {
                    fields.insert(key, value);
                }
            }
        }
        Ok(())
    }
}

fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields.values().map(size).sum(),
        _ => 0,
    }
}

/// A scalar by the core schema of YAML 1.2.
fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::from(text);
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    number(text).map_or_else(|| Value::from(text), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    let prefixed = |prefix, radix| {
        let digits = text.strip_prefix(prefix)?;
        u64::from_str_radix(digits, radix).ok().map(Number::from)
    };
    let first = text.trim_start_matches(['+', '-']).chars().next()?;
    if !first.is_ascii_digit() && first != '.' {
        return None;
    }
    if let Some(number) = prefixed("0x", 16).or_else(|| prefixed("0o", 8)) {
        return Some(number);
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    if text
        .chars()
        .any(|it| !matches!(it, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'))
    {
        return None;
    }
    Number::from_f64(text.parse().ok()?)
}
