//! The seam [`WindowStore`] and its in-memory side; one shared between processes can stand in.

use super::window::{Rate, Room, Window};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// How often a full store looks for idle windows.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// One thing that must have room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Scope in answers and metrics, such as `api_key`.
    pub scope: &'static str,
    /// Whose window; unique within the scope.
    pub key: String,
    /// How many, how long.
    pub rate: Rate,
}

/// Where windows are kept.
#[async_trait]
pub trait WindowStore: Send + Sync {
    /// Takes one from every demand, or from none when one has no room: then the index of the fullest
    /// demand (the longest wait) comes back as the error. `rooms` are those after taking, in the
    /// order of the demands.
    ///
    /// # Errors
    /// The index of the demand that refuses, with its room.
    async fn take(&self, demands: &[Demand]) -> Result<Vec<Room>, (usize, Room)>;
}

/// Windows in this process, at most `capacity` of them.
///
/// Idle ones make room, and when none is idle newcomers of a scope share one window, so that a flood of
/// new keys neither costs memory nor frees anybody from limits.
pub struct MemoryWindows {
    capacity: usize,
    start: Instant,
    held: Mutex<Held>,
}

type WindowKey = (&'static str, Duration, String);

#[derive(Default)]
struct Held {
    windows: HashMap<WindowKey, Window>,
    swept: Option<Duration>,
}

impl MemoryWindows {
    /// Room for `capacity` windows, plus one shared window per scope and rate.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            start: Instant::now(),
            held: Mutex::default(),
        }
    }

    /// How many windows are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.lock().windows.len()
    }

    /// Whether no window is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[async_trait]
impl WindowStore for MemoryWindows {
    async fn take(&self, demands: &[Demand]) -> Result<Vec<Room>, (usize, Room)> {
        self.take_now(demands)
    }
}

impl MemoryWindows {
    fn take_now(&self, demands: &[Demand]) -> Result<Vec<Room>, (usize, Room)> {
        let mut held = self.held.lock();
        let now = self.start.elapsed();
        let keys: Vec<WindowKey> = demands
            .iter()
            .map(|demand| held.key_for(demand, self.capacity, now))
            .collect();
        let mut refused: Option<(usize, Room)> = None;
        for (index, (demand, key)) in demands.iter().zip(&keys).enumerate() {
            let room = held
                .windows
                .entry(key.clone())
                .or_default()
                .room(demand.rate, now);
            let longer = refused.is_none_or(|(_, other)| room.retry_after > other.retry_after);
            if room.remaining == 0 && longer {
                refused = Some((index, room));
            }
        }
        if let Some(refused) = refused {
            return Err(refused);
        }
        let rooms = demands.iter().zip(keys).map(|(demand, key)| {
            let window = held.windows.entry(key).or_default();
            window.take(demand.rate, now);
            window.room(demand.rate, now)
        });
        Ok(rooms.collect())
    }
}

impl Held {
    fn key_for(&mut self, demand: &Demand, capacity: usize, now: Duration) -> WindowKey {
        let own = (demand.scope, demand.rate.per, demand.key.clone());
        if self.windows.contains_key(&own) || self.windows.len() < capacity {
            return own;
        }
        if self.swept.is_none_or(|swept| swept + SWEEP_EVERY <= now) {
            self.swept = Some(now);
            self.windows
                .retain(|(_, per, _), window| !window.is_idle(*per, now));
        }
        if self.windows.len() < capacity {
            own
        } else {
            (demand.scope, demand.rate.per, String::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(scope: &'static str, key: impl Into<String>, limit: u32) -> Demand {
        Demand {
            scope,
            key: key.into(),
            rate: Rate {
                limit,
                per: Duration::from_secs(60),
            },
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_costs_the_other_scopes_nothing() {
        let store = MemoryWindows::new(100);
        let both = [demand("user", "u", 5), demand("organization", "o", 2)];
        assert!(store.take_now(&both).is_ok() && store.take_now(&both).is_ok());
        for _ in 0..10 {
            assert_eq!(store.take_now(&both).unwrap_err().0, 1);
        }
        let rooms = store.take_now(&both[..1]).unwrap();
        assert_eq!(rooms[0].remaining, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_keys_is_bounded_and_stays_limited() {
        let store = MemoryWindows::new(1000);
        let admitted = (0..100_000)
            .filter(|n| store.take_now(&[demand("ip", n.to_string(), 5)]).is_ok())
            .count();
        assert!(store.len() <= 1001, "{}", store.len());
        assert_eq!(admitted, 1000 + 5, "newcomers share one window");
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(store.take_now(&[demand("ip", "late", 5)]).is_ok());
        assert_eq!(store.len(), 1, "idle windows made room");
    }

    #[test]
    fn threads_together_get_exactly_the_limit() {
        let store = MemoryWindows::new(10);
        let take = || store.take_now(&[demand("user", "u", 7000)]).is_ok();
        let work = || (0..2000).filter(|_| take()).count();
        let admitted: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..16).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap())
                .sum()
        });
        assert_eq!(admitted, 7000);
    }
}
