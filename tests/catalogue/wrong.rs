//! For each tool, arguments that each break one rule of its schema.

use crate::described::Described;
use crate::schema::misfit;
use serde_json::{Value, json};

/// A parameter no tool has.
const UNKNOWN: &str = "waygate_unknown";

/// Arguments with one fault.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// The parameter that must be named.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) fault: &'static str,
    pub(crate) arguments: Value,
}

/// Every fault of every parameter of a tool; `good` is what fits.
pub(crate) fn all(tool: &Described, good: &Value) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let mut add = |field: &str, fault, change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        let mut arguments = good.clone();
        change(arguments.as_object_mut().unwrap());
        wrong.push(Wrong {
            field: field.to_owned(),
            fault,
            arguments,
        });
    };
    for (name, schema) in tool.parameters() {
        if let Some(value) = misfit(schema) {
            add(name, "wrong type", &|arguments| {
                arguments.insert(name.clone(), value.clone());
            });
        }
        if tool.requires(name) {
            add(name, "missing", &|arguments| {
                arguments.remove(name);
            });
        }
    }
    add(UNKNOWN, "unknown", &|arguments| {
        arguments.insert(UNKNOWN.to_owned(), json!(1));
    });
    wrong
}
