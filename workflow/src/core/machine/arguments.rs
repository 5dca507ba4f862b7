//! What is called, with every expression in it replaced by its value.

use super::super::command::{Invocation, Target};
use super::super::path::TaskPath;
use super::super::problem::{Fault, Problem};
use super::super::state::Data;
use super::Machine;
use crate::dsl::model::{
    Call, Endpoint, Http, Kind, Mcp, OpenApi, Output, Process, Return, Run, Uri,
};
use serde_json::{Map, Value};
use std::sync::Arc;

impl Machine<'_> {
    pub(super) fn invocation(
        &self,
        path: &TaskPath,
        call: &Call,
        input: &Data,
    ) -> Result<Invocation, Problem> {
        let make = Make {
            machine: self,
            path,
            input,
        };
        let (target, with) = match call {
            Call::Tool {
                id,
                version,
                arguments,
            } => {
                let target = Target::Tool {
                    id: id.clone(),
                    version: version.clone(),
                };
                (target, make.template(arguments)?)
            }
            Call::Function { name, .. } => {
                let detail = format!("{name} is no tool");
                return Err(Problem::new(Fault::Configuration, "not callable", detail));
            }
            Call::Http(http) => (Target::Http, make.http(http)?),
            Call::OpenApi(open) => (Target::OpenApi, make.open_api(open)?),
            Call::Mcp(mcp) => (Target::Mcp, make.mcp(mcp)?),
        };
        Ok(Invocation { target, with })
    }

    pub(super) fn process(
        &self,
        path: &TaskPath,
        process: &Process,
        input: &Data,
    ) -> Result<Invocation, Problem> {
        let make = Make {
            machine: self,
            path,
            input,
        };
        let mut with = make.template(&process.arguments)?;
        if let (Value::Object(map), Some(stdin)) = (&mut with, &process.stdin) {
            map.insert(
                "stdin".into(),
                self.evaluate(stdin, input, &self.scope(path))?,
            );
        }
        let target = Target::Tool {
            id: process.tool.clone(),
            version: None,
        };
        Ok(Invocation { target, with })
    }

    /// The output of the task whose call gave `output`.
    pub(super) fn process_output(&self, path: &TaskPath, output: Data) -> Data {
        match self.task(path).map(|task| &task.kind) {
            Some(Kind::Run(Run::Process(process))) => {
                let input = self.state.frames.get(path).map(|frame| frame.input.clone());
                returned(process.output, &output, input.unwrap_or_default())
            }
            _ => output,
        }
    }
}

/// What of a process becomes the output.
pub(super) fn returned(what: Return, output: &Data, input: Data) -> Data {
    let field = |name: &str| Arc::new(output.get(name).cloned().unwrap_or_default());
    match what {
        Return::Stdout => field("stdout"),
        Return::Stderr => field("stderr"),
        Return::Code => field("code"),
        Return::All => output.clone(),
        Return::None => input,
    }
}

/// Evaluates the parts of one call.
struct Make<'m> {
    machine: &'m Machine<'m>,
    path: &'m TaskPath,
    input: &'m Data,
}

impl Make<'_> {
    fn template(&self, template: &Value) -> Result<Value, Problem> {
        self.machine
            .template(template, self.input, &self.machine.scope(self.path))
    }

    fn maybe(&self, template: Option<&Value>) -> Result<Value, Problem> {
        template.map_or(Ok(Value::Null), |template| self.template(template))
    }

    fn endpoint(&self, endpoint: &Endpoint) -> Result<(Value, Value), Problem> {
        let address = self.address(&endpoint.uri)?;
        Ok((address, self.maybe(endpoint.authentication.as_ref())?))
    }

    fn address(&self, uri: &Uri) -> Result<Value, Problem> {
        match uri {
            Uri::Template(text) => Ok(Value::String(filled(text, self.input))),
            Uri::Computed(expression) => {
                self.machine
                    .evaluate(expression, self.input, &self.machine.scope(self.path))
            }
        }
    }

    fn http(&self, http: &Http) -> Result<Value, Problem> {
        let (endpoint, authentication) = self.endpoint(&http.endpoint)?;
        Ok(present([
            ("method", http.method.clone().into()),
            ("endpoint", endpoint),
            ("authentication", authentication),
            ("headers", self.maybe(http.headers.as_ref())?),
            ("query", self.maybe(http.query.as_ref())?),
            ("body", self.maybe(http.body.as_ref())?),
            ("output", output(http.output)),
            ("redirect", http.redirect.into()),
        ]))
    }

    fn open_api(&self, open: &OpenApi) -> Result<Value, Problem> {
        let (document, document_authentication) = self.endpoint(&open.document)?;
        Ok(present([
            ("document", document),
            ("documentAuthentication", document_authentication),
            ("operation", open.operation.clone().into()),
            ("parameters", self.maybe(open.parameters.as_ref())?),
            ("authentication", self.maybe(open.authentication.as_ref())?),
            ("output", output(open.output)),
            ("redirect", open.redirect.into()),
        ]))
    }

    fn mcp(&self, mcp: &Mcp) -> Result<Value, Problem> {
        Ok(present([
            ("method", mcp.method.clone().into()),
            ("parameters", self.maybe(mcp.parameters.as_ref())?),
            ("endpoint", self.address(&mcp.endpoint)?),
        ]))
    }
}

/// An object of the fields that are there.
fn present<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
    fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect::<Map<_, _>>()
        .into()
}

fn output(output: Output) -> Value {
    match output {
        Output::Raw => "raw".into(),
        Output::Content => "content".into(),
        Output::Response => "response".into(),
    }
}

/// `{name}` replaced by the field of the input, percent-encoded; what the input does not have stays as
/// it is.
fn filled(text: &str, input: &Value) -> String {
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        made.push_str(before);
        let Some((name, behind)) = after.split_once('}') else {
            made.push('{');
            rest = after;
            continue;
        };
        match input.get(name) {
            Some(Value::String(value)) => encode(&mut made, value),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => {
                encode(&mut made, &value.to_string());
            }
            _ => {
                made.push('{');
                made.push_str(name);
                made.push('}');
            }
        }
        rest = behind;
    }
    made.push_str(rest);
    made
}

/// RFC 3986: everything but unreserved characters, so that a value stays within its segment.
fn encode(made: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            made.push(char::from(byte));
        } else {
            made.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::filled;
    use serde_json::json;

    #[test]
    fn a_value_cannot_leave_its_place_in_an_address() {
        let input = json!({"id": 7, "name": "../a b?x", "deep": {}});
        assert_eq!(
            filled("https://h/p/{id}/{name}", &input),
            "https://h/p/7/..%2Fa%20b%3Fx"
        );
        assert_eq!(
            filled("https://h/{deep}/{gone}/{", &input),
            "https://h/{deep}/{gone}/{"
        );
    }
}
