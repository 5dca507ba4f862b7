//! Errors: raising, catching, trying again.
//!
//! What a retry costs and when it is safe is the interpreter's business.

use super::Tasks;
use super::data::{Expression, Length};
use serde_json::Value;

/// An error to raise. Texts are templates.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// URI that names the kind.
    pub kind: String,
    /// HTTP-like status.
    pub status: i64,
    /// Where; `None` is the path of the task.
    pub instance: Option<String>,
    /// Short text.
    pub title: Option<String>,
    /// Long text.
    pub detail: Option<String>,
}

/// What is caught and how.
#[derive(Debug, Clone)]
pub struct Catch {
    /// Fields the error must have; `None` catches all.
    pub errors: Option<ErrorFilter>,
    /// Variable of the error, without `$`.
    pub as_: String,
    /// Must hold; `None` is always.
    pub when: Option<Expression>,
    /// Must not hold; `None` is never.
    pub except_when: Option<Expression>,
    /// How it is tried again; `None` does not.
    pub retry: Option<Retry>,
    /// What is done when it is not tried again; empty goes on.
    pub tasks: Tasks,
}

/// Fields an error must have; `None` is any.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ErrorFilter {
    /// URI of the kind.
    pub kind: Option<String>,
    /// Status.
    pub status: Option<i64>,
    /// Path of the task.
    pub instance: Option<String>,
    /// Short text.
    pub title: Option<String>,
    /// Long text.
    pub details: Option<String>,
    /// Other fields, as written.
    pub others: Vec<(String, Value)>,
}

/// How something is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// Must hold; `None` is always.
    pub when: Option<Expression>,
    /// Must not hold; `None` is never.
    pub except_when: Option<Expression>,
    /// First wait; `None` is none.
    pub delay: Option<Length>,
    /// How waits grow.
    pub backoff: Backoff,
    /// When to stop.
    pub limit: Limit,
    /// Added to each wait; `None` adds none.
    pub jitter: Option<Jitter>,
}

/// How waits grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backoff {
    /// Not.
    #[default]
    Constant,
    /// By the first wait each time.
    Linear,
    /// By a factor each time: 2 up to 100 times the first wait, unless `metadata.hub.backoff` says
    /// otherwise ([`super::Hub::backoff_factor`], [`super::Hub::max_delay`]).
    Exponential,
}

/// When to stop trying. All `None` leaves it to the settings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Limit {
    /// Retries after the first attempt.
    pub attempts: Option<u32>,
    /// Longest time of one attempt.
    pub attempt: Option<Length>,
    /// Longest time of all.
    pub total: Option<Length>,
}

/// A range of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Jitter {
    /// Least.
    pub from: Length,
    /// Most.
    pub to: Length,
}
