//! The one task that writes: takes what waits, and hands it on in batches that are worth a commit.
//!
//! How records are linked and committed is `batch`'s matter.

mod batch;

use super::checkpoint::Checkpoint;
use super::notes::Notes;
use super::record::Draft;
use crate::keys::HubKey;
use crate::store::{Statement, Store, StoreError, micros};
use batch::Batches;
use shared::clock::SharedClock;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a queued record waits for company.
const PATIENCE: Duration = Duration::from_millis(50);
/// So many records are company enough.
const ENOUGH: usize = 500;
/// Most records in one transaction.
const MOST: usize = 1000;
/// Pause after a failure of the store; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Attempts to write the last records while the trail closes.
const CLOSING_ATTEMPTS: u32 = 10;
/// How often the file is renewed, and notes are summed up.
const FILE_PERIOD: Duration = Duration::from_secs(10);

/// What a waiting caller is told.
pub(in crate::audit) type Written = Result<(), Arc<StoreError>>;

/// One record on its way.
pub(in crate::audit) struct Item {
    draft: Draft,
    kind: Kind,
}

enum Kind {
    /// Somebody waits; when it fails they are told, and it is forgotten.
    Durable(oneshot::Sender<Written>),
    /// Somebody waits, and these statements stand or fall with the record.
    Coupled(Vec<Statement>, oneshot::Sender<Written>),
    /// Nobody waits; when it fails it is kept and tried again.
    Queued,
    /// As queued, and summed up in floods.
    Note,
}

impl Item {
    pub(in crate::audit) const fn durable(draft: Draft, waiter: oneshot::Sender<Written>) -> Self {
        Self {
            draft,
            kind: Kind::Durable(waiter),
        }
    }

    pub(in crate::audit) const fn coupled(
        draft: Draft,
        statements: Vec<Statement>,
        waiter: oneshot::Sender<Written>,
    ) -> Self {
        Self {
            draft,
            kind: Kind::Coupled(statements, waiter),
        }
    }

    pub(in crate::audit) const fn queued(draft: Draft) -> Self {
        Self {
            draft,
            kind: Kind::Queued,
        }
    }

    pub(in crate::audit) const fn note(draft: Draft) -> Self {
        Self {
            draft,
            kind: Kind::Note,
        }
    }

    const fn is_urgent(&self) -> bool {
        matches!(self.kind, Kind::Durable(_) | Kind::Coupled(..))
    }
}

/// What the task works with.
pub(in crate::audit) struct Writer {
    pub(in crate::audit) store: Store,
    pub(in crate::audit) clock: SharedClock,
    pub(in crate::audit) instance: Arc<str>,
    pub(in crate::audit) key: Arc<HubKey>,
    pub(in crate::audit) file: Option<PathBuf>,
}

/// Ends when `stop` fires, the queue is empty and every open call has ended.
pub(in crate::audit) async fn run(
    writer: Writer,
    mut items: mpsc::Receiver<Item>,
    stop: CancellationToken,
) {
    let mut state = State::new(writer);
    let mut open = true;
    while state.gather(&mut items, &stop, &mut open).await {
        state.write_once().await;
    }
    state.finish().await;
}

struct State {
    clock: SharedClock,
    file: Option<PathBuf>,
    batches: Batches,
    notes: Notes,
    /// Taken from the queue and not written yet.
    waiting: Vec<Item>,
    pause: Duration,
    last_file: Instant,
    /// Signed since the file was written.
    unsaved: Option<Checkpoint>,
}

impl State {
    fn new(writer: Writer) -> Self {
        Self {
            clock: Arc::clone(&writer.clock),
            file: writer.file.clone(),
            batches: Batches::new(writer),
            notes: Notes::default(),
            waiting: Vec::with_capacity(MOST),
            pause: FIRST_PAUSE,
            last_file: Instant::now(),
            unsaved: None,
        }
    }

    /// Waits until there is something to write; false when nothing more will come.
    async fn gather(
        &mut self,
        items: &mut mpsc::Receiver<Item>,
        stop: &CancellationToken,
        open: &mut bool,
    ) -> bool {
        let started = Instant::now();
        let mut company = None;
        loop {
            let room = MOST.saturating_sub(self.waiting.len());
            if room == 0 || self.waiting.len() >= ENOUGH || self.waiting.iter().any(Item::is_urgent)
            {
                self.take_what_waits(items, room);
                return true;
            }
            if !self.waiting.is_empty() {
                company.get_or_insert_with(|| Instant::now() + PATIENCE);
            }
            tokio::select! {
                biased;
                received = items.recv_many(&mut self.waiting, room) => {
                    if received == 0 {
                        return false;
                    }
                }
                () = stop.cancelled(), if *open => {
                    *open = false;
                    items.close();
                }
                () = tokio::time::sleep_until(company.unwrap_or(started + FILE_PERIOD)) => return true,
            }
        }
    }

    fn take_what_waits(&mut self, items: &mut mpsc::Receiver<Item>, room: usize) {
        for _ in 0..room {
            let Ok(item) = items.try_recv() else { return };
            self.waiting.push(item);
        }
    }

    /// Writes what waits. After a failure the callers who wait are told, and the rest is kept.
    async fn write_once(&mut self) {
        let now = micros(self.clock.now());
        let summaries = self.notes.summaries(now);
        let mut items = Vec::with_capacity(self.waiting.len() + summaries.len());
        let mut coupled = Vec::new();
        for item in self.waiting.drain(..) {
            match item.kind {
                Kind::Note => items.extend(self.notes.admit(item.draft).map(Item::queued)),
                Kind::Durable(_) | Kind::Queued => items.push(item),
                Kind::Coupled(statements, waiter) => {
                    coupled.push((item.draft, statements, waiter));
                }
            }
        }
        items.extend(summaries.into_iter().map(Item::queued));
        if !items.is_empty() {
            let written = self
                .batches
                .commit(items.iter().map(|item| &item.draft))
                .await;
            self.settle(items, written).await;
        }
        for (draft, statements, waiter) in coupled {
            let written = self.batches.commit_with(statements, &draft).await;
            let written = written.map(|checkpoint| self.unsaved = Some(checkpoint));
            // The caller may have given up waiting; what was written stands.
            drop(waiter.send(written.map_err(Arc::new)));
        }
        self.renew_file(FILE_PERIOD).await;
    }

    async fn settle(&mut self, items: Vec<Item>, written: Result<Checkpoint, StoreError>) {
        let written = match written {
            Ok(checkpoint) => {
                self.unsaved = Some(checkpoint);
                Ok(())
            }
            Err(error) => Err(Arc::new(error)),
        };
        for item in items {
            match item.kind {
                // The caller may have given up waiting.
                Kind::Durable(waiter) | Kind::Coupled(_, waiter) => {
                    drop(waiter.send(written.clone()));
                }
                Kind::Queued | Kind::Note if written.is_err() => self.waiting.push(item),
                Kind::Queued | Kind::Note => {}
            }
        }
        match written {
            Ok(()) => self.pause = FIRST_PAUSE,
            Err(error) => {
                tracing::error!(
                    event = "audit_write_failed",
                    error = &*error as &dyn std::error::Error,
                    kept = self.waiting.len(),
                    "audit records could not be written"
                );
                tokio::time::sleep(self.pause).await;
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    async fn renew_file(&mut self, period: Duration) {
        let (Some(path), Some(checkpoint)) = (&self.file, &self.unsaved) else {
            return;
        };
        if self.last_file.elapsed() < period {
            return;
        }
        match checkpoint.save(path).await {
            Ok(()) => self.unsaved = None,
            Err(error) => tracing::error!(
                event = "audit_checkpoint_file",
                error = &error as &dyn std::error::Error,
                "the checkpoint file could not be written"
            ),
        }
        self.last_file = Instant::now();
    }

    /// Writes the last records, or says how many were lost.
    async fn finish(mut self) {
        let summaries = self.notes.finish(micros(self.clock.now()));
        self.waiting.extend(summaries.into_iter().map(Item::queued));
        for _ in 0..CLOSING_ATTEMPTS {
            if self.waiting.is_empty() {
                break;
            }
            self.write_once().await;
        }
        if !self.waiting.is_empty() {
            let lost = self.waiting.len();
            tracing::error!(
                event = "audit_lost",
                lost,
                "audit records could not be written"
            );
        }
        self.renew_file(Duration::ZERO).await;
    }
}
