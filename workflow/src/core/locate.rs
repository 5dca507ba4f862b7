//! From the address of a step to what the definition says about it.

use crate::dsl::model::{Definition, Kind, Run, Task, Tasks};

/// What a path names.
pub(super) enum Place<'d> {
    /// A task.
    Task(&'d Task),
    /// A list of tasks.
    List(&'d Tasks),
}

/// What `path` names; `None` when there is no such place. Only indices are followed, names are for
/// people.
pub(super) fn locate<'d>(definition: &'d Definition, path: &str) -> Option<Place<'d>> {
    let mut segments = path.split('/').skip(1);
    if segments.next()? != "do" {
        return None;
    }
    let mut tasks = &definition.tasks;
    loop {
        let Some(index) = segments.next() else {
            return Some(Place::List(tasks));
        };
        let mut task = in_list(tasks, index, segments.next()?)?;
        loop {
            let Some(word) = segments.next() else {
                return Some(Place::Task(task));
            };
            match step_into(definition, task, word, &mut segments)? {
                Place::List(list) => {
                    tasks = list;
                    break;
                }
                Place::Task(inner) => task = inner,
            }
        }
    }
}

/// The task at `path`.
pub(super) fn task<'d>(definition: &'d Definition, path: &str) -> Option<&'d Task> {
    match locate(definition, path)? {
        Place::Task(task) => Some(task),
        Place::List(_) => None,
    }
}

/// The list at `path`.
pub(super) fn list<'d>(definition: &'d Definition, path: &str) -> Option<&'d Tasks> {
    match locate(definition, path)? {
        Place::List(list) => Some(list),
        Place::Task(_) => None,
    }
}

fn in_list<'d>(tasks: &'d Tasks, index: &str, _name: &str) -> Option<&'d Task> {
    tasks
        .get(index.parse::<usize>().ok()?)
        .map(|(_, task)| task)
}

fn step_into<'d, 'p>(
    definition: &'d Definition,
    task: &'d Task,
    word: &str,
    rest: &mut impl Iterator<Item = &'p str>,
) -> Option<Place<'d>> {
    match (&task.kind, word) {
        (Kind::Do(tasks), "do") => Some(Place::List(tasks)),
        (Kind::For(of), "for") => {
            rest.next()?.parse::<usize>().ok()?;
            (rest.next()? == "do").then_some(Place::List(&of.tasks))
        }
        (Kind::Listen(of), "foreach") => {
            rest.next()?.parse::<usize>().ok()?;
            let each = of.each.as_ref()?;
            (rest.next()? == "do").then_some(Place::List(&each.tasks))
        }
        (Kind::Fork(of), "fork") => {
            if rest.next()? != "branches" {
                return None;
            }
            let index = rest.next()?;
            in_list(&of.branches, index, rest.next()?).map(Place::Task)
        }
        (Kind::Try(of), "try") => Some(Place::List(&of.tasks)),
        (Kind::Try(of), "catch") => (rest.next()? == "do").then_some(Place::List(&of.catch.tasks)),
        (Kind::Call(_), "call") => {
            let name = rest.next()?.replace("~1", "/").replace("~0", "~");
            definition
                .uses
                .functions
                .get(&name)
                .map(|of| Place::Task(of))
        }
        (Kind::Run(Run::Workflow { .. } | Run::Process(_)), _) => None,
        _ => None,
    }
}
