//! Whether the hub takes calls: not before everything is built, not while it stops.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const BUILDING: u8 = 0;
const STARTED: u8 = 1;
const STOPPING: u8 = 2;

/// Shared by whoever starts and stops the hub and whoever is asked. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicU8>);

impl Readiness {
    /// Everything is built; ignored while stopping.
    pub fn started(&self) {
        let swap = self
            .0
            .compare_exchange(BUILDING, STARTED, Ordering::AcqRel, Ordering::Acquire);
        if swap.is_err() {
            tracing::debug!(
                event = "readiness",
                "the hub was started or is stopping already"
            );
        }
    }

    /// No further calls, for good.
    pub fn stopping(&self) {
        self.0.store(STOPPING, Ordering::Release);
    }

    /// Whether calls can be taken.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire) == STARTED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopping_hub_does_not_become_ready() {
        let readiness = Readiness::default();
        assert!(!readiness.is_ready());
        readiness.started();
        assert!(readiness.is_ready());
        readiness.stopping();
        readiness.started();
        assert!(!readiness.is_ready());
    }
}
