//! Runtime expressions: jq that gives the same answer every time, within bounds.
//!
//! What would read a clock, the environment, further input or the machine is no part of the language
//! here, so a replay sees what the first run saw. Work is bounded in steps, not in time: a step is
//! one look at the program, and the same program on the same data always takes the same number. Values
//! are weighed wherever they grow, so that a short program cannot make a huge one.

mod bounded;
mod meter;
mod program;
mod template;
mod value;

pub use program::REMOVED;

use parking_lot::Mutex;
use program::Program;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Bounds of one evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Length of a program in bytes.
    pub text: usize,
    /// Brackets inside brackets in a program.
    pub nesting: usize,
    /// Steps of one evaluation.
    pub steps: u64,
    /// Stack of one evaluation in bytes; must fit the thread that evaluates.
    pub stack: usize,
    /// Size of the result as JSON text in bytes.
    pub output: usize,
    /// Programs kept compiled.
    pub cached: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text: 16 * 1024,
            nesting: 64,
            steps: 1_000_000,
            stack: 768 * 1024,
            output: 32 * 1024 * 1024,
            cached: 4096,
        }
    }
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// It is no program, or uses a name that does not exist.
    #[error("{0}")]
    Invalid(String),
    /// It failed on this data.
    #[error("{0}")]
    Failed(String),
    /// It has several values.
    #[error("the expression gives more than one value; put [ ] around it to collect them")]
    Several,
    /// It was stopped.
    #[error("the expression takes more than {0}")]
    Exhausted(&'static str),
    /// Its value is no JSON, or too large.
    #[error("{0}")]
    Unusable(String),
}

/// Named values an expression may use as `$name`. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Variables(BTreeMap<String, Arc<Value>>);

impl Variables {
    /// Sets `$name`; replaces what it was.
    pub fn set(&mut self, name: &str, value: impl Into<Arc<Value>>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// The same with one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Arc<Value>>) -> Self {
        self.set(name, value);
        self
    }

    /// The value of `$name`; `None` when there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).map(Arc::as_ref)
    }

    fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

/// Evaluates expressions and keeps them compiled.
pub struct Expressions {
    limits: Limits,
    programs: Mutex<HashMap<String, Arc<Program>>>,
}

impl Default for Expressions {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Expressions {
    /// With these bounds.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            programs: Mutex::default(),
        }
    }

    /// Whether a text, with or without `${ }`, is a program over variables of these names (no `$`).
    ///
    /// # Errors
    /// [`ExpressionError::Invalid`].
    pub fn check(&self, text: &str, names: &[&str]) -> Result<(), ExpressionError> {
        let mut names = names.to_vec();
        names.sort_unstable();
        self.program(text, &names).map(|_| ())
    }

    /// The value of a text, with or without `${ }`, on an input. No value at all is `null`.
    ///
    /// # Errors
    /// When it is no program, fails, has several values or exceeds a bound. The same every time, except
    /// that how deep a recursion may go depends on the build.
    pub fn evaluate(
        &self,
        text: &str,
        input: &Value,
        variables: &Variables,
    ) -> Result<Value, ExpressionError> {
        let program = self.program(text, &variables.names())?;
        program.run(input, &variables.0, &self.limits)
    }

    fn program(&self, text: &str, names: &[&str]) -> Result<Arc<Program>, ExpressionError> {
        let inner = crate::dsl::model::Expression::inside(text).unwrap_or(text);
        let key = format!("{}\n{inner}", names.join(","));
        if let Some(program) = self.programs.lock().get(&key) {
            return Ok(Arc::clone(program));
        }
        let program = Arc::new(Program::compile(inner, names, &self.limits)?);
        let mut programs = self.programs.lock();
        if programs.len() >= self.limits.cached {
            programs.clear();
        }
        programs.insert(key, Arc::clone(&program));
        Ok(program)
    }
}

#[cfg(test)]
mod tests;
