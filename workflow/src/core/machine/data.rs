//! Data of a run: evaluating expressions with the variables of the place they stand at, transforming,
//! checking against schemas.

use super::super::path::TaskPath;
use super::super::problem::{Fault, Problem};
use super::super::state::{Data, Vars};
use super::Machine;
use crate::dsl::model::{Expression, Schema, Transform, Validated};
use crate::expression::Variables;
use jiff::{SignedDuration, Span, Timestamp};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Where an expression stands.
#[derive(Clone)]
pub(super) struct Scope<'s> {
    path: &'s TaskPath,
    /// `$input`; `None` takes that of the frame.
    input: Option<&'s Data>,
    output: Option<&'s Data>,
    more: Option<&'s Vars>,
}

impl<'s> Scope<'s> {
    pub(super) const fn with_input(mut self, input: &'s Data) -> Self {
        self.input = Some(input);
        self
    }

    pub(super) const fn with_output(mut self, output: &'s Data) -> Self {
        self.output = Some(output);
        self
    }

    /// With variables that no frame has.
    pub(super) const fn with(mut self, vars: &'s Vars) -> Self {
        self.more = Some(vars);
        self
    }
}

impl Machine<'_> {
    #[expect(clippy::unused_self, reason = "reads as a question to the machine")]
    pub(super) const fn scope<'s>(&self, path: &'s TaskPath) -> Scope<'s> {
        Scope {
            path,
            input: None,
            output: None,
            more: None,
        }
    }

    pub(super) fn evaluate(
        &self,
        expression: &Expression,
        input: &Value,
        scope: &Scope<'_>,
    ) -> Result<Value, Problem> {
        let text = expression.text();
        let variables = self.variables(scope, &|name| text.contains(name));
        self.expressions
            .evaluate(text, input, &variables)
            .map_err(|error| expression_problem(text, &error))
    }

    /// Whether a condition holds: neither false nor null.
    pub(super) fn holds(
        &self,
        expression: &Expression,
        input: &Value,
        scope: &Scope<'_>,
    ) -> Result<bool, Problem> {
        let value = self.evaluate(expression, input, scope)?;
        Ok(!matches!(value, Value::Null | Value::Bool(false)))
    }

    pub(super) fn template(
        &self,
        template: &Value,
        input: &Value,
        scope: &Scope<'_>,
    ) -> Result<Value, Problem> {
        let variables = self.variables(scope, &|name| mentions(template, name));
        self.expressions
            .evaluate_template(template, self.definition.mode, input, &variables)
            .map_err(|error| expression_problem("a template", &error))
    }

    /// A text that may be an expression.
    pub(super) fn text(
        &self,
        text: &str,
        input: &Value,
        scope: &Scope<'_>,
    ) -> Result<String, Problem> {
        let value = self.template(&Value::from(text), input, scope)?;
        Ok(match value {
            Value::String(text) => text,
            other => other.to_string(),
        })
    }

    /// `input.from`: the schema is that of the raw data.
    pub(super) fn take_in(
        &self,
        rule: Option<&Validated>,
        raw: &Data,
        scope: &Scope<'_>,
    ) -> Result<Data, Problem> {
        let Some(rule) = rule else {
            return Ok(raw.clone());
        };
        if let Some(schema) = &rule.schema {
            matches_schema(schema, raw)?;
        }
        self.transform(rule.transform.as_ref(), raw, scope)
    }

    /// `output.as` and `export.as`: the schema is that of the result.
    pub(super) fn give_out(
        &self,
        rule: Option<&Validated>,
        raw: &Data,
        scope: &Scope<'_>,
    ) -> Result<Data, Problem> {
        let Some(rule) = rule else {
            return Ok(raw.clone());
        };
        let made = self.transform(rule.transform.as_ref(), raw, scope)?;
        if let Some(schema) = &rule.schema {
            matches_schema(schema, &made)?;
        }
        Ok(made)
    }

    fn transform(
        &self,
        transform: Option<&Transform>,
        raw: &Data,
        scope: &Scope<'_>,
    ) -> Result<Data, Problem> {
        match transform {
            None => Ok(raw.clone()),
            Some(Transform::Expression(expression)) => {
                self.evaluate(expression, raw, scope).map(Arc::new)
            }
            Some(Transform::Template(template)) => {
                self.template(template, raw, scope).map(Arc::new)
            }
        }
    }

    /// Refuses data that is larger than a run may carry.
    pub(super) fn fits(&self, data: &Value) -> Result<(), Problem> {
        let limit = self.state.settings.limits.payload;
        if size(data) <= limit {
            return Ok(());
        }
        let detail = format!("an output may have {limit} bytes");
        Err(Problem::new(Fault::Validation, "payload too large", detail))
    }

    /// The variables that `mentioned` says are needed; the others would only cost.
    fn variables(&self, scope: &Scope<'_>, mentioned: &dyn Fn(&str) -> bool) -> Variables {
        let mut variables = Variables::default();
        let wanted = |name: &str| mentioned(&format!("${name}"));
        let frame = self.state.frames.get(scope.path);
        let none = Data::default();
        let input = scope
            .input
            .or_else(|| frame.map(|frame| &frame.input))
            .unwrap_or(&none);
        let shared = [
            ("context", &self.state.context),
            ("input", input),
            ("output", scope.output.unwrap_or(&none)),
        ];
        for (name, data) in shared {
            if wanted(name) {
                variables.set(name, data.clone());
            }
        }
        if wanted("workflow") {
            variables.set("workflow", self.describe_run());
        }
        if wanted("task") {
            variables.set("task", self.describe_task(scope));
        }
        if wanted("runtime") {
            variables.set("runtime", super::super::describe_runtime());
        }
        if wanted("secrets") {
            variables.set("secrets", self.secrets());
        }
        // The nearest variable of a name wins, so the outermost is set first.
        let mut above: Vec<_> = scope.path.ancestors().collect();
        above.reverse();
        for (name, data) in above
            .into_iter()
            .chain([scope.path.as_str()])
            .filter_map(|path| self.state.frames.get(path))
            .flat_map(|frame| &frame.vars)
            .chain(scope.more.into_iter().flatten())
        {
            if wanted(name) {
                variables.set(name, data.clone());
            }
        }
        variables
    }

    fn describe_run(&self) -> Value {
        json!({
            "id": self.state.id,
            "definition": Value::clone(&self.definition.json),
            "input": Value::clone(&self.state.input),
            "startedAt": moment(self.state.started.unwrap_or(self.state.now)),
        })
    }

    fn describe_task(&self, scope: &Scope<'_>) -> Value {
        let frame = self.state.frames.get(scope.path);
        let raw = frame.map(|frame| frame.raw.as_ref().unwrap_or(&frame.input));
        let definition = self
            .task(scope.path)
            .and_then(|task| self.definition.raw(&task.pointer))
            .cloned();
        json!({
            "name": scope.path.name(),
            "reference": scope.path.as_str(),
            "definition": definition,
            "input": raw.map(|data| Value::clone(data)),
            "output": scope.output.map(|data| Value::clone(data)),
            "startedAt": moment(frame.map_or(self.state.now, |frame| frame.since)),
        })
    }

    /// References: the value itself never enters a run.
    fn secrets(&self) -> Value {
        let names = self.definition.uses.secrets.iter();
        names
            .map(|name| (name.clone(), json!({"$secret": name})))
            .collect::<Map<_, _>>()
            .into()
    }
}

/// A moment as expressions see it.
fn moment(at: Timestamp) -> Value {
    json!({
        "iso8601": at.to_string(),
        "epoch": {"seconds": at.as_second(), "milliseconds": at.as_millisecond()},
    })
}

fn mentions(template: &Value, name: &str) -> bool {
    match template {
        Value::String(text) => text.contains(name),
        Value::Array(items) => items.iter().any(|item| mentions(item, name)),
        Value::Object(map) => map.values().any(|value| mentions(value, name)),
        _ => false,
    }
}

fn expression_problem(text: &str, error: &dyn std::fmt::Display) -> Problem {
    Problem::new(
        Fault::Expression,
        "expression failed",
        format!("{text}: {error}"),
    )
}

fn matches_schema(schema: &Schema, value: &Value) -> Result<(), Problem> {
    let invalid =
        |detail: String| Problem::new(Fault::Validation, "data does not fit its schema", detail);
    let validator =
        jsonschema::draft202012::new(&schema.0).map_err(|error| invalid(error.to_string()))?;
    match validator.iter_errors(value).next() {
        None => Ok(()),
        Some(error) => Err(invalid(format!("{}: {error}", error.instance_path()))),
    }
}

/// Bytes of a value, near enough, without writing it out.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| size(item) + 1).sum::<usize>(),
        Value::Object(map) => {
            2 + map
                .iter()
                .map(|(name, value)| name.len() + 4 + size(value))
                .sum::<usize>()
        }
    }
}

/// A duration in either written form; `None` when it is none, or negative.
pub(super) fn duration(value: &Value) -> Option<Duration> {
    match value {
        Value::String(text) => {
            let span: Span = text.parse().ok()?;
            let days = i64::from(span.get_years()) * 365
                + i64::from(span.get_months()) * 30
                + i64::from(span.get_weeks()) * 7
                + i64::from(span.get_days());
            let clock = span.years(0).months(0).weeks(0).days(0);
            let clock = SignedDuration::try_from(clock).ok()?;
            clock
                .checked_add(SignedDuration::from_hours(days * 24))?
                .try_into()
                .ok()
        }
        Value::Object(map) => {
            let mut total = Duration::ZERO;
            for (unit, amount) in map {
                let millis: u64 = match unit.as_str() {
                    "days" => 86_400_000,
                    "hours" => 3_600_000,
                    "minutes" => 60_000,
                    "seconds" => 1_000,
                    "milliseconds" => 1,
                    _ => return None,
                };
                total = total
                    .checked_add(Duration::from_millis(amount.as_u64()?.checked_mul(millis)?))?;
            }
            Some(total)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::duration;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn durations_are_read_in_both_forms() {
        assert_eq!(
            duration(&json!("PT1M2.5S")),
            Some(Duration::from_millis(62_500))
        );
        assert_eq!(duration(&json!("P1DT1H")), Some(Duration::from_hours(25)));
        assert_eq!(
            duration(&json!({"hours": 1, "milliseconds": 5})),
            Some(Duration::from_millis(3_600_005))
        );
        assert_eq!(duration(&json!({"years": 1})), None);
        assert_eq!(duration(&json!(-1)), None);
    }
}
