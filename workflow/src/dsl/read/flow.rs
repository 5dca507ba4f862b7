//! Checks where tasks lead: `then` names a task of the same list, and every task can be reached.
//!
//! Conditions are not looked into: a task behind `if` may run or not.

use super::fields::{Reader, nearest};
use crate::dsl::model::{Kind, Task, Tasks, Then};
use std::collections::BTreeSet;

impl Reader<'_> {
    /// Checks one list.
    pub(super) fn flow(&mut self, tasks: &Tasks) {
        let names: Vec<&str> = tasks.iter().map(|(name, _)| name.as_str()).collect();
        for (_, task) in tasks {
            let own = (format!("{}/then", task.pointer), &task.common.then);
            for (place, then) in std::iter::once(own).chain(cases(task)) {
                self.target(&place, then, &names);
            }
        }
        let reached = reached(tasks, &names);
        for (index, (name, task)) in tasks.iter().enumerate() {
            let twice = names.iter().take(index).any(|it| it == name);
            if !reached.contains(&index) && !twice {
                let message = format!("nothing leads to {name}, so it never runs");
                self.complain("unreachable", &task.pointer, message);
            }
        }
    }

    fn target(&mut self, place: &str, then: &Then, names: &[&str]) {
        let Then::Task(target) = then else {
            return;
        };
        if names.contains(&target.as_str()) {
            return;
        }
        let words = ["continue", "exit", "end"];
        let known: Vec<&str> = names.iter().copied().chain(words).collect();
        let message = match nearest(target, &known) {
            Some(near) => format!("this list has no task {target}; did you mean {near}?"),
            None => format!("this list has no task {target}; continue, exit or end would do too"),
        };
        self.complain("unknown_target", place, message);
    }
}

/// Places and targets of the cases of a `switch`.
fn cases(task: &Task) -> impl Iterator<Item = (String, &Then)> {
    let cases = match &task.kind {
        Kind::Switch(cases) => cases.as_slice(),
        _ => &[],
    };
    cases.iter().enumerate().map(|(index, case)| {
        let name = crate::dsl::text::escaped(&case.name);
        let place = format!("{}/switch/{index}/{name}/then", task.pointer);
        (place, &case.then)
    })
}

/// Indices of the tasks that can be reached from the first.
fn reached(tasks: &Tasks, names: &[&str]) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = vec![0];
    while let Some(index) = open.pop() {
        let Some((_, task)) = tasks.get(index) else {
            continue;
        };
        if !reached.insert(index) {
            continue;
        }
        for then in successors(task) {
            match then {
                Then::Continue => open.push(index + 1),
                Then::Task(name) => open.extend(names.iter().position(|it| *it == name)),
                Then::Exit | Then::End => {}
            }
        }
    }
    reached
}

/// Everything that may come after a task.
fn successors(task: &Task) -> Vec<&Then> {
    let mut all: Vec<&Then> = cases(task).map(|(_, then)| then).collect();
    let chosen = match &task.kind {
        Kind::Raise(_) => true,
        Kind::Switch(cases) => cases.iter().any(|case| case.when.is_none()),
        _ => false,
    };
    if !chosen {
        all.push(&task.common.then);
    }
    if task.common.if_.is_some() {
        all.push(&Then::Continue);
    }
    all
}
