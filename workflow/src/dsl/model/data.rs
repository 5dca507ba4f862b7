//! Data of a task: expressions, templates, schemas, durations, addresses.
//!
//! Nothing is evaluated here.

use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// A jq program, without the `${ }` around it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Expression(String);

impl Expression {
    /// Takes a program with or without `${ }` around it.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Self::inside(text).unwrap_or(text).trim().to_owned())
    }

    /// The program.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What stands between `${` and `}` when they enclose the whole text; `None` otherwise.
    #[must_use]
    pub fn inside(text: &str) -> Option<&str> {
        let inner = text.trim().strip_prefix("${")?.strip_suffix('}')?;
        (!inner.is_empty()).then_some(inner)
    }
}

/// What makes new data of old.
#[derive(Debug, Clone, PartialEq)]
pub enum Transform {
    /// The value of an expression.
    Expression(Expression),
    /// A value whose `${ }` strings are evaluated.
    Template(Value),
}

/// A transformation and the schema its result must match.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Validated {
    /// The transformation (`from` or `as`); `None` hands on what there is.
    pub transform: Option<Transform>,
    /// For `input` the schema of the raw input, otherwise that of the result; `None` takes everything.
    pub schema: Option<Schema>,
}

/// A JSON Schema (2020-12) in the document.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema(pub Arc<Value>);

/// A duration.
#[derive(Debug, Clone, PartialEq)]
pub enum Length {
    /// Known when the document is read. Years count 365 days, months 30.
    Fixed(Duration),
    /// Computed when it is needed; its value is a duration in either written form.
    Computed(Expression),
}

/// An address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uri {
    /// Absolute; `{name}` stands for a field of the input.
    Template(String),
    /// Computed when it is needed.
    Computed(Expression),
}
