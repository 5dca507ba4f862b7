//! A compiled expression.
//!
//! The standard library is taken whole, less the names in [`REMOVED`]; `range` is ours because the
//! original loops without a step that could be counted.

use super::meter::{Meter, Metered, metered};
use super::{ExpressionError, Limits, bounded, value};
use jaq_core::load::{self, Arena, File, Loader, lex, parse};
use jaq_core::native::{Fun, bome, run};
use jaq_core::{Bind, Cv, DataT, Error, Exn, Filter, Native, ValX, Vars, unwrap_valr};
use jaq_json::Val;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

/// Names that exist in jq and not here: they read a clock, a time zone, the environment, further input
/// or write to the machine's streams.
pub const REMOVED: &[&str] = &[
    "now",
    "env",
    "input",
    "inputs",
    "halt",
    "halt_error",
    "localtime",
    "strflocaltime",
    "debug",
    "debug_empty",
    "stderr",
    "stderr_empty",
];

/// Name of the definition that holds the whole expression.
const WHOLE: &str = "__whole__";

/// A compiled expression over variables of known names.
pub(super) struct Program {
    filter: Filter<Metered>,
    /// Names of the variables in order, and whether the text mentions them.
    names: Vec<(String, bool)>,
}

impl Program {
    pub(super) fn compile(
        text: &str,
        names: &[&str],
        limits: &Limits,
    ) -> Result<Self, ExpressionError> {
        fits(text, limits)?;
        let globals: Vec<String> = names.iter().map(|name| format!("${name}")).collect();
        let arena = Arena::default();
        let file = |code| File { code, path: () };
        Loader::new(std::iter::empty())
            .load(&arena, file(text))
            .map_err(|errors| ExpressionError::Invalid(unreadable(text, &errors)))?;
        let program = parse(text, |parser| parser.term());
        let program =
            program.ok_or_else(|| ExpressionError::Invalid("it is no term".to_owned()))?;
        let whole = parse::Def {
            name: WHOLE,
            args: Vec::new(),
            body: bounded::term(program),
        };
        let modules = Loader::new(definitions().chain([whole]))
            .load(&arena, file(WHOLE))
            .map_err(|errors| ExpressionError::Invalid(unreadable(text, &errors)))?;
        let filter = jaq_core::Compiler::<_, Metered>::default()
            .with_funs(natives())
            .with_global_vars(globals.iter().map(String::as_str))
            .compile(modules)
            .map_err(|errors| ExpressionError::Invalid(undefined(&errors)))?;
        let names = names.iter().zip(&globals);
        let names = names.map(|(name, global)| ((*name).to_owned(), text.contains(global)));
        Ok(Self {
            filter,
            names: names.collect(),
        })
    }

    pub(super) fn run(
        &self,
        input: &Value,
        variables: &BTreeMap<String, Arc<Value>>,
        limits: &Limits,
    ) -> Result<Value, ExpressionError> {
        let values = self.names.iter().map(|(name, mentioned)| {
            let value = variables.get(name).filter(|_| *mentioned);
            value.map_or(Val::Null, |value| value::inward(value))
        });
        let vars = Vars::new(values.collect::<Vec<_>>());
        metered(&self.filter.lut, limits, |meter| {
            let context = jaq_core::Ctx::<Metered>::new(meter, vars);
            let mut results = self.filter.id.run((context, value::inward(input)));
            let first = results
                .next()
                .map(unwrap_valr)
                .transpose()
                .map_err(failed)?;
            let Some(first) = first else {
                return Ok(Value::Null);
            };
            if results.next().is_some() {
                return Err(ExpressionError::Several);
            }
            value::outward(&first, limits.output)
        })
    }
}

/// Refuses what the parser would need too much stack for.
fn fits(text: &str, limits: &Limits) -> Result<(), ExpressionError> {
    let mut depth = 0_usize;
    let mut deepest = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    let blocks = words.filter(|it| matches!(*it, "if" | "def" | "reduce" | "foreach" | "try"));
    if text.len() > limits.text {
        let message = format!("the expression is longer than {} bytes", limits.text);
        return Err(ExpressionError::Invalid(message));
    }
    if deepest > limits.nesting || blocks.count() > limits.nesting {
        let message = format!("the expression is nested deeper than {}", limits.nesting);
        return Err(ExpressionError::Invalid(message));
    }
    Ok(())
}

fn definitions<'s>() -> impl Iterator<Item = parse::Def<&'s str>> {
    let all = jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs());
    all.filter(|definition| !REMOVED.contains(&definition.name))
        .map(|fixed: parse::Def<&'static str>| -> parse::Def<&'s str> {
            bounded::definition(fixed)
        })
}

fn natives() -> impl Iterator<Item = Fun<Metered>> {
    let all = jaq_core::funs()
        .chain(jaq_std::funs())
        .chain(jaq_json::funs());
    let kept = all.filter(|(name, ..): &Fun<Metered>| !REMOVED.contains(name) && *name != "range");
    kept.chain([range()]).chain(bounded::natives())
}

fn range() -> Fun<Metered> {
    let arguments = [Bind::Var(()), Bind::Var(()), Bind::Var(())];
    run(("range", arguments.into(), |mut cv: Cv<'_, Metered>| {
        let by = cv.0.pop_var();
        let to = cv.0.pop_var();
        let mut from = cv.0.pop_var();
        let zero = Val::from(0_isize);
        if by == zero {
            return bome(Err(Error::str("range by 0 has no end")));
        }
        let meter: Meter<'_> = cv.0.data().clone();
        Box::new(std::iter::from_fn(move || -> Option<ValX<'_, Val>> {
            meter.charge(1);
            let inside = if by > zero { from < to } else { from > to };
            if !inside {
                return None;
            }
            let next = match from.clone() + by.clone() {
                Ok(next) => next,
                Err(error) => {
                    from = to.clone();
                    return Some(Err(Exn::from(error)));
                }
            };
            Some(Ok(std::mem::replace(&mut from, next)))
        }))
    }))
}

fn failed(error: Error<Val>) -> ExpressionError {
    let mut text = error.to_string();
    if let Some((end, _)) = text.char_indices().nth(300) {
        text.truncate(end);
        text.push('…');
    }
    ExpressionError::Failed(text)
}

type Unread<'s> = Vec<(File<&'s str, ()>, load::Error<&'s str>)>;

fn unreadable(text: &str, errors: &Unread<'_>) -> String {
    let at = |rest: &str| match text.len().checked_sub(rest.len()) {
        Some(offset) if !rest.is_empty() => format!("at byte {offset}"),
        _ => "at the end".to_owned(),
    };
    let first = errors.first().map(|(_, error)| match error {
        load::Error::Io(_) => "modules cannot be imported".to_owned(),
        load::Error::Lex(errors) => {
            let first: Option<&lex::Error<&str>> = errors.first();
            first.map_or_else(String::new, |(expected, rest)| {
                expectation(expected.as_str(), &at(rest))
            })
        }
        load::Error::Parse(errors) => {
            let first: Option<&parse::Error<&str>> = errors.first();
            first.map_or_else(String::new, |(expected, found)| {
                expectation(expected.as_str(), &near(found))
            })
        }
    });
    first.unwrap_or_else(|| "it cannot be read".to_owned())
}

fn near(found: &str) -> String {
    match found.split_whitespace().next() {
        Some(word) => format!("before {:?}", word.chars().take(20).collect::<String>()),
        None => "at the end".to_owned(),
    }
}

fn expectation(expected: impl Display, place: &str) -> String {
    format!("expected {expected} {place}")
}

fn undefined(errors: &jaq_core::compile::Errors<&str, ()>) -> String {
    let names = errors.iter().flat_map(|(_, errors)| errors.iter());
    let Some((name, kind)) = names.into_iter().next() else {
        return "a name is not defined".to_owned();
    };
    if REMOVED.contains(name) {
        return format!("{name} is not available: expressions give the same value every time");
    }
    match kind {
        jaq_core::compile::Undefined::Filter(arity) if *arity > 0 => {
            format!("there is no function {name} with {arity} arguments")
        }
        jaq_core::compile::Undefined::Filter(_) => format!("there is no function {name}"),
        other => format!("there is no {} {name} here", other.as_str()),
    }
}

/// Programs are shared between threads.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Native<Metered>>();
    shared::<Program>();
};

/// The seams of [`Metered`] stay what the natives of the libraries need.
const _: () = {
    const fn fits<D: for<'a> DataT<V<'a> = Val>>() {}
    fits::<Metered>();
};
