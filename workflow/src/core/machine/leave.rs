//! Ending well: of a task, of a list, of the run.

use super::super::command::{Command, Ending};
use super::super::entry::What;
use super::super::locate;
use super::super::path::TaskPath;
use super::super::problem::{Fault, Problem};
use super::super::state::{Data, Step, Trying};
use super::Machine;
use crate::dsl::model::{Task, Then};

impl<'a> Machine<'a> {
    /// The task at `path` gave its raw output.
    pub(super) fn done(&mut self, path: &TaskPath, raw: &Data, go: Option<Then>) {
        if self.is_undo(path) {
            self.undone(path);
            return;
        }
        let Some(task) = self.task(path) else { return };
        match self.close(path, task, raw) {
            Ok(output) => {
                self.log(
                    path,
                    What::Completed {
                        output: output.clone(),
                    },
                );
                self.left(
                    path,
                    output,
                    Some(go.unwrap_or_else(|| task.common.then.clone())),
                );
            }
            Err(problem) => {
                // Whatever became of its output: what it did may have to be taken back.
                self.fail(path, problem, false);
            }
        }
    }

    /// Transforms the output and takes the frame away.
    fn close(&mut self, path: &TaskPath, task: &'a Task, raw: &Data) -> Result<Data, Problem> {
        self.fits(raw)?;
        self.register(path, task, raw)?;
        let output = self.give_out(
            task.common.output.as_ref(),
            raw,
            &self.scope(path).with_output(raw),
        )?;
        let scope = self.scope(path).with_output(&output);
        if task.common.export.is_some() {
            let context = self.give_out(task.common.export.as_ref(), &output, &scope)?;
            self.fits(&context)?;
            self.state.context = context;
        }
        let scope = self.scope(path).with_output(&output);
        let index = self.attributes(&task.common.hub.index, &output, &scope)?;
        if !index.is_empty() {
            self.out.push(Command::Index(index));
        }
        self.drop_frame(path);
        Ok(output)
    }

    /// A task is over and gone; what it belongs to goes on. `then` of `None` is `continue`.
    pub(super) fn left(&mut self, path: &TaskPath, output: Data, then: Option<Then>) {
        let then = then.unwrap_or_default();
        if then == Then::End {
            self.end(&output);
            return;
        }
        let Some(parent) = self.parent(path) else {
            return;
        };
        let Some(frame) = self.state.frames.get(&parent) else {
            return;
        };
        match &frame.step {
            Step::List { at } => {
                let at = *at;
                self.after(&parent, at, then, output);
            }
            Step::Fork { .. } => self.branch_done(&parent, path, output),
            Step::Nest => self.push_done(&parent, output),
            _ => {}
        }
    }

    /// What comes after place `at` of a list.
    fn after(&mut self, list: &TaskPath, at: usize, then: Then, output: Data) {
        match then {
            Then::Continue => self.next_in_list(list, at + 1, output),
            Then::Exit => self.list_done(list, output),
            Then::End => self.end(&output),
            Then::Task(name) => {
                let tasks = locate::list(self.definition, list.as_str());
                let to = tasks.and_then(|tasks| tasks.iter().position(|(other, _)| *other == name));
                let Some(to) = to else {
                    let detail = format!("there is no task {name} beside it");
                    let problem = Problem::new(Fault::Configuration, "no such task", detail);
                    self.list_failed(list, problem, false);
                    return;
                };
                if to <= at
                    && let Some(frame) = self.state.frames.get_mut(list)
                {
                    // What is entered again counts its attempts on.
                    frame.base = self.state.high;
                }
                self.next_in_list(list, to, output);
            }
        }
    }

    /// Begins place `at` of a list, or ends it.
    pub(super) fn next_in_list(&mut self, list: &TaskPath, at: usize, data: Data) {
        let tasks = locate::list(self.definition, list.as_str());
        let Some((name, _)) = tasks.and_then(|tasks| tasks.get(at)) else {
            self.list_done(list, data);
            return;
        };
        self.set_step(list, Step::List { at });
        self.push_enter(list, list.task(at, name), data);
    }

    fn list_done(&mut self, list: &TaskPath, output: Data) {
        self.drop_frame(list);
        let Some(parent) = self.parent(list) else {
            self.end(&output);
            return;
        };
        let Some(frame) = self.state.frames.get(&parent) else {
            return;
        };
        match &frame.step {
            Step::Nest | Step::Try(Trying { .. }) => self.push_done(&parent, output),
            Step::Loop(_) => self.item_done(&parent, list, Ok(output)),
            Step::Listen(_) => self.event_done(&parent, list, &output),
            _ => {}
        }
    }

    /// The run is over, with this as the output of its last task.
    fn end(&mut self, output: &Data) {
        let run = TaskPath::run();
        let input = self.state.input.clone();
        let scope = self.scope(&run).with_input(&input).with_output(output);
        let made = self.give_out(self.definition.output.as_ref(), output, &scope);
        let made = made.and_then(|made| self.fits(&made).map(|()| made));
        match made {
            Ok(output) => {
                self.abandon_all();
                self.finish(Ending::Completed(output));
            }
            Err(problem) => self.wind(Ending::Faulted(problem.at(&run))),
        }
    }

    /// The last command of a run.
    pub(super) fn finish(&mut self, ending: Ending) {
        let run = TaskPath::run();
        self.lose_draining();
        let timers: Vec<_> = self.state.timers.keys().copied().collect();
        for timer in timers {
            self.stop_timer(&run, timer);
        }
        if !self.state.locks.is_empty() {
            let keys = std::mem::take(&mut self.state.locks);
            self.out.push(Command::Unlock {
                path: run.clone(),
                keys,
            });
        }
        self.state.queue.clear();
        self.state.undo.clear();
        self.state.paused = None;
        self.state.winding = None;
        self.state.settings.reuse.outputs.clear();
        self.state.ending = Some(ending.clone());
        self.state.ended = Some(self.state.now);
        self.log(&run, What::RunEnded(ending.clone()));
        self.out.push(Command::Finish(ending));
    }

    /// Takes a frame away whose task or list ended by itself: its timers and locks.
    pub(super) fn drop_frame(&mut self, path: &TaskPath) {
        let Some(frame) = self.state.frames.remove(path) else {
            return;
        };
        for timer in frame.timers.into_keys() {
            self.out.push(Command::StopTimer {
                path: path.clone(),
                timer,
            });
        }
        if !frame.locks.is_empty() {
            self.out.push(Command::Unlock {
                path: path.clone(),
                keys: frame.locks,
            });
        }
    }
}
