//! Calls in flight per target, so that one hanging target cannot hold the hub.

use super::Class;
use crate::upstream::UpstreamError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

/// Bounds of one target.
#[derive(Debug, Clone)]
pub struct BulkheadConfig {
    /// Calls in flight.
    pub in_flight: usize,
    /// How many of them may be changes.
    pub changes: usize,
    /// Calls that may wait for a slot.
    pub queue: usize,
    /// How long one may wait.
    pub wait: Duration,
}

impl Default for BulkheadConfig {
    fn default() -> Self {
        Self {
            in_flight: 32,
            changes: 8,
            queue: 64,
            wait: Duration::from_millis(250),
        }
    }
}

pub(super) struct Bulkhead {
    slots: Semaphore,
    changes: Semaphore,
    waiting: AtomicUsize,
    queue: usize,
    wait: Duration,
}

/// A slot; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    _slot: SemaphorePermit<'a>,
    _change: Option<SemaphorePermit<'a>>,
}

/// What a refused caller is told.
const COME_BACK: Duration = Duration::from_secs(1);

impl Bulkhead {
    pub(super) fn new(config: &BulkheadConfig) -> Self {
        Self {
            slots: Semaphore::new(config.in_flight.max(1)),
            changes: Semaphore::new(config.changes.max(1)),
            waiting: AtomicUsize::new(0),
            queue: config.queue,
            wait: config.wait,
        }
    }

    /// A slot, at once or after a short wait.
    pub(super) async fn enter(
        &self,
        class: Class,
        deadline: Instant,
    ) -> Result<Slot<'_>, UpstreamError> {
        const FULL: UpstreamError = UpstreamError::Overloaded {
            retry_after: COME_BACK,
        };
        if let Some(slot) = self.free(class) {
            return Ok(slot);
        }
        let _waiting = Waiting::join(&self.waiting, self.queue).ok_or(FULL)?;
        let until = deadline.min(Instant::now() + self.wait);
        let slot = timeout_at(until, self.next(class)).await;
        slot.ok().flatten().ok_or(FULL)
    }

    fn free(&self, class: Class) -> Option<Slot<'_>> {
        let change = match class {
            Class::Read => None,
            Class::Change => Some(self.changes.try_acquire().ok()?),
        };
        Some(Slot {
            _slot: self.slots.try_acquire().ok()?,
            _change: change,
        })
    }

    /// Waits for the turn among changes first, so that waiting changes hold no slot of reads.
    async fn next(&self, class: Class) -> Option<Slot<'_>> {
        let change = match class {
            Class::Read => None,
            Class::Change => Some(self.changes.acquire().await.ok()?),
        };
        Some(Slot {
            _slot: self.slots.acquire().await.ok()?,
            _change: change,
        })
    }
}

/// A place in the queue; left when dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(count: &'a AtomicUsize, most: usize) -> Option<Self> {
        if count.fetch_add(1, Ordering::AcqRel) < most {
            return Some(Self(count));
        }
        count.fetch_sub(1, Ordering::AcqRel);
        None
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    fn small() -> Bulkhead {
        Bulkhead::new(&BulkheadConfig {
            in_flight: 2,
            changes: 1,
            queue: 1,
            ..BulkheadConfig::default()
        })
    }

    /// Acceptance: 352
    #[tokio::test(start_paused = true)]
    async fn a_full_bulkhead_refuses_after_a_short_wait() {
        let bulkhead = small();
        let first = bulkhead.enter(Class::Read, far()).await.unwrap();
        let _second = bulkhead.enter(Class::Read, far()).await.unwrap();
        let began = Instant::now();
        let (waited, refused) = tokio::join!(bulkhead.enter(Class::Read, far()), async {
            let refused = bulkhead.enter(Class::Read, far()).await;
            (refused, began.elapsed())
        });
        assert!(matches!(waited, Err(UpstreamError::Overloaded { .. })));
        assert_eq!(began.elapsed(), Duration::from_millis(250));
        assert!(refused.0.is_err(), "the queue holds one");
        assert_eq!(refused.1, Duration::ZERO);
        drop(first);
        assert!(bulkhead.enter(Class::Read, far()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_changes_leave_room_for_reads() {
        let bulkhead = small();
        let _change = bulkhead.enter(Class::Change, far()).await.unwrap();
        let (change, read) = tokio::join!(
            bulkhead.enter(Class::Change, far()),
            bulkhead.enter(Class::Read, far())
        );
        assert!(change.is_err() && read.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_freed_slot_goes_to_whoever_waits() {
        let bulkhead = small();
        let held = bulkhead.enter(Class::Change, far()).await.unwrap();
        let (next, ()) = tokio::join!(bulkhead.enter(Class::Change, far()), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(held);
        });
        assert!(next.is_ok());
        assert_eq!(bulkhead.waiting.load(Ordering::Acquire), 0);
    }
}
