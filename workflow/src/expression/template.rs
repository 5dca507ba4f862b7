//! Templates: JSON in which strings may be expressions.
//!
//! An expression fills its whole string; text around `${ }` is text.

use super::{ExpressionError, Expressions, Variables};
use crate::dsl::model::{Expression, Mode, Transform};
use serde_json::Value;

/// Deepest template, as documents cannot be deeper.
const DEPTH: usize = 100;

impl Expressions {
    /// A JSON value with every expression in it replaced by its value. Keys stay as they are.
    ///
    /// # Errors
    /// As [`Expressions::evaluate`]; in [`Mode::Loose`] a string that has no value stays as it is.
    pub fn evaluate_template(
        &self,
        template: &Value,
        mode: Mode,
        input: &Value,
        variables: &Variables,
    ) -> Result<Value, ExpressionError> {
        let evaluation = Evaluation {
            expressions: self,
            mode,
            input,
            variables,
        };
        evaluation.take(template, 0)
    }

    /// The result of a transformation.
    ///
    /// # Errors
    /// As [`Expressions::evaluate`].
    pub fn transform(
        &self,
        transform: &Transform,
        mode: Mode,
        input: &Value,
        variables: &Variables,
    ) -> Result<Value, ExpressionError> {
        match transform {
            Transform::Expression(it) => self.evaluate(it.text(), input, variables),
            Transform::Template(it) => self.evaluate_template(it, mode, input, variables),
        }
    }
}

struct Evaluation<'a> {
    expressions: &'a Expressions,
    mode: Mode,
    input: &'a Value,
    variables: &'a Variables,
}

impl Evaluation<'_> {
    fn take(&self, template: &Value, depth: usize) -> Result<Value, ExpressionError> {
        if depth > DEPTH {
            let message = "the template is nested too deep".to_owned();
            return Err(ExpressionError::Invalid(message));
        }
        Ok(match template {
            Value::String(text) => self.text(text)?,
            Value::Array(items) => {
                let items = items.iter().map(|item| self.take(item, depth + 1));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                let field = |(name, value): (&String, &Value)| {
                    Ok((name.clone(), self.take(value, depth + 1)?))
                };
                Value::Object(fields.iter().map(field).collect::<Result<_, _>>()?)
            }
            plain => plain.clone(),
        })
    }

    fn text(&self, text: &str) -> Result<Value, ExpressionError> {
        let evaluate = |program| {
            self.expressions
                .evaluate(program, self.input, self.variables)
        };
        match (Expression::inside(text), self.mode) {
            (Some(program), _) => evaluate(program),
            (None, Mode::Strict) => Ok(Value::from(text)),
            (None, Mode::Loose) => Ok(evaluate(text).unwrap_or_else(|_| Value::from(text))),
        }
    }
}
