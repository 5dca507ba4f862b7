//! The short form `{name, steps}`, translated to a document of the standard.
//!
//! Results of steps are kept in `$context.steps`, which is also the output. The text of the document is
//! what gets stored; its rules apply to it as to any other.

use super::Complaint;
use super::text::escaped;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const KNOWN: &[&str] = &["name", "steps", "description"];
const STEP: &[&str] = &[
    "name",
    "description",
    "service",
    "tool",
    "params",
    "timeout",
    "retry",
    "on_error",
];
/// Most steps.
const MAX_STEPS: usize = 500;

/// Whether a value is meant to be the short form: it has steps and no `document`.
#[must_use]
pub fn is_compact(value: &Value) -> bool {
    value.get("steps").is_some() && value.get("document").is_none()
}

/// The document, as JSON, that a short form stands for.
///
/// Step `n` without a name is called `step<n>`, counted from 1; step `n` is the task at `/do/<n-1>`.
/// `resolve` finds the full id of a tool from the service and the tool as written.
///
/// # Errors
/// Everything that is wrong with it; pointers are into the short form and there are no lines.
pub fn expand(
    value: &Value,
    resolve: &dyn Fn(Option<&str>, &str) -> String,
) -> Result<Value, Vec<Complaint>> {
    let mut expansion = Expansion {
        resolve,
        complaints: Vec::new(),
        names: BTreeSet::new(),
    };
    let document = expansion.document(value);
    match document {
        Some(document) if expansion.complaints.is_empty() => Ok(document),
        _ => Err(expansion.complaints),
    }
}

struct Expansion<'a> {
    resolve: &'a dyn Fn(Option<&str>, &str) -> String,
    complaints: Vec<Complaint>,
    /// Names of the steps so far.
    names: BTreeSet<String>,
}

impl Expansion<'_> {
    fn complain(&mut self, code: &'static str, pointer: &str, message: impl Into<String>) {
        self.complaints.push(Complaint {
            code,
            pointer: pointer.to_owned(),
            line: None,
            message: message.into(),
        });
    }

    fn wrong<T>(&mut self, pointer: &str, wanted: &str) -> Option<T> {
        self.complain("wrong_type", pointer, format!("here should be {wanted}"));
        None
    }

    fn document(&mut self, value: &Value) -> Option<Value> {
        let fields = self.object(value, "", KNOWN)?;
        let name = match fields.get("name") {
            Some(Value::String(name)) if !name.trim().is_empty() => name.as_str(),
            _ => self.wrong("/name", "the name of the workflow")?,
        };
        let steps = match fields.get("steps") {
            Some(Value::Array(steps)) => steps,
            _ => self.wrong("/steps", "a list of steps")?,
        };
        if steps.is_empty() || steps.len() > MAX_STEPS {
            self.complain(
                "empty",
                "/steps",
                format!("1 to {MAX_STEPS} steps are needed"),
            );
        }
        let tasks = steps.iter().enumerate().take(MAX_STEPS);
        let tasks: Vec<Option<Value>> = tasks.map(|(index, step)| self.step(index, step)).collect();
        let tasks: Option<Vec<Value>> = tasks.into_iter().collect();
        let mut document = json!({
            "document": {
                "dsl": "1.0.3",
                "namespace": "compact",
                "name": label(name),
                "version": "1.0.0",
                "title": name,
                "metadata": {"hub": {"onFailure": "fail"}},
            },
            "do": tasks?,
            "output": {"as": "$context.steps"},
        });
        if let (Some(Value::String(text)), Some(header)) =
            (fields.get("description"), document.get_mut("document"))
        {
            header["summary"] = json!(text);
        }
        Some(document)
    }

    fn object<'v>(
        &mut self,
        value: &'v Value,
        pointer: &str,
        known: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let Value::Object(fields) = value else {
            return self.wrong(pointer, "an object");
        };
        for name in fields.keys().filter(|it| !known.contains(&it.as_str())) {
            let message = format!("{name} is not known here; known are {}", known.join(", "));
            let place = format!("{pointer}/{}", escaped(name));
            self.complain("unknown_key", &place, message);
        }
        Some(fields)
    }

    fn step(&mut self, index: usize, step: &Value) -> Option<Value> {
        let place = format!("/steps/{index}");
        let fields = self.object(step, &place, STEP)?;
        let name = match fields.get("name") {
            None | Some(Value::Null) => format!("step{}", index + 1),
            Some(Value::String(name)) if !name.is_empty() => name.clone(),
            Some(_) => return self.wrong(&format!("{place}/name"), "a name"),
        };
        let service = fields.get("service").and_then(Value::as_str);
        let tool = match fields.get("tool") {
            Some(Value::String(tool)) => (self.resolve)(service, tool),
            _ => return self.wrong(&format!("{place}/tool"), "the name of a tool"),
        };
        let call = self.call(fields, &place, &name, &tool);
        if !self.names.insert(name.clone()) {
            let message = format!("two steps are called {name}");
            self.complain("duplicate_task", &format!("{place}/name"), message);
        }
        let mut task = call?;
        if let Some(retry) = fields.get("retry").filter(|it| !it.is_null()) {
            task = self.retried(task, retry, &format!("{place}/retry"), &name)?;
        }
        if self.goes_on(fields, &place)? {
            task = json!({"try": [{name.as_str(): task}], "catch": {}});
        }
        Some(json!({ name: task }))
    }

    /// The call of a step, which puts its result into `$context.steps`.
    fn call(
        &mut self,
        fields: &Map<String, Value>,
        place: &str,
        name: &str,
        tool: &str,
    ) -> Option<Value> {
        let kept = format!(
            "($context // {{}}) * {{steps: {{{}: {{result: .}}}}}}",
            Value::from(name)
        );
        let mut task = Map::new();
        let mut put = |key: &str, value| task.insert(key.to_owned(), value);
        put("call", tool.into());
        put("export", json!({"as": kept}));
        match fields.get("params") {
            None | Some(Value::Null) => {}
            Some(params @ Value::Object(_)) => {
                let place = format!("{place}/params");
                put("with", self.parameter(params, &place));
            }
            Some(_) => return self.wrong(&format!("{place}/params"), "an object"),
        }
        if let Some(text) = fields.get("description").filter(|it| !it.is_null()) {
            put("metadata", json!({"description": text}));
        }
        match fields.get("timeout") {
            None | Some(Value::Null) => {}
            Some(seconds) => match seconds.as_u64() {
                Some(it @ 1..=86_400) => {
                    put("timeout", json!({"after": {"seconds": it}}));
                }
                _ => {
                    let wanted = "seconds, 1 to 86400";
                    return self.wrong(&format!("{place}/timeout"), wanted);
                }
            },
        }
        Some(Value::Object(task))
    }

    fn retried(&mut self, task: Value, retry: &Value, place: &str, name: &str) -> Option<Value> {
        let fields = self.object(retry, place, &["max_attempts", "backoff_factor"])?;
        let attempts = match fields.get("max_attempts").map(Value::as_u64) {
            None => 3,
            Some(Some(it @ 1..=100)) => it,
            Some(_) => return self.wrong(&format!("{place}/max_attempts"), "a number, 1 to 100"),
        };
        let factor = match fields.get("backoff_factor").map(Value::as_f64) {
            None => 2.0,
            Some(Some(it)) if (1.0..=100.0).contains(&it) => it,
            Some(_) => return self.wrong(&format!("{place}/backoff_factor"), "a number, 1 to 100"),
        };
        Some(json!({
            "try": [{name: task}],
            "catch": {"retry": {
                "delay": {"seconds": 1},
                "backoff": {"exponential": {}},
                "limit": {"attempt": {"count": attempts - 1}},
            }},
            "metadata": {"hub": {"backoff": {"factor": factor}}},
        }))
    }

    /// Whether the workflow goes on when the step fails.
    fn goes_on(&mut self, fields: &Map<String, Value>, place: &str) -> Option<bool> {
        match fields.get("on_error").map(Value::as_str) {
            None | Some(Some("stop")) => Some(false),
            Some(Some("continue")) => Some(true),
            Some(_) => self.wrong(&format!("{place}/on_error"), "stop or continue"),
        }
    }

    /// A parameter with references to earlier steps as expressions.
    fn parameter(&mut self, value: &Value, place: &str) -> Value {
        match value {
            Value::String(text) => self.reference(text, place),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                let items =
                    items.map(|(index, it)| self.parameter(it, &format!("{place}/{index}")));
                Value::Array(items.collect())
            }
            Value::Object(fields) => {
                let field = |(name, it): (&String, &Value)| {
                    let place = format!("{place}/{}", escaped(name));
                    (name.clone(), self.parameter(it, &place))
                };
                Value::Object(fields.iter().map(field).collect())
            }
            plain => plain.clone(),
        }
    }

    /// `${steps.a.result.b}` alone keeps the type of what it names; inside a text it becomes text. Other
    /// texts stay what they are, even when they look like expressions of the standard.
    fn reference(&mut self, text: &str, place: &str) -> Value {
        let pieces = split(text);
        match pieces.as_slice() {
            [Piece::Text(text)] => literal(text),
            [Piece::Reference(path)] => match self.path(path, place) {
                Some(path) => json!(format!("${{ {path} }}")),
                None => Value::Null,
            },
            several => {
                let parts = several.iter().filter_map(|piece| match piece {
                    Piece::Text(text) => Some(Value::from(*text).to_string()),
                    Piece::Reference(path) => {
                        let path = self.path(path, place)?;
                        Some(format!("({path} | tostring)"))
                    }
                });
                let parts: Vec<String> = parts.collect();
                json!(format!("${{ {} }}", parts.join(" + ")))
            }
        }
    }

    /// The jq path of `steps.<name>.result.<path>`.
    fn path(&mut self, reference: &str, place: &str) -> Option<String> {
        let rest = reference.strip_prefix("steps.").unwrap_or_default();
        let known = self.names.iter().filter(|name| {
            let after = rest.strip_prefix(name.as_str());
            after.is_some_and(|it| it == ".result" || it.starts_with(".result."))
        });
        let Some(name) = known.max_by_key(|name| name.len()).cloned() else {
            let message = format!("{reference} names no result of an earlier step");
            self.complain("unknown_step", place, message);
            return None;
        };
        let after = rest.get(name.len() + ".result".len()..).unwrap_or_default();
        let steps = after.split('.').filter(|it| !it.is_empty());
        let steps = steps.map(|it| match it.parse::<usize>() {
            Ok(index) => format!("[{index}]"),
            Err(_text) => format!("[{}]", Value::from(it)),
        });
        let steps: String = steps.collect();
        Some(format!(
            "$context.steps[{}].result{steps}",
            Value::from(name)
        ))
    }
}

/// A part of a text.
enum Piece<'t> {
    Text(&'t str),
    /// What stands between `${` and `}`, when it begins with `steps.`.
    Reference(&'t str),
}

fn split(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("${steps.") {
        let start = rest.get(before.len() + 2..).unwrap_or_default();
        let Some(end) = inside.find('}') else {
            break;
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        let length = "steps.".len() + end;
        pieces.push(Piece::Reference(start.get(..length).unwrap_or_default()));
        rest = start.get(length + 1..).unwrap_or_default();
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// A text that stays what it is, though the standard would take it for an expression.
fn literal(text: &str) -> Value {
    match super::model::Expression::inside(text) {
        Some(_) => json!(format!("${{ {} }}", Value::from(text))),
        None => Value::from(text),
    }
}

/// A name as a DNS label.
fn label(name: &str) -> String {
    let letters = name.chars().map(|it| match it {
        it if it.is_ascii_alphanumeric() => it.to_ascii_lowercase(),
        _ => '-',
    });
    let text: String = letters.collect();
    let parts: Vec<&str> = text.split('-').filter(|it| !it.is_empty()).collect();
    let text: String = parts.join("-").chars().take(63).collect();
    match text.trim_end_matches('-') {
        "" => "workflow".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
