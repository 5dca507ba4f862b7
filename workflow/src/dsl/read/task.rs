//! Reads tasks: what every kind has, and which kind it is.
//!
//! The larger kinds have readers of their own.

use super::fields::{Fields, Node, Reader};
use crate::dsl::model::{Case, Common, For, Fork, Kind, Length, Task, Tasks, Then};
use serde_json::Value;

/// Most tasks of a document.
const MAX_TASKS: usize = 1000;
/// What every kind of task has.
const COMMON: &[&str] = &[
    "if", "input", "output", "export", "timeout", "then", "metadata",
];
/// Keywords of the kinds, and what else such a task has. `for` comes before `do`, which it contains.
const KINDS: &[(&str, &[&str])] = &[
    ("call", &["with"]),
    ("for", &["while", "do"]),
    ("do", &[]),
    ("emit", &[]),
    ("fork", &[]),
    ("listen", &["foreach"]),
    ("raise", &[]),
    ("run", &[]),
    ("set", &[]),
    ("switch", &[]),
    ("try", &["catch"]),
    ("wait", &[]),
];

impl Reader<'_> {
    /// A list of named tasks.
    pub(super) fn task_list(&mut self, node: &Node<'_>) -> Option<Tasks> {
        let entries = self.entries(node)?;
        let places: Vec<String> = entries.iter().map(|(_, it)| it.pointer.clone()).collect();
        let mut tasks = Tasks::new();
        for (name, inner) in &entries {
            if let Some(task) = self.task(inner) {
                tasks.push(((*name).to_owned(), task));
            }
        }
        let names: Vec<&str> = entries.iter().map(|(name, _)| *name).collect();
        for (index, (name, place)) in names.iter().zip(&places).enumerate() {
            if names.iter().take(index).any(|it| it == name) {
                let message = format!("two tasks of this list are called {name}");
                self.complain("duplicate_task", place, message);
            }
        }
        if tasks.len() == entries.len() {
            self.flow(&tasks);
        }
        Some(tasks)
    }

    /// One task.
    pub(super) fn task(&mut self, node: &Node<'_>) -> Option<Task> {
        let fields = self.object(node)?;
        self.tasks += 1;
        if self.tasks == MAX_TASKS + 1 {
            let message = format!("the document has more than {MAX_TASKS} tasks");
            self.complain("too_many_tasks", &node.pointer, message);
        }
        let (keyword, more) = self.keyword(&fields)?;
        let known: Vec<&str> = COMMON
            .iter()
            .chain(more)
            .chain([&keyword])
            .copied()
            .collect();
        self.known(&fields, &known, "unknown_key");
        let common = self.common(&fields, keyword);
        let inner = fields.get(keyword)?;
        let kind = self.kind(keyword, &fields, &inner)?;
        Some(Task {
            pointer: node.pointer.clone(),
            common,
            kind,
        })
    }

    /// The keyword that says what a task does, and what else it has.
    fn keyword(&mut self, fields: &Fields<'_>) -> Option<(&'static str, &'static [&'static str])> {
        let mut present = KINDS
            .iter()
            .filter(|(word, _)| fields.map.contains_key(*word));
        let Some((keyword, more)) = present.next() else {
            let known: Vec<&str> = KINDS.iter().map(|(word, _)| *word).collect();
            let message = format!(
                "the task does nothing; it needs one of {}",
                known.join(", ")
            );
            self.complain("no_kind", &fields.pointer, message);
            return None;
        };
        if let Some((other, _)) = present.find(|(word, _)| !more.contains(word)) {
            let message = format!("a task is either {keyword} or {other}; make it two tasks");
            self.complain("two_kinds", &fields.pointer, message);
            return None;
        }
        Some((keyword, more))
    }

    fn common(&mut self, fields: &Fields<'_>, keyword: &str) -> Common {
        let metadata = fields.get("metadata");
        if let Some(node) = &metadata {
            self.object(node);
        }
        Common {
            if_: self.condition(fields.get("if").as_ref()),
            input: self.validated(fields.get("input").as_ref(), "from"),
            output: self.validated(fields.get("output").as_ref(), "as"),
            export: self.validated(fields.get("export").as_ref(), "as"),
            timeout: fields.get("timeout").and_then(|it| self.timeout(&it)),
            then: self.then(fields.get("then").as_ref()),
            hub: self
                .task_hub(metadata.filter(|it| it.value.is_object()).as_ref(), keyword)
                .unwrap_or_default(),
        }
    }

    fn then(&mut self, node: Option<&Node<'_>>) -> Then {
        match self.owned(node).as_deref() {
            None | Some("continue") => Then::Continue,
            Some("exit") => Then::Exit,
            Some("end") => Then::End,
            Some(name) => Then::Task(name.to_owned()),
        }
    }

    fn kind(&mut self, keyword: &str, fields: &Fields<'_>, inner: &Node<'_>) -> Option<Kind> {
        Some(match keyword {
            "call" => Kind::Call(Box::new(self.call(fields, inner)?)),
            "do" => Kind::Do(self.filled(inner)?),
            "emit" => Kind::Emit(self.emit(inner)?),
            "for" => Kind::For(self.for_task(fields, inner)?),
            "fork" => Kind::Fork(self.fork(inner)?),
            "listen" => Kind::Listen(Box::new(self.listen(fields, inner)?)),
            "raise" => {
                let raise = self.fields(inner, &["error"])?;
                let error = self.need(&raise, "error")?;
                Kind::Raise(self.fault_or_name(&error)?)
            }
            "run" => Kind::Run(self.run(inner)?),
            "set" => Kind::Set(self.set(inner)?),
            "switch" => Kind::Switch(self.switch(inner)?),
            "try" => Kind::Try(Box::new(self.try_task(fields, inner)?)),
            _ => Kind::Wait(self.length(inner)?),
        })
    }

    /// A list of at least one task.
    pub(super) fn filled(&mut self, node: &Node<'_>) -> Option<Tasks> {
        let tasks = self.task_list(node)?;
        if node.value.as_array().is_some_and(Vec::is_empty) {
            self.complain("empty", &node.pointer, "there is no task to do");
        }
        Some(tasks)
    }

    fn for_task(&mut self, task: &Fields<'_>, node: &Node<'_>) -> Option<For> {
        let fields = self.fields(node, &["each", "in", "at"])?;
        let in_ = self.need(&fields, "in").and_then(|it| self.expression(&it));
        let each = self.variable(fields.get("each").as_ref(), "item");
        let at = self.variable(fields.get("at").as_ref(), "index");
        self.locals.extend([each.clone(), at.clone()]);
        let while_ = self.condition(task.get("while").as_ref());
        let tasks = self.need(task, "do").and_then(|it| self.filled(&it));
        self.locals.truncate(self.locals.len().saturating_sub(2));
        Some(For {
            each,
            at,
            in_: in_?,
            while_,
            tasks: tasks?,
        })
    }

    /// The name of a variable, without `$`.
    pub(super) fn variable(&mut self, node: Option<&Node<'_>>, default: &str) -> String {
        let Some(node) = node else {
            return default.to_owned();
        };
        let name = self.text(node).unwrap_or(default);
        let fits = name.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
            && name
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || it == '_');
        if !fits {
            let message = format!("{name:?} is no name of a variable; letters, digits and _");
            self.complain("bad_variable", &node.pointer, message);
            return default.to_owned();
        }
        if super::data::VARIABLES.contains(&name) {
            let message = format!("${name} already means something else");
            self.complain("reserved_variable", &node.pointer, message);
        }
        name.to_owned()
    }

    fn fork(&mut self, node: &Node<'_>) -> Option<Fork> {
        let fields = self.fields(node, &["branches", "compete"])?;
        let compete = self.flag(fields.get("compete").as_ref()).unwrap_or(false);
        let branches = self.need(&fields, "branches")?;
        let entries = self.entries(&branches)?;
        if entries.is_empty() {
            self.complain("empty", &branches.pointer, "there is no branch");
        }
        let mut tasks = Tasks::new();
        for (name, inner) in &entries {
            if tasks.iter().any(|(it, _)| it == name) {
                let message = format!("two branches are called {name}");
                self.complain("duplicate_task", &inner.pointer, message);
            }
            if let Some(task) = self.task(inner) {
                tasks.push(((*name).to_owned(), task));
            }
        }
        Some(Fork {
            branches: tasks,
            compete,
        })
    }

    fn set(&mut self, node: &Node<'_>) -> Option<Value> {
        if let Value::String(text) = node.value {
            if crate::dsl::model::Expression::inside(text).is_none() {
                let message = "set takes an object, or an expression in ${ }";
                self.complain("wrong_type", &node.pointer, message);
            }
            return Some(self.template(node));
        }
        let fields = self.object(node)?;
        if fields.map.is_empty() {
            self.complain("empty", &node.pointer, "there is nothing to set");
        }
        Some(self.template(node))
    }

    fn switch(&mut self, node: &Node<'_>) -> Option<Vec<Case>> {
        let entries = self.entries(node)?;
        if entries.is_empty() {
            self.complain("empty", &node.pointer, "there is no case to choose from");
        }
        let mut cases = Vec::new();
        for (name, inner) in &entries {
            let Some(fields) = self.fields(inner, &["when", "then"]) else {
                continue;
            };
            let then = self.need(&fields, "then");
            cases.push(Case {
                name: (*name).to_owned(),
                when: self.condition(fields.get("when").as_ref()),
                then: self.then(then.as_ref()),
            });
        }
        Some(cases)
    }

    /// `timeout`: what it says, or the name of one in `use.timeouts`.
    pub(super) fn timeout(&mut self, node: &Node<'_>) -> Option<Length> {
        let Value::String(name) = node.value else {
            return self.after(node);
        };
        let found = self.named.timeouts.get(name).cloned();
        if found.is_none() {
            self.not_named("unknown_timeout", node, "timeouts", name);
        }
        found.flatten()
    }

    /// `{after: …}`.
    pub(super) fn after(&mut self, node: &Node<'_>) -> Option<Length> {
        let fields = self.fields(node, &["after"])?;
        self.need(&fields, "after").and_then(|it| self.length(&it))
    }
}
