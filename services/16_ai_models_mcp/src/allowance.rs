//! How many calls a principal may make in a minute: a sliding window in memory.

use parking_lot::Mutex;
use shared::error::Code;
use shared::tool::ToolError;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(60);
/// Most principals that are remembered; beyond it those without a call in the window are forgotten.
const MAX_PRINCIPALS: usize = 10_000;

/// The calls of the last minute.
#[derive(Debug)]
pub(crate) struct Allowance {
    calls: usize,
    seen: Mutex<HashMap<String, VecDeque<Instant>>>,
}

impl Allowance {
    /// So many calls a minute for each principal.
    pub(crate) fn new(calls: u32) -> Self {
        Self {
            calls: usize::try_from(calls).unwrap_or(usize::MAX),
            seen: Mutex::default(),
        }
    }

    /// Takes one call of a principal.
    pub(crate) fn take(&self, principal: &str) -> Result<(), ToolError> {
        let now = Instant::now();
        let fresh = |at: &Instant| now.duration_since(*at) < WINDOW;
        let mut seen = self.seen.lock();
        if seen.len() >= MAX_PRINCIPALS && !seen.contains_key(principal) {
            seen.retain(|_, calls| calls.back().is_some_and(fresh));
            if seen.len() >= MAX_PRINCIPALS {
                return Err(limited(WINDOW));
            }
        }
        let calls = seen.entry(principal.to_owned()).or_default();
        while calls.front().is_some_and(|at| !fresh(at)) {
            calls.pop_front();
        }
        match calls.front() {
            Some(first) if calls.len() >= self.calls => {
                Err(limited((*first + WINDOW).duration_since(now)))
            }
            _ => {
                calls.push_back(now);
                Ok(())
            }
        }
    }
}

fn limited(wait: Duration) -> ToolError {
    let message = "too many calls of models in a minute by this caller";
    let mut error = ToolError::refused(Code::RateLimited, message).retryable();
    error.retry_after = Some(wait.max(Duration::from_millis(1)));
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Acceptance: 62
    #[tokio::test(start_paused = true)]
    async fn the_eleventh_call_in_a_minute_is_told_when_to_come_back() {
        let allowance = Allowance::new(10);
        for _ in 0..10 {
            assert!(allowance.take("key:1").is_ok());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let error = allowance.take("key:1").unwrap_err();
        assert_eq!((error.code, error.did_not_run), (Code::RateLimited, true));
        assert_eq!(error.retry_after, Some(Duration::from_secs(50)));
        assert!(allowance.take("key:2").is_ok(), "counted by principal");
        tokio::time::advance(Duration::from_secs(50)).await;
        assert!(allowance.take("key:1").is_ok());
        assert!(allowance.take("key:1").is_err(), "only one has left");
    }
}
