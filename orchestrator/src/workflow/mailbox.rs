//! Which runs are at work in this hub, and how events reach them.
//!
//! A run that waits for the outside has no task and no state in memory. The first letter to it starts a
//! runner; the runner ends when nothing is in flight and no letter waits, under the same lock that
//! letters are put in under, so that none is lost in between.

use super::Workflows;
use super::adopt::Adoption;
use super::runner::Runner;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use workflow::core::{Event, TimerKind};

/// Letters that may wait for one run.
const LETTERS: usize = 1024;
/// How long one waits for a place, how often.
const PAUSE: Duration = Duration::from_millis(5);
const ATTEMPTS: u32 = 400;

/// Something for a run.
#[derive(Debug)]
pub(super) enum Letter {
    /// An event that is known nowhere else yet.
    Event(Event),
    /// A timer row is due.
    Timer {
        path: String,
        kind: TimerKind,
        due: i64,
    },
    /// The run's inbox has rows.
    Inbox,
    /// An event whose sender waits until it is committed, or refused.
    Asked(Event, oneshot::Sender<Verdict>),
    /// Another definition is to be gone on with; whoever asks waits until that is committed.
    Adopt(Box<Adoption>),
}

/// What became of an event somebody waits for.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is committed; whether it changed anything.
    Taken { changed: bool },
    /// The run is over, or not this hub's.
    Gone,
}

/// Why a letter was not put in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Undelivered {
    /// Too many wait.
    Full,
    /// The hub is stopping.
    Stopping,
}

/// The runs at work.
#[derive(Default)]
pub(super) struct Mailboxes(Mutex<HashMap<Arc<str>, mpsc::Sender<Letter>>>);

impl Mailboxes {
    /// How many runs are at work.
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// Whether a run is at work.
    pub(super) fn has(&self, id: &str) -> bool {
        self.0.lock().contains_key(id)
    }

    /// Ends a runner if no letter waits for it.
    pub(super) fn close(&self, id: &Arc<str>, letters: &mpsc::Receiver<Letter>) -> bool {
        let mut boxes = self.0.lock();
        if !letters.is_empty() {
            return false;
        }
        boxes.remove(id);
        true
    }

    /// Ends a runner whatever waits; gives back nothing, since what waits is lost to it.
    pub(super) fn remove(&self, id: &Arc<str>) {
        self.0.lock().remove(id);
    }
}

impl Workflows {
    /// Puts a letter in, waiting a little for a place.
    pub(super) async fn deliver(
        self: &Arc<Self>,
        id: &Arc<str>,
        letter: Letter,
    ) -> Result<(), Undelivered> {
        let mut letter = letter;
        for _ in 0..ATTEMPTS {
            match self.try_deliver(id, letter) {
                Ok(()) => return Ok(()),
                Err(refused) => match *refused {
                    (Undelivered::Stopping, _) => return Err(Undelivered::Stopping),
                    (Undelivered::Full, back) => letter = back,
                },
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(Undelivered::Full)
    }

    /// Puts a letter in, or gives it back. Starts a runner when there is none.
    pub(super) fn try_deliver(
        self: &Arc<Self>,
        id: &Arc<str>,
        letter: Letter,
    ) -> Result<(), Box<(Undelivered, Letter)>> {
        let mut boxes = self.mailboxes.0.lock();
        if let Some(sender) = boxes.get(id) {
            let sent = sender.try_send(letter);
            return sent.map_err(|error| Box::new((Undelivered::Full, error.into_inner())));
        }
        if self.gateway.tasks.is_stopping() {
            return Err(Box::new((Undelivered::Stopping, letter)));
        }
        let (sender, letters) = mpsc::channel(LETTERS);
        if let Err(error) = sender.try_send(letter) {
            return Err(Box::new((Undelivered::Full, error.into_inner())));
        }
        boxes.insert(Arc::clone(id), sender);
        drop(boxes);
        let runner = Runner::new(Arc::clone(self), Arc::clone(id), letters);
        drop(self.gateway.tasks.spawn("workflow run", runner.run()));
        Ok(())
    }
}
