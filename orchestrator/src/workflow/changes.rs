//! Tells those who wait for a run that it went on, without waking everybody who waits for another one.
//!
//! Only this hub's own runs are told of; whoever waits looks for themselves now and then.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast};

/// Groups of runs whose listeners are woken together.
const GROUPS: usize = 64;
/// Changes of a group that may wait for a slow listener before it has to look for itself.
const WAITING: usize = 256;

/// A run went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which run.
    pub id: Arc<str>,
    /// It is over, or waits.
    pub rests: bool,
}

/// Those who listen.
pub(super) struct Changes {
    groups: Vec<broadcast::Sender<Changed>>,
    /// Some run has ended.
    pub(super) ends: Notify,
    /// Some run went on; for the one who tells other systems.
    pub(super) any: Notify,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            groups: (0..GROUPS).map(|_| broadcast::channel(WAITING).0).collect(),
            ends: Notify::new(),
            any: Notify::new(),
        }
    }
}

impl Changes {
    pub(super) fn tell(&self, change: Changed) {
        self.any.notify_one();
        if let Some(group) = self.group(&change.id) {
            // Nobody may listen.
            drop(group.send(change));
        }
    }

    pub(super) fn of(&self, id: &str) -> Listener {
        let id = id.to_owned();
        let changes = self.group(&id).map(broadcast::Sender::subscribe);
        Listener { id, changes }
    }

    fn group(&self, id: &str) -> Option<&broadcast::Sender<Changed>> {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let all = u64::try_from(self.groups.len()).ok()?;
        let at = hasher.finish().checked_rem(all)?;
        self.groups.get(usize::try_from(at).ok()?)
    }
}

/// Hears of one run.
pub struct Listener {
    id: String,
    changes: Option<broadcast::Receiver<Changed>>,
}

impl Listener {
    /// Returns when the run went on, or may have. Safe to drop and await again.
    pub async fn changed(&mut self) {
        self.until(|_| true).await;
    }

    /// Returns when the run is over or waits, or may.
    pub(super) async fn rests(&mut self) {
        self.until(|change| change.rests).await;
    }

    async fn until(&mut self, wanted: fn(&Changed) -> bool) {
        let Some(changes) = &mut self.changes else {
            return std::future::pending().await;
        };
        loop {
            match changes.recv().await {
                Ok(change) if *change.id != self.id || !wanted(&change) => {}
                Ok(_) | Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_listener_hears_of_its_run_only() {
        let changes = Changes::default();
        let mut own = changes.of("wf_1");
        let told = |id: &str, rests| {
            changes.tell(Changed {
                id: id.into(),
                rests,
            });
        };
        for number in 2..500 {
            told(&format!("wf_{number}"), true);
        }
        assert!(own.changed().now_or_never().is_none());
        told("wf_1", false);
        assert!(own.rests().now_or_never().is_none());
        told("wf_1", true);
        assert!(own.rests().now_or_never().is_some());
    }
}
