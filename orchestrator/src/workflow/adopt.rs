//! Going on with a newer definition: what differs is shown, and refused where the run has passed already.
//!
//! Only who started a run may do this: its steps are made with their rights, so the document has to be
//! theirs, too.

use super::definitions::grant_of;
use super::mailbox::{Letter, Undelivered};
use super::runner::Loaded;
use super::{StepView, WorkflowError, Workflows};
use crate::caller::Caller;
use crate::store::Statement;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::oneshot;
use workflow::core::{Command, TaskPath, pointer_of};
use workflow::dsl::diff::{Change, ChangeKind, conflicts, diff};
use workflow::dsl::model::Definition;

/// Steps in these words stand still and have not passed: what they do may change.
const STANDING: &[&str] = &[
    "suspended",
    "unknown",
    "retrying",
    "parked",
    "waiting_approval",
    "waiting_lock",
];

/// What is asked for.
#[derive(Debug, Clone)]
pub struct AdoptRequest {
    /// The newer document: DSL or short form, JSON or YAML text.
    pub source: String,
    /// Only say what differs.
    pub dry_run: bool,
    /// Why, for the record.
    pub reason: Option<String>,
}

/// What differs between what a run does and what it would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Digest of what it did.
    pub from: String,
    /// Digest of the newer definition.
    pub to: String,
    /// Every difference, in the order of the pointers; with it whether it forbids to go on.
    pub changes: Vec<(Change, bool)>,
    /// The run goes on with the newer one.
    pub done: bool,
}

/// A definition for a run that is at work, or woken for this.
#[derive(Debug)]
pub(super) struct Adoption {
    pub(super) definition: Arc<Definition>,
    pub(super) reply: oneshot::Sender<Result<(), WorkflowError>>,
}

impl Adopted {
    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let word = |kind| match kind {
            ChangeKind::Added => "added",
            ChangeKind::Removed => "removed",
            ChangeKind::Changed => "changed",
        };
        let changes = self.changes.iter().map(|(change, forbids)| {
            json!({"pointer": change.pointer, "kind": word(change.kind), "forbids": forbids})
        });
        json!({
            "from": self.from,
            "to": self.to,
            "changes": changes.collect::<Vec<_>>(),
            "adopted": self.done,
        })
    }
}

impl Workflows {
    /// Lets a run that stands still go on with a newer definition, or says what that would change.
    ///
    /// # Errors
    /// [`WorkflowError::Conflict`] when the run is over, at work, or has executed what differs;
    /// [`WorkflowError::Forbidden`] for anybody but its starter.
    pub async fn adopt_definition(
        self: &Arc<Self>,
        caller: &Caller,
        id: &str,
        request: AdoptRequest,
    ) -> Result<Adopted, WorkflowError> {
        let row = self.run(&caller.principal, id).await?;
        if row.finished() {
            let why = format!("the run is {}; run it again instead", row.status);
            return Err(WorkflowError::Conflict(why));
        }
        if *row.principal != *caller.principal.id {
            let why = "only who started a run may change what it does";
            return Err(WorkflowError::Forbidden(why));
        }
        let newer = self.read(&request.source)?;
        let older = self.definition(&row.organization, &row.digest).await?;
        let mut adopted = Adopted {
            from: older.digest.clone(),
            to: newer.digest.clone(),
            changes: judged(&older, &newer, &self.steps(id).await?),
            done: false,
        };
        if request.dry_run {
            return Ok(adopted);
        }
        if let Some((change, _)) = adopted.changes.iter().find(|(_, forbids)| *forbids) {
            let why = format!("{} was executed and differs", change.pointer);
            return Err(WorkflowError::Conflict(why));
        }
        let details = json!({"from": adopted.from, "to": adopted.to, "reason": request.reason});
        self.record(caller, "workflow.adopted", id, details).await?;
        let (reply, answer) = oneshot::channel();
        let letter = Letter::Adopt(Box::new(Adoption {
            definition: newer,
            reply,
        }));
        match self.deliver(&row.id, letter).await {
            Ok(()) => {}
            Err(Undelivered::Full) => return Err(WorkflowError::Overloaded),
            Err(Undelivered::Stopping) => return Err(WorkflowError::Stopping),
        }
        let over = || WorkflowError::Conflict("the run is over".into());
        answer.await.unwrap_or_else(|_gone| Err(over()))?;
        adopted.done = true;
        Ok(adopted)
    }

    /// Puts a run that rests on another definition: its rows, and what its history says.
    pub(super) fn adopted_by(
        &self,
        loaded: &mut Loaded,
        definition: Arc<Definition>,
        idle: bool,
    ) -> Result<(Vec<Statement>, Vec<Command>), WorkflowError> {
        if !idle {
            let why = "the run is at work; pause it and wait for what is in flight";
            return Err(WorkflowError::Conflict(why.into()));
        }
        let grant = grant_of(&definition)?;
        let effects = self.effects(&definition);
        let (run, commands) = loaded
            .run
            .adopt(Arc::clone(&definition), effects)
            .map_err(|error| WorkflowError::Conflict(error.to_string()))?;
        loaded.run = run;
        loaded.facts = Arc::new(loaded.facts.under(grant));
        let facts = &loaded.facts;
        let sql = "UPDATE workflows SET digest = $2 WHERE id = $1";
        let digest = Statement::new(sql)
            .bind(facts.id.as_ref())
            .bind(definition.digest.as_str());
        let keep = self.keep(&facts.organization, &facts.principal, &definition);
        Ok((vec![keep, digest], commands))
    }
}

/// Every difference, and whether the run has passed it.
fn judged(older: &Definition, newer: &Definition, steps: &[StepView]) -> Vec<(Change, bool)> {
    let changes = diff(older, newer);
    let passed = steps
        .iter()
        .filter(|step| !STANDING.contains(&step.status.as_str()));
    let pointers = passed.filter_map(|step| pointer_of(older, &TaskPath::new(&step.path)));
    let executed: BTreeSet<String> = pointers.map(str::to_owned).collect();
    let forbidden = conflicts(&changes, &executed);
    let forbids = |change: &Change| forbidden.iter().any(|it| it.pointer == change.pointer);
    changes
        .iter()
        .map(|change| (change.clone(), forbids(change)))
        .collect()
}
