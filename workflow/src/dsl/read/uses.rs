//! Reads `use`: what tasks refer to by name.
//!
//! Errors, retries and timeouts end here; functions are checked once all tasks are known.

use super::fields::{Fields, Node, Reader, nearest};
use crate::dsl::model::{Call, Fault, Kind, Length, Retry, Task, Tasks, Use};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What stands under `use`. `None` is something that was complained about.
#[derive(Default)]
pub(super) struct Named {
    pub(super) errors: BTreeMap<String, Option<Fault>>,
    pub(super) retries: BTreeMap<String, Option<Retry>>,
    pub(super) timeouts: BTreeMap<String, Option<Length>>,
    pub(super) authentications: BTreeMap<String, Value>,
    pub(super) functions: BTreeSet<String>,
    pub(super) secrets: Vec<String>,
}

impl Named {
    fn names(&self, what: &str) -> Vec<&str> {
        match what {
            "errors" => self.errors.keys().map(String::as_str).collect(),
            "retries" => self.retries.keys().map(String::as_str).collect(),
            "timeouts" => self.timeouts.keys().map(String::as_str).collect(),
            "authentications" => self.authentications.keys().map(String::as_str).collect(),
            _ => self.secrets.iter().map(String::as_str).collect(),
        }
    }
}

impl Reader<'_> {
    /// Complains about a name that does not stand under `use`.
    pub(super) fn not_named(
        &mut self,
        code: &'static str,
        node: &Node<'_>,
        what: &str,
        name: &str,
    ) {
        let message = match nearest(name, &self.named.names(what)) {
            Some(near) => format!("use.{what} has no {name}; did you mean {near}?"),
            None => format!("use.{what} has no {name}"),
        };
        self.complain(code, &node.pointer, message);
    }

    pub(super) fn uses(&mut self, node: &Node<'_>) -> Option<Use> {
        const KNOWN: &[&str] = &[
            "authentications",
            "errors",
            "extensions",
            "functions",
            "retries",
            "secrets",
            "timeouts",
            "catalogs",
        ];
        let fields = self.fields(node, KNOWN)?;
        let secrets = fields.get("secrets").and_then(|it| self.texts(&it));
        self.named.secrets = secrets.unwrap_or_default();
        for (name, inner) in self.group(&fields, "errors") {
            let fault = self.fault(&inner);
            self.named.errors.insert(name, fault);
        }
        for (name, inner) in self.group(&fields, "timeouts") {
            let length = self.after(&inner);
            self.named.timeouts.insert(name, length);
        }
        for (name, inner) in self.group(&fields, "retries") {
            let retry = self.retry(&inner);
            self.named.retries.insert(name, retry);
        }
        for (name, inner) in self.group(&fields, "authentications") {
            self.policy(&inner);
            self.named.authentications.insert(name, inner.value.clone());
        }
        for (name, inner) in self.group(&fields, "catalogs") {
            let message =
                format!("functions are not fetched, so the catalogue {name} cannot be used");
            self.complain("unsupported", &inner.pointer, message);
        }
        if let Some(extensions) = fields.get("extensions") {
            let message =
                "extensions are not woven in; write their tasks before and after those they extend";
            self.complain("unsupported", &extensions.pointer, message);
        }
        let functions = self.functions(&fields);
        Some(Use {
            functions,
            secrets: self.named.secrets.clone(),
            authentications: self.named.authentications.clone(),
        })
    }

    fn group<'v>(&mut self, fields: &Fields<'v>, name: &str) -> Vec<(String, Node<'v>)> {
        let node = fields.get(name);
        let group = node.as_ref().and_then(|it| self.object(it));
        let Some(group) = group else {
            return Vec::new();
        };
        group
            .all()
            .map(|(name, node)| (name.to_owned(), node))
            .collect()
    }

    fn functions(&mut self, fields: &Fields<'_>) -> BTreeMap<String, Arc<Task>> {
        let group = self.group(fields, "functions");
        self.named.functions = group.iter().map(|(name, _)| name.clone()).collect();
        let mut functions = BTreeMap::new();
        for (name, node) in group {
            if let Some(task) = self.task(&node) {
                functions.insert(name, Arc::new(task));
            }
        }
        functions
    }

    /// Complains about functions that call themselves, however far around.
    pub(super) fn recursion(&mut self, functions: &BTreeMap<String, Arc<Task>>) {
        let mut calls: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, task) in functions {
            let mut called = BTreeSet::new();
            called_by(task, &mut called);
            calls.insert(name, called);
        }
        for (name, task) in functions {
            let mut reached: BTreeSet<&str> = BTreeSet::new();
            let mut open: Vec<&str> = vec![name];
            while let Some(next) = open.pop() {
                let further = calls.get(next).into_iter().flatten();
                open.extend(further.filter(|it| reached.insert(it)));
            }
            if reached.contains(name.as_str()) {
                let message = format!("the function {name} calls itself and would never end");
                self.complain("recursive_function", &task.pointer, message);
            }
        }
    }
}

/// Names of the functions a task calls.
fn called_by<'t>(task: &'t Task, names: &mut BTreeSet<&'t str>) {
    let mut all = |tasks: &'t Tasks| tasks.iter().for_each(|(_, it)| called_by(it, names));
    match &task.kind {
        Kind::Call(call) => {
            if let Call::Function { name, .. } = call.as_ref() {
                names.insert(name);
            }
        }
        Kind::Do(tasks) => all(tasks),
        Kind::For(it) => all(&it.tasks),
        Kind::Fork(it) => all(&it.branches),
        Kind::Listen(it) => it.each.iter().for_each(|each| all(&each.tasks)),
        Kind::Try(it) => {
            all(&it.tasks);
            all(&it.catch.tasks);
        }
        Kind::Emit(_)
        | Kind::Raise(_)
        | Kind::Run(_)
        | Kind::Set(_)
        | Kind::Switch(_)
        | Kind::Wait(_) => {}
    }
}
