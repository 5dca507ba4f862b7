//! One run at work: takes letters, moves the run on, commits, then does what was asked for.
//!
//! There is at most one runner of a run in a hub, and of several hubs only the one that owns its row can
//! commit. The runner ends when nothing is in flight and no letter waits; the state is then in the store
//! only. A hub that stops lets attempts in flight end and puts their outcomes into the inbox.

mod deeds;
mod record;

use super::adopt::Adoption;
use super::commit::{After, Plan, stop_timer};
use super::inbox;
use super::mailbox::{Letter, Verdict};
use super::rows::RunRow;
use super::sensitive::Sensitive;
use super::timers::Key;
use super::{WorkflowError, Workflows};
use crate::auth::Permissions;
use crate::store::Statement;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use workflow::core::{Command, Event, Outcome, Run, Stamped, TaskPath};

/// Letters taken in with one commit.
const BATCH: usize = 64;

/// What does not change while a run lives.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) id: Arc<str>,
    pub(super) organization: Arc<str>,
    pub(super) namespace: Arc<str>,
    pub(super) name: String,
    pub(super) principal: Arc<str>,
    pub(super) correlation_id: String,
    pub(super) depth: u8,
    pub(super) parent: Option<(Arc<str>, String)>,
    pub(super) grant: Option<Permissions>,
    pub(super) created_at: jiff::Timestamp,
    pub(super) sensitive: Sensitive,
}

impl Facts {
    /// The same run under another grant.
    pub(super) fn under(&self, grant: Option<Permissions>) -> Self {
        Self {
            id: Arc::clone(&self.id),
            organization: Arc::clone(&self.organization),
            namespace: Arc::clone(&self.namespace),
            name: self.name.clone(),
            principal: Arc::clone(&self.principal),
            correlation_id: self.correlation_id.clone(),
            depth: self.depth,
            parent: self.parent.clone(),
            grant,
            created_at: self.created_at,
            sensitive: Sensitive::like(&self.sensitive),
        }
    }

    pub(super) fn of(row: &RunRow, grant: Option<Permissions>) -> Self {
        Self {
            id: Arc::clone(&row.id),
            organization: Arc::clone(&row.organization),
            namespace: Arc::clone(&row.namespace),
            name: row.name.clone(),
            principal: Arc::clone(&row.principal),
            correlation_id: row.correlation_id.clone(),
            depth: u8::try_from(row.depth).unwrap_or(u8::MAX),
            parent: row.parent.clone(),
            grant,
            created_at: row.created_at,
            sensitive: Sensitive::default(),
        }
    }
}

/// A run in memory.
pub(super) struct Loaded {
    pub(super) facts: Arc<Facts>,
    pub(super) run: Run,
    /// Commits so far.
    pub(super) seq: i64,
    /// Attempts the store knows to be in flight.
    pub(super) in_flight: i64,
    /// What its row says: status, phase, step, waits.
    pub(super) shown: Shown,
}

/// What a run's row says of where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Shown {
    pub(super) status: &'static str,
    pub(super) phase: &'static str,
    pub(super) step: Option<String>,
    pub(super) waits: String,
}

/// Takes care of one run.
pub(super) struct Runner {
    workflows: Arc<Workflows>,
    id: Arc<str>,
    letters: mpsc::Receiver<Letter>,
    flying: HashMap<(TaskPath, u32), CancellationToken>,
    /// Its mailbox is gone already, and another runner may have one.
    closed: bool,
}

/// What one commit takes in, besides events.
#[derive(Default)]
struct Taken {
    statements: Vec<Statement>,
    timers: Vec<Key>,
    /// Requests policy opened, which may be decided before the run waits for them.
    questions: Vec<String>,
    asked: Vec<(oneshot::Sender<Verdict>, bool)>,
    adopted: Vec<oneshot::Sender<Result<(), WorkflowError>>>,
}

impl Runner {
    pub(super) fn new(
        workflows: Arc<Workflows>,
        id: Arc<str>,
        letters: mpsc::Receiver<Letter>,
    ) -> Self {
        Self {
            workflows,
            id,
            letters,
            flying: HashMap::new(),
            closed: false,
        }
    }

    /// Runs until the run rests or is over.
    pub(super) async fn run(mut self) {
        match self.workflows.load(&self.id).await {
            Ok(Some(loaded)) => {
                if let Err(error) = self.work(loaded).await {
                    tracing::error!(
                        event = "workflow_stopped",
                        workflow_id = &*self.id,
                        error = &error as &dyn std::error::Error,
                        "a run could not go on; the next start tries again"
                    );
                }
            }
            Ok(None) => {}
            Err(error) => tracing::error!(
                event = "workflow_unreadable",
                workflow_id = &*self.id,
                error = &error as &dyn std::error::Error,
                "a run could not be taken up"
            ),
        }
        self.leave();
    }

    /// Whoever still writes is told that nobody reads.
    fn leave(&mut self) {
        if !self.closed {
            self.workflows.mailboxes.remove(&self.id);
        }
        self.letters.close();
        while let Ok(letter) = self.letters.try_recv() {
            self.refuse(letter);
        }
        for token in self.flying.values() {
            token.cancel();
        }
    }

    fn refuse(&self, letter: Letter) {
        match letter {
            Letter::Timer { path, kind, due } => {
                let key = (Arc::clone(&self.id), path, kind, due);
                self.workflows.timers.taken(&key);
            }
            Letter::Asked(_, reply) => drop(reply.send(Verdict::Gone)),
            // Who waits sees that nobody answers.
            Letter::Adopt(_) => {}
            Letter::Event(_) | Letter::Inbox => {}
        }
    }

    async fn work(&mut self, mut loaded: Loaded) -> Result<(), WorkflowError> {
        let mut letters = Vec::with_capacity(BATCH);
        let stop = self.workflows.gateway.tasks.token();
        // What was in flight when the run was last put down belongs to a hub that is gone.
        let mut orphans = loaded.in_flight > 0;
        loop {
            let due = !letters.is_empty() || orphans;
            if due && stop.is_cancelled() {
                self.put_aside(&loaded, &mut letters).await?;
            } else if due && self.step(&mut loaded, &mut letters, orphans).await? {
                return Ok(());
            }
            orphans = false;
            if self.flying.is_empty() && self.workflows.mailboxes.close(&self.id, &self.letters) {
                self.closed = true;
                return Ok(());
            }
            let received = self.letters.recv_many(&mut letters, BATCH).await;
            if received == 0 {
                return Ok(());
            }
        }
    }

    /// Takes letters in, with one commit; whether the run is over.
    async fn step(
        &mut self,
        loaded: &mut Loaded,
        letters: &mut Vec<Letter>,
        orphans: bool,
    ) -> Result<bool, WorkflowError> {
        let mut taken = Taken::default();
        let mut commands = Vec::new();
        for letter in letters.drain(..) {
            self.take(loaded, letter, &mut taken, &mut commands).await?;
        }
        if orphans {
            self.take_inbox(loaded, &mut taken, &mut commands).await?;
            let epoch = u64::try_from(loaded.seq)
                .unwrap_or_default()
                .saturating_add(1);
            commands.extend(self.advance(loaded, Event::Recover { epoch }));
        }
        if commands.is_empty() && taken.statements.is_empty() {
            taken.answer(&self.workflows);
            return Ok(false);
        }
        let mut plan = self.workflows.plan(&loaded.facts, commands).await?;
        self.note_flights(&plan);
        let mut statements = self.state_rows(loaded, &plan);
        statements.append(&mut plan.statements);
        statements.append(&mut taken.statements);
        self.commit(loaded, statements).await?;
        taken.answer(&self.workflows);
        for request in &taken.questions {
            self.workflows.bring(request).await?;
        }
        self.carry_out(loaded, plan).await
    }

    async fn take(
        &mut self,
        loaded: &mut Loaded,
        letter: Letter,
        taken: &mut Taken,
        commands: &mut Vec<Command>,
    ) -> Result<(), WorkflowError> {
        match letter {
            Letter::Event(event) => {
                self.note_question(loaded, &event, taken);
                commands.extend(self.advance(loaded, event));
            }
            Letter::Asked(event, reply) => {
                let new = self.advance(loaded, event);
                taken.asked.push((reply, !new.is_empty()));
                commands.extend(new);
            }
            Letter::Timer { path, kind, due } => {
                let delete = stop_timer(&self.id, &path, kind.name(), Some(due));
                taken.statements.push(delete);
                let fired = Event::Fired {
                    path: TaskPath::new(&path),
                    timer: kind,
                };
                commands.extend(self.advance_at(loaded, fired, due));
                taken.timers.push((Arc::clone(&self.id), path, kind, due));
            }
            Letter::Inbox => self.take_inbox(loaded, taken, commands).await?,
            Letter::Adopt(adoption) => {
                let Adoption { definition, reply } = *adoption;
                let idle = self.flying.is_empty();
                match self.workflows.adopted_by(loaded, definition, idle) {
                    Ok((statements, new)) => {
                        taken.statements.extend(statements);
                        taken.adopted.push(reply);
                        commands.extend(new);
                    }
                    Err(why) => drop(reply.send(Err(why))),
                }
            }
        }
        Ok(())
    }

    async fn take_inbox(
        &mut self,
        loaded: &mut Loaded,
        taken: &mut Taken,
        commands: &mut Vec<Command>,
    ) -> Result<(), WorkflowError> {
        for waiting in self.workflows.inbox_of(&loaded.facts).await? {
            taken.statements.push(inbox::taken(&waiting.id));
            self.note_question(loaded, &waiting.event, taken);
            commands.extend(self.advance(loaded, waiting.event));
        }
        Ok(())
    }

    /// A step that policy stopped waits for the request policy opened.
    fn note_question(&self, loaded: &Loaded, event: &Event, taken: &mut Taken) {
        if let Event::Outcome {
            path,
            attempt,
            outcome: Outcome::ApprovalNeeded { request },
        } = event
        {
            let rows = self
                .workflows
                .adopted(&loaded.facts, (path, *attempt), request);
            taken.statements.extend(rows);
            taken.questions.push(request.clone());
        }
    }

    fn advance(&mut self, loaded: &mut Loaded, event: Event) -> Vec<Command> {
        self.advance_at(loaded, event, i64::MIN)
    }

    /// Moves the run on, not before `least` (microseconds).
    fn advance_at(&mut self, loaded: &mut Loaded, event: Event, least: i64) -> Vec<Command> {
        self.landed(&event);
        // Rows hold whole microseconds; a timer never fires before its own date.
        let due = crate::store::moment(least.saturating_add(1));
        let at = self.workflows.now().max(due);
        loaded.run.advance(Stamped { at, event })
    }

    fn landed(&mut self, event: &Event) {
        if let Event::Outcome { path, attempt, .. } = event {
            self.flying.remove(&(path.clone(), *attempt));
        }
    }

    /// Attempts of this plan count as in flight from its commit on.
    fn note_flights(&mut self, plan: &Plan) {
        for after in &plan.after {
            let key = match after {
                After::Invoke(invoke) => (invoke.path.clone(), invoke.attempt),
                After::Poll { path, attempt, .. } => (path.clone(), *attempt),
                _ => continue,
            };
            self.flying.insert(key, CancellationToken::new());
        }
    }

    /// While the hub stops nothing begins: what comes in waits in the store for the next start.
    async fn put_aside(
        &mut self,
        loaded: &Loaded,
        letters: &mut Vec<Letter>,
    ) -> Result<(), WorkflowError> {
        let mut statements = Vec::new();
        for letter in letters.drain(..) {
            match letter {
                Letter::Event(event) => {
                    self.landed(&event);
                    let sensitive = &loaded.facts.sensitive;
                    statements.extend(self.workflows.post_closed(&self.id, &event, sensitive));
                }
                other => self.refuse(other),
            }
        }
        self.workflows.instance.store().write(statements).await?;
        Ok(())
    }
}

impl Taken {
    fn answer(&mut self, workflows: &Workflows) {
        for key in self.timers.drain(..) {
            workflows.timers.taken(&key);
        }
        for reply in self.adopted.drain(..) {
            drop(reply.send(Ok(())));
        }
        for (reply, changed) in self.asked.drain(..) {
            drop(reply.send(Verdict::Taken { changed }));
        }
    }
}
