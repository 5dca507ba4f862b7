//! When a call is sent again: only if that is safe, within a budget, never past the deadline.

use crate::upstream::{UpstreamCall, UpstreamError};
use rand::Rng;
use std::time::Duration;
use tower::retry::budget::{Budget, TpsBudget};

/// Bounds of sending again.
#[derive(Debug, Clone)]
pub struct RetryConfig {
    /// Attempts in all; 1 means no retries.
    pub attempts: u32,
    /// Wait before the second attempt.
    pub first_wait: Duration,
    /// Each further wait is this many times longer.
    pub factor: u32,
    /// Longest wait.
    pub longest_wait: Duration,
    /// Waits anything between zero and the wait; off where tests count.
    pub jitter: bool,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            attempts: 3,
            first_wait: Duration::from_millis(100),
            factor: 2,
            longest_wait: Duration::from_secs(2),
            jitter: true,
        }
    }
}

/// Retries a second that are always there, besides a fifth of the calls of the last ten seconds.
const RESERVE: u32 = 3;
const SHARE: f32 = 0.2;
const SPAN: Duration = Duration::from_secs(10);

pub(super) struct Retry {
    config: RetryConfig,
    budget: TpsBudget,
}

impl Retry {
    pub(super) fn new(config: RetryConfig) -> Self {
        Self {
            config,
            budget: TpsBudget::new(SPAN, RESERVE, SHARE),
        }
    }

    /// A call begins: it pays into the budget.
    pub(super) fn note_call(&self) {
        self.budget.deposit();
    }

    /// How long to wait before sending again after attempt number `attempt` (from 1) failed; `None`
    /// when it must not be sent again.
    pub(super) fn wait_after(
        &self,
        attempt: u32,
        error: &UpstreamError,
        call: &UpstreamCall,
    ) -> Option<Duration> {
        if attempt >= self.config.attempts || !safe(error, call.idempotent) {
            return None;
        }
        let wait = self.backoff(attempt).max(asked(error));
        let fits = wait < call.call.remaining();
        (fits && self.budget.withdraw()).then_some(wait)
    }

    fn backoff(&self, attempt: u32) -> Duration {
        let growth = self.config.factor.saturating_pow(attempt.saturating_sub(1));
        let wait = self.config.first_wait.saturating_mul(growth);
        let wait = wait.min(self.config.longest_wait);
        if self.config.jitter {
            wait.mul_f64(rand::rng().random::<f64>())
        } else {
            wait
        }
    }
}

/// Whether the same call may be sent again, and whether that could help.
const fn safe(error: &UpstreamError, idempotent: bool) -> bool {
    match error {
        UpstreamError::Unreachable(_) => true,
        UpstreamError::Lost(_) => idempotent,
        UpstreamError::Tool(error) => error.retryable && (error.did_not_run || idempotent),
        // Neither a broken contract, a refused hub, shed load nor a lost deadline gets better at once.
        UpstreamError::BadAnswer(_)
        | UpstreamError::Refused(_)
        | UpstreamError::Timeout
        | UpstreamError::BreakerOpen { .. }
        | UpstreamError::Overloaded { .. }
        | UpstreamError::Cancelled
        | UpstreamError::Peer(_)
        | UpstreamError::InputRequired(_) => false,
    }
}

fn asked(error: &UpstreamError) -> Duration {
    match error {
        UpstreamError::Tool(error) => error.retry_after.unwrap_or_default(),
        _ => Duration::ZERO,
    }
}
