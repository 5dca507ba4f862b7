//! From the commands of a transition to one batch of statements, and what is done once it is committed.
//!
//! Everything a command means to the store is in the batch; nothing is sent from here.

use super::Workflows;
use super::children::Birth;
use super::history;
use super::runner::Facts;
use super::step_rows::StepRows;
use crate::store::{Statement, StoreError, micros};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use workflow::core::{
    ChildOutcome, Command, Ending, Entry, Event, Invocation, Invoke, Spawn, TaskPath, What,
};

/// What one transition comes to.
#[derive(Default)]
pub(super) struct Plan {
    /// One batch.
    pub(super) statements: Vec<Statement>,
    /// In order, after the commit.
    pub(super) after: Vec<After>,
    /// How the run ended, when it did.
    pub(super) ending: Option<Ending>,
    entries: Vec<Entry>,
    /// Runs whose inbox gets a row in the batch.
    posted: Vec<Arc<str>>,
}

impl Plan {
    fn write(&mut self, statement: Statement) {
        self.statements.push(statement);
    }

    fn poll(&mut self, path: TaskPath, attempt: u32, call: Arc<Invocation>) {
        self.after.push(After::Poll {
            path,
            attempt,
            call,
        });
    }
}

/// What is done after a commit.
#[derive(Debug)]
pub(super) enum After {
    /// Make an attempt.
    Invoke(Box<Invoke>),
    /// Ask what became of an accepted call.
    Poll {
        path: TaskPath,
        attempt: u32,
        call: Arc<Invocation>,
    },
    /// Stop an attempt.
    Cancel { path: TaskPath, attempt: u32 },
    /// A timer may be the next.
    Hint(i64),
    /// Runs may get what this one asked for or gave back.
    Locks(Vec<String>),
    /// Another run's inbox has a row.
    Wake(Arc<str>),
    /// Somebody may listen for this event.
    Route(Value),
    /// People were asked something.
    Asked(String),
}

impl Workflows {
    /// Turns commands into a plan.
    pub(super) async fn plan(
        &self,
        facts: &Arc<Facts>,
        commands: Vec<Command>,
    ) -> Result<Plan, StoreError> {
        let mut plan = Plan::default();
        for command in commands {
            self.add(&mut plan, facts, command).await?;
        }
        let entries = std::mem::take(&mut plan.entries);
        self.write_history(&mut plan, facts, &entries);
        let posted = std::mem::take(&mut plan.posted);
        plan.after.extend(posted.into_iter().map(After::Wake));
        Ok(plan)
    }

    async fn add(
        &self,
        plan: &mut Plan,
        facts: &Arc<Facts>,
        command: Command,
    ) -> Result<(), StoreError> {
        match command {
            Command::Journal(entry) => plan.entries.push(entry),
            Command::Invoke(invoke) => plan.after.push(After::Invoke(invoke)),
            Command::Poll {
                path,
                attempt,
                call,
                ..
            } => plan.poll(path, attempt, call),
            Command::CancelInvoke { path, attempt, .. } => {
                plan.after.push(After::Cancel { path, attempt });
            }
            Command::Timer { path, timer, at } => {
                let due = micros(at);
                plan.write(set_timer(&facts.id, &path, timer.name(), due));
                plan.after.push(After::Hint(due));
            }
            Command::StopTimer { path, timer } => {
                plan.write(stop_timer(&facts.id, path.as_str(), timer.name(), None));
            }
            Command::Await { path, types } => {
                plan.statements
                    .extend(super::await_rows::listen(facts, &path, &types));
            }
            Command::StopAwait { path } => {
                plan.write(super::await_rows::deaf(&facts.id, &path));
            }
            Command::Approve(request) => {
                let (id, statements) = self.ask(facts, &request);
                plan.statements.extend(statements);
                plan.after.push(After::Asked(id));
            }
            Command::Withdraw { path, attempt } => {
                let how = verdict_in(&plan.entries, &path);
                plan.statements
                    .extend(self.withdraw(&facts.id, &path, attempt, how));
            }
            Command::Spawn(spawn) => self.spawn(plan, facts, *spawn).await?,
            Command::CancelChild { path, attempt } => {
                self.cancel_child(plan, facts, &path, attempt).await?;
            }
            Command::Lock {
                path,
                keys,
                conflict,
            } => self.queue_up(plan, facts, (&path, &keys), conflict).await?,
            Command::Unlock { path, keys } => {
                plan.write(super::locks::give_back(&facts.id, &path));
                plan.after.push(After::Locks(keys));
            }
            Command::Emit { event, .. } => self.emit(plan, facts, event),
            Command::Notify { path, why, problem } => {
                self.call_for_help(plan, facts, (path, why, problem));
            }
            Command::Index(attributes) => {
                let shown = |(name, value)| (name, self.without_secrets(&facts.sensitive, value));
                let attributes = attributes.into_iter().map(shown).collect();
                plan.statements.extend(index(&facts.id, attributes));
            }
            Command::Finish(ending) => self.finish(plan, facts, ending),
        }
        Ok(())
    }

    fn emit(&self, plan: &mut Plan, facts: &Facts, event: Value) {
        let event = self.without_secrets(&facts.sensitive, event);
        plan.statements.push(self.published(facts, &event));
        plan.after.push(After::Route(event));
    }

    async fn spawn(
        &self,
        plan: &mut Plan,
        facts: &Arc<Facts>,
        spawn: Spawn,
    ) -> Result<(), StoreError> {
        match self.bear(facts, &spawn).await? {
            Birth::Born(id, statements) => {
                plan.statements.extend(statements);
                plan.posted.push(id);
            }
            Birth::Refused(problem) => {
                let event = Event::Child {
                    path: spawn.path,
                    attempt: spawn.attempt,
                    outcome: ChildOutcome::Faulted(problem),
                };
                self.post_to(plan, &facts.id, &event);
            }
        }
        Ok(())
    }

    /// Puts an event into a run's inbox, in this batch.
    pub(super) fn post_to(&self, plan: &mut Plan, id: &Arc<str>, event: &Event) {
        self.put_into(plan, id, self.post(id, event));
    }

    /// Puts a row into a run's inbox, in this batch.
    pub(super) fn put_into(&self, plan: &mut Plan, id: &Arc<str>, post: Option<Statement>) {
        if let Some(post) = post {
            plan.statements.push(post);
            plan.posted.push(Arc::clone(id));
        }
    }

    fn write_history(&self, plan: &mut Plan, facts: &Facts, entries: &[Entry]) {
        if entries.is_empty() {
            return;
        }
        plan.statements.extend(self.announced(facts, entries));
        let masked = |value: &Value| self.masked(value);
        let mut steps = StepRows::default();
        for entry in entries {
            steps.note(entry, masked);
        }
        plan.statements
            .extend(history::rows(&facts.id, entries, masked));
        let snapshot = self.gateway.router.snapshot();
        let service = |tool: &str| Some(snapshot.resolve(tool).ok()?.service.to_string());
        let now = micros(self.now());
        plan.statements
            .extend(steps.statements(&facts.id, now, service));
        self.count(entries);
    }

    /// A value as it may be written down for people.
    pub(super) fn masked(&self, value: &Value) -> Value {
        let mut masked = value.clone();
        self.gateway.redactor.redact_json(&mut masked);
        masked
    }

    fn finish(&self, plan: &mut Plan, facts: &Arc<Facts>, ending: Ending) {
        let id = facts.id.as_ref();
        let sql = "UPDATE workflows SET status = $2, phase = $3, output = $4, error = $5, waits = '[]', \
                   current_step = NULL, updated_at = $6, finished_at = $6 WHERE id = $1";
        let shown = |value: Value| self.without_secrets(&facts.sensitive, value).to_string();
        let (status, phase, output, error) = words_of(&ending, shown);
        let end = Statement::new(sql)
            .bind(id)
            .bind(status)
            .bind(phase)
            .bind(output)
            .bind(error)
            .bind(micros(self.now()));
        plan.statements.push(end);
        for sql in [
            "DELETE FROM workflow_timers WHERE workflow_id = $1",
            "DELETE FROM workflow_awaits WHERE workflow_id = $1",
            "DELETE FROM workflow_inbox WHERE workflow_id = $1",
        ] {
            plan.statements.push(Statement::new(sql).bind(id));
        }
        self.tell_parent(plan, facts, &ending);
        plan.ending = Some(ending);
    }
}

/// Status, phase, output and error of a run that ended so.
fn words_of(
    ending: &Ending,
    shown: impl Fn(Value) -> String,
) -> (&'static str, &'static str, Option<String>, Option<String>) {
    match ending {
        Ending::Completed(output) => {
            let output = shown(Value::clone(output));
            ("completed", "completed", Some(output), None)
        }
        Ending::Faulted(problem) => {
            let error = shown(problem.to_value());
            ("failed", "faulted", None, Some(error))
        }
        Ending::Cancelled(reason) | Ending::Killed(reason) => {
            let killed = matches!(ending, Ending::Killed(_));
            let error = serde_json::json!({
                "title": if killed { "killed" } else { "cancelled" },
                "detail": reason.why,
                "by": reason.by,
            });
            ("cancelled", "cancelled", None, Some(error.to_string()))
        }
    }
}

/// What the history of this transition says about a question that is withdrawn.
fn verdict_in(entries: &[Entry], path: &TaskPath) -> &'static str {
    let said = entries.iter().rev().find_map(|entry| match &entry.what {
        _ if entry.path != *path => None,
        What::Approved { .. } => Some("consumed"),
        What::Denied { .. } => Some("rejected"),
        _ => None,
    });
    said.unwrap_or("expired")
}

fn set_timer(run: &str, path: &TaskPath, timer: &'static str, due: i64) -> Statement {
    let sql = "INSERT INTO workflow_timers (workflow_id, path, timer, due) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (workflow_id, path, timer) DO UPDATE SET due = excluded.due";
    Statement::new(sql)
        .bind(run)
        .bind(path.as_str())
        .bind(timer)
        .bind(due)
}

/// Takes a timer out; one that was set anew meanwhile stays when `due` is given.
pub(super) fn stop_timer(
    run: &str,
    path: &str,
    timer: &'static str,
    due: Option<i64>,
) -> Statement {
    let sql = match due {
        None => "DELETE FROM workflow_timers WHERE workflow_id = $1 AND path = $2 AND timer = $3",
        Some(_) => {
            "DELETE FROM workflow_timers WHERE workflow_id = $1 AND path = $2 AND timer = $3 AND due = $4"
        }
    };
    let delete = Statement::new(sql).bind(run).bind(path).bind(timer);
    match due {
        None => delete,
        Some(due) => delete.bind(due),
    }
}

fn index(run: &str, attributes: BTreeMap<String, Value>) -> Vec<Statement> {
    let sql = "INSERT INTO workflow_attributes (workflow_id, name, value) VALUES ($1, $2, $3) \
               ON CONFLICT (workflow_id, name) DO UPDATE SET value = excluded.value";
    let rows = attributes.into_iter().map(|(name, value)| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        Statement::new(sql).bind(run).bind(name).bind(text)
    });
    rows.collect()
}
