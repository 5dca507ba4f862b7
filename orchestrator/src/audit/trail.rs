//! [`Audit`] and [`Record`]: the trail as callers see it.

use super::chain::Entry;
use super::checkpoint::Checkpoint;
use super::list::{self, AuditRow, Filter};
use super::record::{AuditOutcome, Draft, Event, Intent};
use super::verify::{self, GAP, Report};
use super::writer::{self, Item, Writer, Written};
use super::{ABANDONED, AuditError, IN_DOUBT};
use crate::keys::HubKey;
use crate::store::instance::Instance;
use crate::store::{Listed, Page, Statement, Store, micros};
use serde_json::{Value, json};
use shared::clock::SharedClock;
use shared::tasks::Tasks;
use shared::tool::Effect;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

/// Records that may wait for the writer; every open call holds a place for its outcome.
const QUEUE: usize = 16_384;
/// How long a change waits for a place in the queue.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a change waits for the disk.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long [`Audit::close`] waits for the queue to empty.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);
/// Open intents of a dead hub closed at a time.
const RECOVERY_PAGE: i64 = 500;

/// The trail. Shared behind an `Arc`.
pub struct Audit {
    queue: mpsc::Sender<Item>,
    store: Store,
    clock: SharedClock,
    key: Arc<HubKey>,
    file: Option<PathBuf>,
    /// Its own tasks: the writer stops after everybody else, when the trail is closed.
    tasks: Tasks,
}

impl Audit {
    /// Starts the writer. `file` is where the last signature is kept outside the database; `None` for
    /// processes that only add a few records. If the chain is not the one the file speaks of, that is
    /// recorded in the chain, for good; so is a missing file or another key.
    ///
    /// # Errors
    /// [`AuditError::Store`] or [`AuditError::File`]; the hub must not make calls.
    pub async fn start(
        instance: &Instance,
        key: Arc<HubKey>,
        file: Option<PathBuf>,
    ) -> Result<Self, AuditError> {
        let (queue, items) = mpsc::channel(QUEUE);
        let audit = Self {
            queue,
            store: instance.store().clone(),
            clock: Arc::clone(instance.clock()),
            key,
            file,
            tasks: Tasks::new(),
        };
        let finding = audit.finding().await?;
        let writer = Writer {
            store: audit.store.clone(),
            clock: Arc::clone(&audit.clock),
            instance: Arc::clone(instance.id()),
            key: Arc::clone(&audit.key),
            file: audit.file.clone(),
        };
        let task = writer::run(writer, items, audit.tasks.token());
        audit.tasks.spawn("audit writer", task);
        if let Some((action, details)) = finding {
            tracing::error!(event = "audit_finding", action, %details, "the audit trail is not as it was left");
            audit.event(finding_event(action, details)).await?;
        }
        audit.anchor().await?;
        Ok(audit)
    }

    /// Records what is about to be done. Anything above a read waits until the record is on disk; a
    /// read is only queued.
    ///
    /// # Errors
    /// [`AuditError`]; the call must not be made.
    pub async fn open(&self, intent: Intent) -> Result<Record, AuditError> {
        let durable = intent.effect > Effect::Read;
        let draft = Draft::of_intent(intent, micros(self.clock.now()));
        let place = self.place(durable).await?;
        let record = Record {
            outcome: Some(self.place(durable).await?),
            intent: draft.without_metadata(),
            clock: Arc::clone(&self.clock),
        };
        if durable {
            let (written, answer) = oneshot::channel();
            place.send(Item::durable(draft, written));
            waited(answer).await?;
        } else {
            place.send(Item::queued(draft));
        }
        Ok(record)
    }

    /// Records an event, and waits until it is on disk. Two events of one caller keep their order.
    ///
    /// # Errors
    /// [`AuditError`]; what the event is about must not be done, or be undone.
    pub async fn event(&self, event: Event) -> Result<(), AuditError> {
        self.durable(Draft::of_event(event, micros(self.clock.now())))
            .await
    }

    /// Records an event in one transaction with `statements`: both are on disk, or neither is.
    ///
    /// # Errors
    /// [`AuditError::NotWritten`] holds what the store said of the statements, such as
    /// [`StoreError::Unexpected`](crate::store::StoreError::Unexpected); nothing was written. After
    /// [`AuditError::TimedOut`] both may still get to the disk.
    pub async fn event_with(
        &self,
        event: Event,
        statements: Vec<Statement>,
    ) -> Result<(), AuditError> {
        let draft = Draft::of_event(event, micros(self.clock.now()));
        let (written, answer) = oneshot::channel();
        let item = Item::coupled(draft, statements, written);
        self.place(true).await?.send(item);
        waited(answer).await
    }

    /// Records an event some time soon, if there is room; floods are summed up. For what nobody may
    /// be kept waiting for, such as failed logins.
    pub fn note(&self, event: Event) {
        let draft = Draft::of_event(event, micros(self.clock.now()));
        if self.queue.try_send(Item::note(draft)).is_err() {
            tracing::warn!(
                event = "audit_note_lost",
                "a note was dropped: the audit queue is full"
            );
        }
    }

    /// Closes the open intents of a hub that was killed, as [`IN_DOUBT`]. Gives back how many.
    ///
    /// # Errors
    /// [`AuditError`]; asking again is safe.
    pub async fn close_intents_of(&self, dead: &str) -> Result<u64, AuditError> {
        let mut after = 0;
        let mut closed = 0;
        loop {
            let sql = "SELECT i.* FROM audit_logs i WHERE i.instance = $1 AND i.phase = 'intent' \
                       AND i.seq > $2 AND NOT EXISTS (SELECT 1 FROM audit_logs o \
                       WHERE o.id = i.id AND o.phase = 'outcome') ORDER BY i.seq LIMIT $3";
            let select = Statement::new(sql)
                .bind(dead)
                .bind(after)
                .bind(RECOVERY_PAGE);
            let rows = self.store.read(select).await?;
            if rows.is_empty() {
                return Ok(closed);
            }
            let entries: Vec<Entry> = rows.iter().map(Entry::of_row).collect::<Result<_, _>>()?;
            let now = micros(self.clock.now());
            let ends = entries.iter().map(|entry| {
                after = entry.seq;
                closed += 1;
                entry
                    .draft
                    .ended_with(IN_DOUBT, json!({ "hub": dead }), now)
            });
            // Together, so that they share a transaction.
            let written = futures::future::join_all(ends.map(|end| self.durable(end))).await;
            written.into_iter().collect::<Result<(), _>>()?;
        }
    }

    /// One page of records, newest first.
    ///
    /// # Errors
    /// [`AuditError::Store`]; asking again is safe.
    pub async fn list(&self, filter: &Filter, page: Page) -> Result<Listed<AuditRow>, AuditError> {
        list::list(&self.store, filter, page).await
    }

    /// Checks the whole chain against itself, the hub's key and the file.
    ///
    /// # Errors
    /// [`AuditError`] when it cannot be read; a broken chain is a [`Report`].
    pub async fn verify(&self) -> Result<Report, AuditError> {
        let key = self.key.public_key();
        match &self.file {
            Some(file) => verify::verify_with_file(&self.store, key, file).await,
            None => verify::verify(&self.store, Some(key)).await,
        }
    }

    /// Writes what is queued and signs it. Later records are refused.
    pub async fn close(&self) {
        let leftover = self.tasks.shutdown(CLOSE_TIMEOUT).await;
        if !leftover.is_empty() {
            tracing::error!(
                event = "audit_close",
                "calls were still open when the trail closed"
            );
        }
    }

    async fn durable(&self, draft: Draft) -> Result<(), AuditError> {
        let (written, answer) = oneshot::channel();
        self.place(true).await?.send(Item::durable(draft, written));
        waited(answer).await
    }

    /// A place in the queue, which cannot be lost again.
    async fn place(&self, patient: bool) -> Result<mpsc::OwnedPermit<Item>, AuditError> {
        match self.queue.clone().try_reserve_owned() {
            Ok(place) => Ok(place),
            Err(TrySendError::Closed(_)) => Err(AuditError::Closed),
            Err(TrySendError::Full(_)) if !patient => Err(AuditError::Overloaded),
            Err(TrySendError::Full(queue)) => {
                match tokio::time::timeout(QUEUE_TIMEOUT, queue.reserve_owned()).await {
                    Ok(place) => place.or(Err(AuditError::Closed)),
                    Err(_elapsed) => Err(AuditError::Overloaded),
                }
            }
        }
    }

    /// Writes the file for the end of the chain as it is now, so that it is there from the start.
    async fn anchor(&self) -> Result<(), AuditError> {
        let Some(path) = &self.file else {
            return Ok(());
        };
        let head = list::head(&self.store).await?;
        let checkpoint = Checkpoint::sign(&head, micros(self.clock.now()), &self.key);
        checkpoint.save(path).await.map_err(AuditError::File)
    }

    /// How the end of the chain differs from what the file says; `None` when it does not.
    async fn finding(&self) -> Result<Option<(&'static str, Value)>, AuditError> {
        let Some(path) = &self.file else {
            return Ok(None);
        };
        let head = list::head(&self.store).await?;
        let Some(kept) = Checkpoint::read(path).await? else {
            let missing = (FILE_MISSING, json!({ "found_seq": head.seq }));
            return Ok((head.seq > 0).then_some(missing));
        };
        if !kept.is_signed_by(self.key.public_key()) {
            let before = json!({ "key_id_before": kept.key_id, "key_id": self.key.key_id });
            return Ok(Some((KEY_CHANGED, before)));
        }
        let found = list::hash_at(&self.store, kept.seq).await?;
        let whole = kept.seq == 0 || found.is_some_and(|hash| hash == kept.hash);
        let gap = json!({
            "signed_seq": kept.seq,
            "signed_hash": kept.hash,
            "signed_at": kept.at,
            "found_seq": head.seq,
        });
        Ok((!whole).then_some((GAP, gap)))
    }
}

/// Action of the record that says that the checkpoint file was away although there were records.
const FILE_MISSING: &str = "audit.checkpoint_missing";
/// Action of the record that says that the hub signs with another key than before.
const KEY_CHANGED: &str = "audit.key_changed";

fn finding_event(action: &'static str, details: Value) -> Event {
    Event {
        action,
        resource_type: "audit",
        resource_id: "audit_logs".to_owned(),
        actor: Arc::from("system:audit"),
        organization: Arc::from("default"),
        address: None,
        details,
        correlation_id: None,
    }
}

async fn waited(answer: oneshot::Receiver<Written>) -> Result<(), AuditError> {
    match tokio::time::timeout(WRITE_TIMEOUT, answer).await {
        Ok(Ok(written)) => written.map_err(AuditError::NotWritten),
        Ok(Err(_gone)) => Err(AuditError::Closed),
        Err(_elapsed) => Err(AuditError::TimedOut),
    }
}

/// An intent that waits for its outcome. Dropped without one, it records [`ABANDONED`].
pub struct Record {
    outcome: Option<mpsc::OwnedPermit<Item>>,
    intent: Draft,
    clock: SharedClock,
}

impl Record {
    /// Records the outcome. Never fails: the place for it was taken with the intent.
    pub fn close(mut self, outcome: AuditOutcome) {
        if let Some(place) = self.outcome.take() {
            let now = micros(self.clock.now());
            place.send(Item::queued(self.intent.ended(outcome, now)));
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if let Some(place) = self.outcome.take() {
            let now = micros(self.clock.now());
            let end = self.intent.ended_with(ABANDONED, json!({}), now);
            place.send(Item::queued(end));
        }
    }
}
