//! Beginning: of the run, of a task, of a list; and going on with a task that had to wait.

use super::super::command::Command;
use super::super::entry::What;
use super::super::event::TimerKind;
use super::super::path::TaskPath;
use super::super::problem::{Fault, Problem};
use super::super::state::{Data, Phase, Step, Vars, Work};
use super::Machine;
use crate::dsl::model::{Case, Conflict, Fault as Raised, Kind, Lock, Run, Task, Then};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

impl<'a> Machine<'a> {
    /// Begins the run.
    pub(super) fn begin(&mut self) {
        if let Err(problem) = self.try_begin() {
            self.wind(super::Ending::Faulted(problem));
        }
    }

    fn try_begin(&mut self) -> Result<(), Problem> {
        let run = TaskPath::run();
        let input = self.state.input.clone();
        let scope = self.scope(&run).with_input(&input);
        let made = self.take_in(self.definition.input.as_ref(), &input, &scope)?;
        let scope = self.scope(&run).with_input(&made);
        let index = self.attributes(&self.definition.hub.index, &made, &scope)?;
        if !index.is_empty() {
            self.out.push(Command::Index(index));
        }
        let life = match &self.definition.timeout {
            Some(length) => self.length(&run, length, &made)?,
            None => self.state.settings.limits.run,
        };
        self.timer(&run, TimerKind::Timeout, self.later(life));
        if let Some(lock) = &self.definition.hub.lock {
            self.state.locks = self.keys(lock, &made, &run)?;
            // The list waits with its data until the locks are there.
            self.open_list(&run.join("do"), made, 0, BTreeMap::new());
            self.ask_locks(&run, self.state.locks.clone(), lock.conflict);
            return Ok(());
        }
        self.state.locked = true;
        self.open_list(&run.join("do"), made, 0, BTreeMap::new());
        Ok(())
    }

    /// Begins a list; an empty one is done at once.
    pub(super) fn open_list(&mut self, path: &TaskPath, input: Data, base: u32, vars: Vars) {
        self.push_frame(path, input, base, Step::List { at: 0 });
        if let Some(frame) = self.state.frames.get_mut(path) {
            frame.vars = vars;
        }
        let held = !self.state.locks.is_empty() && !self.state.locked;
        if !held {
            self.push_proceed(path);
        }
    }

    /// Begins the task at `path` with its raw input.
    pub(super) fn enter(&mut self, path: &TaskPath, raw: Data) {
        let base = self
            .parent(path)
            .and_then(|above| self.state.frames.get(above.as_str()));
        let base = base.map_or(0, |frame| frame.base);
        self.push_frame(path, raw.clone(), base, Step::Ready);
        let Some(task) = self.task(path) else {
            let problem = Problem::new(Fault::Configuration, "no such task", path.as_str());
            self.push_fail(path, problem, false);
            return;
        };
        match self.try_enter(path, task, &raw) {
            Ok(true) => self.go_on(path, task),
            Ok(false) => {}
            Err(problem) => self.push_fail(path, problem, false),
        }
    }

    /// `false` when the task does not begin now: it is skipped, taken over, or waits.
    fn try_enter(&mut self, path: &TaskPath, task: &'a Task, raw: &Data) -> Result<bool, Problem> {
        self.check_nesting(path)?;
        if let Some(condition) = &task.common.if_
            && !self.holds(condition, raw, &self.scope(path))?
        {
            self.state.frames.remove(path);
            self.log(path, What::Skipped);
            self.left(path, raw.clone(), None);
            return Ok(false);
        }
        let input = self.take_in(task.common.input.as_ref(), raw, &self.scope(path))?;
        if let Some(frame) = self.state.frames.get_mut(path) {
            frame.raw = (!Arc::ptr_eq(raw, &input)).then(|| raw.clone());
            frame.input = input.clone();
        }
        self.log(
            path,
            What::Started {
                kind: task.kind.keyword(),
                input: input.clone(),
            },
        );
        if let Some(output) = self.reused(path) {
            self.log(
                path,
                What::Reused {
                    output: output.clone(),
                },
            );
            self.push_done(path, output);
            return Ok(false);
        }
        if let Some(length) = &task.common.timeout {
            let length = self.length(path, length, &input)?;
            self.timer(path, TimerKind::Timeout, self.later(length));
        }
        let Some(lock) = &task.common.hub.lock else {
            return Ok(true);
        };
        let keys = self.keys(lock, &input, path)?;
        if keys.is_empty() {
            return Ok(true);
        }
        self.set_step(path, Step::Locking);
        if let Some(frame) = self.state.frames.get_mut(path) {
            frame.locks.clone_from(&keys);
        }
        self.ask_locks(path, keys, lock.conflict);
        Ok(false)
    }

    fn check_nesting(&self, path: &TaskPath) -> Result<(), Problem> {
        let limit = self.state.settings.limits.nesting;
        let deep = path
            .ancestors()
            .filter(|above| self.state.frames.contains_key(*above))
            .count();
        if u32::try_from(deep).is_ok_and(|deep| deep <= limit.saturating_mul(2)) {
            return Ok(());
        }
        let detail = format!("tasks may lie {limit} deep");
        Err(Problem::new(
            Fault::Configuration,
            "nested too deep",
            detail,
        ))
    }

    fn reused(&mut self, path: &TaskPath) -> Option<Data> {
        let reuse = &mut self.state.settings.reuse;
        if reuse.from.as_ref() == Some(path) {
            reuse.outputs.clear();
            reuse.from = None;
        }
        reuse.outputs.remove(path)
    }

    fn ask_locks(&mut self, path: &TaskPath, keys: Vec<String>, conflict: Conflict) {
        self.log(path, What::Queued { keys: keys.clone() });
        self.out.push(Command::Lock {
            path: path.clone(),
            keys,
            conflict,
        });
    }

    fn keys(&self, lock: &Lock, input: &Data, path: &TaskPath) -> Result<Vec<String>, Problem> {
        let scope = self.scope(path).with_input(input);
        let keys = lock.keys.iter().map(|key| self.text(key, input, &scope));
        Ok(keys
            .collect::<Result<BTreeSet<_>, _>>()?
            .into_iter()
            .collect())
    }

    /// All locks a path asked for are held.
    pub(super) fn locked(&mut self, path: &TaskPath) {
        if path.is_run() {
            if !self.state.locked && !self.state.locks.is_empty() {
                self.state.locked = true;
                self.log(
                    path,
                    What::Held {
                        keys: self.state.locks.clone(),
                    },
                );
                self.push_proceed(&path.join("do"));
            }
            return;
        }
        let Some(frame) = self.state.frames.get_mut(path) else {
            return;
        };
        if matches!(frame.step, Step::Locking) {
            frame.step = Step::Ready;
            let keys = frame.locks.clone();
            self.log(path, What::Held { keys });
            self.push_proceed(path);
        }
    }

    pub(super) fn lock_refused(&mut self, path: &TaskPath, holder: &str) {
        let problem =
            Problem::new(Fault::Runtime, "locked", format!("held by {holder}")).with_status(409);
        if path.is_run() {
            if !self.state.locked && !self.state.locks.is_empty() {
                self.state.locks.clear();
                self.wind(super::Ending::Faulted(problem));
            }
            return;
        }
        let Some(frame) = self.state.frames.get_mut(path) else {
            return;
        };
        if matches!(frame.step, Step::Locking) {
            frame.locks.clear();
            frame.step = Step::Ready;
            self.push_fail(path, problem, false);
        }
    }

    /// Goes on with a frame whose wait is over.
    pub(super) fn proceed(&mut self, path: &TaskPath) {
        let Some(frame) = self.state.frames.get(path) else {
            return;
        };
        let input = frame.input.clone();
        match &frame.step {
            Step::List { at } => {
                let at = *at;
                self.next_in_list(path, at, input);
            }
            Step::Wait => self.push_done(path, input),
            Step::Try(_) => self.turn_again(path),
            Step::Call(calling) => {
                if matches!(calling.phase, Phase::Ready | Phase::Backoff | Phase::Parked) {
                    self.dispatch(path);
                }
            }
            Step::Ready => {
                if let Some(task) = self.task(path) {
                    self.go_on(path, task);
                }
            }
            _ => {}
        }
    }

    /// The task has its locks: asks people if it must, then does what it is for.
    pub(super) fn go_on(&mut self, path: &TaskPath, task: &'a Task) {
        let asks = task.common.hub.approval.is_some();
        let calls = matches!(task.kind, Kind::Call(_) | Kind::Run(Run::Process(_)));
        let done = if asks && !calls {
            self.ask_step(path, task)
        } else {
            self.execute(path, task)
        };
        if let Err(problem) = done {
            self.push_fail(path, problem, false);
        }
    }

    /// Does what a task is for.
    pub(super) fn execute(&mut self, path: &TaskPath, task: &'a Task) -> Result<(), Problem> {
        let Some(frame) = self.state.frames.get(path) else {
            return Ok(());
        };
        let (input, base) = (frame.input.clone(), frame.base);
        match &task.kind {
            Kind::Call(call) => return self.begin_call(path, task, call),
            Kind::Run(run) => return self.begin_run(path, task, run),
            Kind::Do(_) => self.nest(path, &path.join("do"), input, base),
            Kind::For(of) => return self.begin_for(path, of),
            Kind::Fork(of) => self.begin_fork(path, of, &input),
            Kind::Listen(of) => self.begin_listen(path, of),
            Kind::Try(_) => self.begin_try(path),
            Kind::Emit(event) => {
                let event = self.event(path, event, &input)?;
                self.push_done(path, event);
            }
            Kind::Raise(fault) => return Err(self.raised(path, fault, &input)?),
            Kind::Set(template) => {
                let value = self.template(template, &input, &self.scope(path))?;
                self.push_done(path, Arc::new(value));
            }
            Kind::Switch(cases) => {
                let go = self.choose(path, cases, &input)?;
                self.push_done_then(path, input, go);
            }
            Kind::Wait(length) => {
                let length = self.length(path, length, &input)?;
                self.set_step(path, Step::Wait);
                self.timer(path, TimerKind::Wait, self.later(length));
            }
        }
        Ok(())
    }

    /// Where the first case that holds leads; `None` when none does.
    fn choose(
        &self,
        path: &TaskPath,
        cases: &[Case],
        input: &Data,
    ) -> Result<Option<Then>, Problem> {
        for case in cases {
            let holds = match &case.when {
                Some(when) => self.holds(when, input, &self.scope(path))?,
                None => true,
            };
            if holds {
                return Ok(Some(case.then.clone()));
            }
        }
        Ok(None)
    }

    /// Begins the one list of a task.
    pub(super) fn nest(&mut self, path: &TaskPath, list: &TaskPath, input: Data, base: u32) {
        self.set_step(path, Step::Nest);
        self.open_list(list, input, base, BTreeMap::new());
    }

    /// Begins the task at `path` as part of the frame at `of`.
    pub(super) fn push_enter(&mut self, of: &TaskPath, path: TaskPath, input: Data) {
        if let Some(frame) = self.state.frames.get(of) {
            self.state.queue.push_back(Work::Enter {
                path,
                of: frame.id,
                input,
            });
        }
    }

    pub(super) fn attributes(
        &self,
        index: &Map<String, Value>,
        input: &Data,
        scope: &super::data::Scope<'_>,
    ) -> Result<BTreeMap<String, Value>, Problem> {
        index
            .iter()
            .map(|(name, template)| Ok((name.clone(), self.template(template, input, scope)?)))
            .collect()
    }

    fn event(&mut self, path: &TaskPath, template: &Value, input: &Data) -> Result<Data, Problem> {
        let mut event = self.template(template, input, &self.scope(path))?;
        let attempt = self.next_attempt(path);
        let key = self.key(path, attempt);
        let Value::Object(map) = &mut event else {
            return Err(Problem::new(
                Fault::Validation,
                "not an event",
                "an event is an object",
            ));
        };
        let defaults = [
            ("id", json!(key)),
            ("specversion", json!("1.0")),
            ("time", json!(self.state.now.to_string())),
        ];
        for (name, value) in defaults {
            map.entry(name).or_insert(value);
        }
        let id = map
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or(&key)
            .to_owned();
        self.log(path, What::Emitted { id });
        self.out.push(Command::Emit {
            path: path.clone(),
            event: event.clone(),
        });
        Ok(Arc::new(event))
    }

    fn raised(&self, path: &TaskPath, fault: &Raised, input: &Data) -> Result<Problem, Problem> {
        let scope = self.scope(path);
        let text = |text: &String| self.text(text, input, &scope);
        Ok(Problem {
            kind: text(&fault.kind)?,
            status: u16::try_from(fault.status).unwrap_or(500),
            title: fault.title.as_ref().map(text).transpose()?,
            detail: fault.detail.as_ref().map(text).transpose()?,
            instance: fault
                .instance
                .as_ref()
                .map(text)
                .transpose()?
                .map(|at| TaskPath::new(&at)),
        })
    }
}
