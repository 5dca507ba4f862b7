//! Which events are waited for.
//!
//! Matching an event against a filter is the interpreter's and the driver's business.

use super::Tasks;
use super::data::{Expression, Validated};
use serde_json::{Map, Value};

/// Waits for events.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Which.
    pub to: Consumption,
    /// What of an event is kept.
    pub read: Read,
    /// What is done with each; `None` collects them.
    pub each: Option<Iteration>,
}

/// Which events, and when they are enough.
#[derive(Debug, Clone, PartialEq)]
pub enum Consumption {
    /// One that fits.
    One(Filter),
    /// Any that fits one of the filters; an empty list takes every event.
    Any {
        /// The filters.
        filters: Vec<Filter>,
        /// When it is enough; `None` after the first.
        until: Option<Until>,
    },
    /// One for each filter.
    All(Vec<Filter>),
}

/// When events are enough.
#[derive(Debug, Clone, PartialEq)]
pub enum Until {
    /// As soon as this holds for the events seen.
    Condition(Expression),
    /// As soon as these were seen.
    Events(Box<Consumption>),
}

/// Which events fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Attributes and what they must be: a value, a pattern, or an expression that must hold.
    pub with: Map<String, Value>,
    /// Correlations by name, in order.
    pub correlate: Vec<(String, Correlation)>,
}

/// Ties an event to the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Correlation {
    /// The value in the event.
    pub from: Expression,
    /// What it must be, a text or a `${ }` expression over the run's data; `None` is what the first
    /// event had.
    pub expect: Option<String>,
}

/// What of an event is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Read {
    /// Its data.
    #[default]
    Data,
    /// All attributes and data.
    Envelope,
    /// The event as it came.
    Raw,
}

/// What is done with each event.
#[derive(Debug, Clone)]
pub struct Iteration {
    /// Variable of the event, without `$`.
    pub item: String,
    /// Variable of the index, without `$`.
    pub at: String,
    /// What is done.
    pub tasks: Tasks,
    /// From raw output to output, for each.
    pub output: Option<Validated>,
    /// New `$context`, after each.
    pub export: Option<Validated>,
}
