//! One sliding window: what was admitted lately, in bounded space.
//!
//! Exact while the limit is small. Above [`EXACT`] neighbouring events are merged and count as if
//! all had happened at the time of the youngest, which errs on the side of refusing.

use std::collections::VecDeque;
use std::time::Duration;

/// Limits up to this are kept event by event.
const EXACT: u32 = 128;
/// Above it, events within this fraction of the window are merged.
const SLICES: u32 = 128;

/// How often something may happen within one length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At most this many; never 0 (that would be no rule but a ban).
    pub limit: u32,
    /// Within any span of this length.
    pub per: Duration,
}

/// What a window says at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The limit.
    pub limit: u32,
    /// How many more are admitted now.
    pub remaining: u32,
    /// When one more is admitted; zero when one is now.
    pub retry_after: Duration,
    /// When the whole limit is free again.
    pub reset: Duration,
}

/// Neighbouring events. Times count from the start of the store that holds the window.
#[derive(Debug, Clone, Copy)]
struct Slice {
    first: Duration,
    last: Duration,
    count: u32,
}

/// The events of one key under one rate.
#[derive(Debug, Default)]
pub(super) struct Window {
    slices: VecDeque<Slice>,
    taken: u32,
}

impl Window {
    /// What is free at `now`; forgets what has left the window.
    pub(super) fn room(&mut self, rate: Rate, now: Duration) -> Room {
        while let Some(oldest) = self.slices.front() {
            if oldest.last + rate.per > now {
                break;
            }
            self.taken = self.taken.saturating_sub(oldest.count);
            self.slices.pop_front();
        }
        let leaves = |slice: Option<&Slice>| {
            slice.map_or(Duration::ZERO, |slice| {
                (slice.last + rate.per).saturating_sub(now)
            })
        };
        let remaining = rate.limit.saturating_sub(self.taken);
        Room {
            limit: rate.limit,
            remaining,
            retry_after: if remaining > 0 {
                Duration::ZERO
            } else {
                leaves(self.slices.front())
            },
            reset: leaves(self.slices.back()),
        }
    }

    /// Counts one event at `now`, which is never before the previous one.
    pub(super) fn take(&mut self, rate: Rate, now: Duration) {
        let grain = if rate.limit <= EXACT {
            Duration::ZERO
        } else {
            rate.per / SLICES
        };
        self.taken = self.taken.saturating_add(1);
        match self.slices.back_mut() {
            Some(youngest) if now <= youngest.first + grain => {
                youngest.last = now;
                youngest.count += 1;
            }
            _ => self.slices.push_back(Slice {
                first: now,
                last: now,
                count: 1,
            }),
        }
    }

    /// Whether nothing is left in the window at `now`.
    pub(super) fn is_idle(&self, per: Duration, now: Duration) -> bool {
        self.slices
            .back()
            .is_none_or(|youngest| youngest.last + per <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn admit(window: &mut Window, rate: Rate, now: Duration) -> bool {
        let free = window.room(rate, now).remaining > 0;
        if free {
            window.take(rate, now);
        }
        free
    }

    /// The definition itself: every admitted event of the last window, one by one.
    fn model_admits(admitted: &[Duration], rate: Rate, now: Duration) -> bool {
        let lately = admitted.iter().filter(|at| **at + rate.per > now).count();
        u32::try_from(lately).unwrap() < rate.limit
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn small_limits_agree_with_the_definition(
            limit in 1_u32..12,
            steps in prop::collection::vec(0_u64..40, 1..200),
        ) {
            let rate = Rate { limit, per: Duration::from_millis(100) };
            let (mut window, mut admitted, mut now) = (Window::default(), Vec::new(), Duration::ZERO);
            for step in steps {
                now += Duration::from_millis(step);
                let expected = model_admits(&admitted, rate, now);
                prop_assert_eq!(admit(&mut window, rate, now), expected);
                if expected { admitted.push(now); }
            }
        }

        #[test]
        fn large_limits_never_admit_more_and_use_bounded_space(
            limit in 129_u32..400,
            steps in prop::collection::vec((0_u64..900, 1_usize..40), 1..120),
        ) {
            let rate = Rate { limit, per: Duration::from_millis(10_000) };
            let (mut window, mut admitted, mut now) = (Window::default(), Vec::new(), Duration::ZERO);
            for (step, burst) in steps {
                now += Duration::from_millis(step);
                for _ in 0..burst {
                    if admit(&mut window, rate, now) {
                        prop_assert!(model_admits(&admitted, rate, now), "over-admitted");
                        admitted.push(now);
                    }
                }
                prop_assert!(window.slices.len() <= 130);
            }
        }

        #[test]
        fn waiting_as_long_as_told_is_enough(
            limit in 1_u32..300,
            steps in prop::collection::vec(0_u64..20, 1..400),
        ) {
            let rate = Rate { limit, per: Duration::from_millis(500) };
            let (mut window, mut now) = (Window::default(), Duration::ZERO);
            for step in steps {
                now += Duration::from_millis(step);
                if !admit(&mut window, rate, now) {
                    now += window.room(rate, now).retry_after;
                    prop_assert!(admit(&mut window, rate, now));
                }
            }
        }
    }

    #[test]
    fn a_burst_across_a_boundary_is_refused() {
        let rate = Rate {
            limit: 10,
            per: Duration::from_secs(60),
        };
        let mut window = Window::default();
        let admitted = |window: &mut Window, second| {
            (0..10)
                .filter(|_| admit(window, rate, Duration::from_secs(second)))
                .count()
        };
        assert_eq!(admitted(&mut window, 59), 10);
        assert_eq!(admitted(&mut window, 61), 0);
        assert_eq!(admitted(&mut window, 119), 10);
    }
}
