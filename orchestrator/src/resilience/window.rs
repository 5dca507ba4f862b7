//! How many calls of the last while were bad, in a fixed number of buckets.

use std::time::Duration;
use tokio::time::Instant;

const BUCKETS: u32 = 12;

/// Calls of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) calls: u32,
    pub(super) bad: u32,
}

#[derive(Debug)]
pub(super) struct Window {
    bucket: Duration,
    /// Oldest first; each with the time it began.
    buckets: std::collections::VecDeque<(Instant, Share)>,
}

impl Window {
    /// A window over the last `length`, give or take a twelfth.
    pub(super) fn new(length: Duration) -> Self {
        Self {
            bucket: length / BUCKETS,
            buckets: std::collections::VecDeque::new(),
        }
    }

    pub(super) fn add(&mut self, now: Instant, bad: bool) {
        let length = self.bucket * BUCKETS;
        while let Some((began, _)) = self.buckets.front()
            && now.saturating_duration_since(*began) >= length
        {
            self.buckets.pop_front();
        }
        let fresh = self
            .buckets
            .back()
            .is_none_or(|(began, _)| now.saturating_duration_since(*began) >= self.bucket);
        if fresh {
            self.buckets.push_back((now, Share::default()));
        }
        if let Some((_, share)) = self.buckets.back_mut() {
            share.calls = share.calls.saturating_add(1);
            share.bad = share.bad.saturating_add(u32::from(bad));
        }
    }

    /// The calls in the window as of the last [`Window::add`].
    pub(super) fn share(&self) -> Share {
        let add = |sum: Share, (_, share): &(Instant, Share)| Share {
            calls: sum.calls.saturating_add(share.calls),
            bad: sum.bad.saturating_add(share.bad),
        };
        self.buckets.iter().fold(Share::default(), add)
    }

    pub(super) fn clear(&mut self) {
        self.buckets.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn old_calls_leave_the_window() {
        let mut window = Window::new(Duration::from_secs(60));
        for second in 0..120 {
            window.add(Instant::now(), second % 2 == 0);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let share = window.share();
        assert!((55..=60).contains(&share.calls), "{share:?}");
        assert!(window.buckets.len() <= 13);
        tokio::time::advance(Duration::from_secs(61)).await;
        window.add(Instant::now(), true);
        assert_eq!(window.share(), Share { calls: 1, bad: 1 });
    }
}
