//! What differs between two versions of a document, task by task.
//!
//! A task that contains others counts as changed only by what is its own. Which tasks a run has already
//! executed is known to the run; it may go on with the newer version when none of those changed.

use super::model::{Definition, Kind, Task, Tasks};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// JSON pointer to a task, as [`Task::pointer`], or to a part outside of tasks such as `/timeout`.
    pub pointer: String,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// What happened to a task or part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// Only the newer version has it.
    Added,
    /// Only the older version has it.
    Removed,
    /// Both have it, with different contents.
    Changed,
}

/// Parts that are no tasks but change what tasks do.
const PARTS: &[&str] = &[
    "/input",
    "/output",
    "/timeout",
    "/schedule",
    "/evaluate",
    "/document/metadata",
    "/use/authentications",
    "/use/errors",
    "/use/retries",
    "/use/secrets",
    "/use/timeouts",
];

/// Every difference, in the order of the pointers.
#[must_use]
pub fn diff(older: &Definition, newer: &Definition) -> Vec<Change> {
    let (before, after) = (parts(older), parts(newer));
    let pointers: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change = |pointer: &String| {
        let kind = match (before.get(pointer), after.get(pointer)) {
            (Some(_), None) => ChangeKind::Removed,
            (None, Some(_)) => ChangeKind::Added,
            (one, other) if one != other => ChangeKind::Changed,
            _ => return None,
        };
        Some(Change {
            pointer: pointer.clone(),
            kind,
        })
    };
    pointers.into_iter().filter_map(change).collect()
}

/// The changes that forbid a run to go on with the newer version: those of tasks it has executed, given
/// by their pointers. Added tasks forbid nothing.
#[must_use]
pub fn conflicts<'c>(changes: &'c [Change], executed: &BTreeSet<String>) -> Vec<&'c Change> {
    let forbids = |it: &&Change| it.kind != ChangeKind::Added && executed.contains(&it.pointer);
    changes.iter().filter(forbids).collect()
}

/// Own content by pointer.
fn parts(definition: &Definition) -> BTreeMap<String, Value> {
    let mut parts = BTreeMap::new();
    for pointer in PARTS {
        if let Some(value) = definition.raw(pointer) {
            parts.insert((*pointer).to_owned(), value.clone());
        }
    }
    for task in definition.uses.functions.values() {
        collect(definition, task, &mut parts);
    }
    all(definition, &definition.tasks, &mut parts);
    parts
}

fn all(definition: &Definition, tasks: &Tasks, parts: &mut BTreeMap<String, Value>) {
    for (_, task) in tasks {
        collect(definition, task, parts);
    }
}

fn collect(definition: &Definition, task: &Task, parts: &mut BTreeMap<String, Value>) {
    let mut own = definition.raw(&task.pointer).cloned().unwrap_or_default();
    let mut cut = |pointer: &str| {
        if let Some(inner) = own.pointer_mut(pointer) {
            *inner = Value::Null;
        }
    };
    match &task.kind {
        Kind::Do(tasks) => {
            cut("/do");
            all(definition, tasks, parts);
        }
        Kind::For(it) => {
            cut("/do");
            all(definition, &it.tasks, parts);
        }
        Kind::Fork(it) => {
            cut("/fork/branches");
            all(definition, &it.branches, parts);
        }
        Kind::Listen(it) => {
            cut("/foreach/do");
            it.each
                .iter()
                .for_each(|each| all(definition, &each.tasks, parts));
        }
        Kind::Try(it) => {
            cut("/try");
            cut("/catch/do");
            all(definition, &it.tasks, parts);
            all(definition, &it.catch.tasks, parts);
        }
        Kind::Call(_)
        | Kind::Emit(_)
        | Kind::Raise(_)
        | Kind::Run(_)
        | Kind::Set(_)
        | Kind::Switch(_)
        | Kind::Wait(_) => {}
    }
    parts.insert(task.pointer.clone(), own);
}

#[cfg(test)]
mod tests {
    use super::{Change, ChangeKind, conflicts, diff};
    use crate::dsl::NoCatalogue;
    use crate::dsl::model::Definition;

    fn changes(older: &str, newer: &str) -> Vec<Change> {
        let read = |body: &str| {
            let head = "document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}\n";
            Definition::read(&format!("{head}{body}"), &NoCatalogue).unwrap()
        };
        diff(&read(older), &read(newer))
    }

    fn check(older: &str, newer: &str, expected: &[(&str, ChangeKind)]) {
        let found = changes(older, newer);
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.pointer.as_str(), it.kind))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn changes_are_found_where_they_are() {
        let older = "do:\n- a: {set: {x: 1}}\n- l: {for: {in: .x}, do: [{b: {set: {x: 1}}}]}";
        check(older, older, &[]);
        let newer = older.replace("b: {set: {x: 1}}", "b: {set: {x: 2}}");
        check(older, &newer, &[("/do/1/l/do/0/b", ChangeKind::Changed)]);
        let newer = older.replace("in: .x", "in: .y");
        check(older, &newer, &[("/do/1/l", ChangeKind::Changed)]);
        let newer = format!("{older}\n- c: {{set: {{x: 1}}}}\ntimeout: {{after: PT1S}}");
        let added = [
            ("/do/2/c", ChangeKind::Added),
            ("/timeout", ChangeKind::Added),
        ];
        check(older, &newer, &added);
        check(
            &newer,
            older,
            &added.map(|(it, _)| (it, ChangeKind::Removed)),
        );
    }

    #[test]
    fn only_executed_tasks_conflict() {
        let older = "do:\n- a: {set: {x: 1}}\n- b: {set: {x: 1}}";
        let found = changes(older, "do:\n- a: {set: {x: 1}}\n- b: {set: {x: 2}}");
        let executed = |name: &str| [name.to_owned()].into();
        assert_eq!(conflicts(&found, &executed("/do/0/a")), [] as [&Change; 0]);
        assert_eq!(conflicts(&found, &executed("/do/1/b")).len(), 1);
    }
}
