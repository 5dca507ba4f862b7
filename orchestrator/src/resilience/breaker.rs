//! A circuit breaker: closed → open → half-open (one trial) → closed or open.
//!
//! Reads its own state diagram in [`Breaker::admit`], [`Pass::settle`] and [`Breaker::note_probe_ok`].
//! What counts as a failure is decided by the parent. Why it is our own: ADR 0007.

use super::window::Window;
use crate::metrics::Metrics;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// When a breaker opens and for how long.
#[derive(Debug, Clone)]
pub struct BreakerConfig {
    /// Failures in a row that open it.
    pub failures: u32,
    /// Time over which the share of bad calls is taken.
    pub window: Duration,
    /// Fewest calls in the window that say anything.
    pub min_calls: u32,
    /// Percent of bad (failed or slow) calls in the window that opens it.
    pub bad_percent: u32,
    /// A call that takes longer is bad, unless its class allows more.
    pub slow_after: Duration,
    /// Time without calls.
    pub open_for: Duration,
    /// A successful probe is believed this long after opening; doubles with every failed trial.
    pub first_probe: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            window: Duration::from_secs(60),
            min_calls: 20,
            bad_percent: 50,
            slow_after: Duration::from_secs(30),
            open_for: Duration::from_secs(60),
            first_probe: Duration::from_secs(1),
        }
    }
}

/// How long a half-open breaker of changes waits for a probe or a read to go first; also what
/// callers are told while a trial is out.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads and changes fail apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Calls that change nothing.
    Read,
    /// Calls that change something.
    Change,
}

impl Class {
    /// The label in metrics and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Change => "mutation",
        }
    }
}

/// The three states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// One trial passes.
    HalfOpen,
    /// Nothing passes.
    Open,
}

impl BreakerState {
    /// The word for operators.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "CLOSED",
            Self::HalfOpen => "HALF_OPEN",
            Self::Open => "OPEN",
        }
    }
}

/// One breaker, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerView {
    /// What it protects.
    pub target: Arc<str>,
    /// Which calls.
    pub class: Class,
    /// Now.
    pub state: BreakerState,
    /// How long it has been in this state.
    pub age: Duration,
    /// Failures in a row.
    pub failures: u32,
    /// When a call may pass again; `None` unless open.
    pub retry_after: Option<Duration>,
}

/// What one call said about the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It works.
    Good,
    /// It works, but too slowly.
    Slow,
    /// It does not work.
    Bad,
    /// Nothing.
    None,
}

/// Who learns of changes.
pub(super) struct Watch {
    pub(super) target: Arc<str>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) opened: Arc<Notify>,
}

pub(super) struct Breaker {
    class: Class,
    config: BreakerConfig,
    watch: Watch,
    inner: Mutex<Inner>,
}

struct Inner {
    state: State,
    /// Grows with every change of state: what a call learnt in an earlier one is out of date.
    epoch: u64,
    since: Instant,
    failures: u32,
    window: Window,
    /// See [`BreakerConfig::first_probe`].
    believe_probe_after: Duration,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    Open { until: Instant },
    HalfOpen { trial_out: bool },
}

/// Leave to make one call. Dropped without a verdict it gives the trial back.
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    epoch: u64,
    settled: bool,
}

impl Breaker {
    pub(super) fn new(class: Class, config: BreakerConfig, watch: Watch) -> Self {
        let inner = Inner {
            state: State::Closed,
            epoch: 0,
            since: Instant::now(),
            failures: 0,
            window: Window::new(config.window),
            believe_probe_after: config.first_probe,
        };
        let breaker = Self {
            class,
            config,
            watch,
            inner: Mutex::new(inner),
        };
        breaker.show(0);
        breaker
    }

    pub(super) const fn slow_after(&self) -> Duration {
        self.config.slow_after
    }

    /// How long calls are refused now; `None` when one may pass. Takes nothing.
    pub(super) fn refusal(&self) -> Option<Duration> {
        let mut inner = self.inner.lock();
        self.refused(&mut inner, Instant::now())
    }

    /// Lets one call pass, or says when to come back.
    pub(super) fn admit(&self) -> Result<Pass<'_>, Duration> {
        let mut inner = self.inner.lock();
        if let Some(wait) = self.refused(&mut inner, Instant::now()) {
            return Err(wait);
        }
        if let State::HalfOpen { trial_out } = &mut inner.state {
            *trial_out = true;
        }
        Ok(Pass {
            breaker: self,
            epoch: inner.epoch,
            settled: false,
        })
    }

    fn refused(&self, inner: &mut Inner, now: Instant) -> Option<Duration> {
        if let State::Open { until } = inner.state {
            if now < until {
                return Some(until - now);
            }
            self.enter(inner, State::HalfOpen { trial_out: false }, until);
        }
        match inner.state {
            State::HalfOpen { trial_out: true } => Some(PATIENCE),
            State::HalfOpen { trial_out: false } if self.class == Class::Change => {
                let waited = now.saturating_duration_since(inner.since);
                Some(PATIENCE.saturating_sub(waited)).filter(|wait| !wait.is_zero())
            }
            _ => None,
        }
    }

    /// A probe succeeded. Open: believed after a while, then the next call is the trial. Half-open
    /// with no trial out: the probe is the trial.
    pub(super) fn note_probe_ok(&self) {
        let mut inner = self.inner.lock();
        let now = Instant::now();
        match inner.state {
            State::Open { .. } => {
                if now.saturating_duration_since(inner.since) >= inner.believe_probe_after {
                    self.enter(&mut inner, State::HalfOpen { trial_out: false }, now);
                }
            }
            State::HalfOpen { trial_out: false } => self.close_on_trust(&mut inner, now),
            State::HalfOpen { trial_out: true } | State::Closed => {}
        }
    }

    /// A read succeeded: that is trial enough for changes.
    pub(super) fn note_read_ok(&self) {
        let mut inner = self.inner.lock();
        let now = Instant::now();
        let over = matches!(inner.state, State::Open { until } if now >= until);
        if over || matches!(inner.state, State::HalfOpen { trial_out: false }) {
            self.close_on_trust(&mut inner, now);
        }
    }

    /// Closes without a call of this class having worked: the first failure opens again.
    fn close_on_trust(&self, inner: &mut Inner, now: Instant) {
        self.enter(inner, State::Closed, now);
        inner.failures = self.config.failures.saturating_sub(1);
    }

    pub(super) fn reset(&self) {
        let mut inner = self.inner.lock();
        inner.believe_probe_after = self.config.first_probe;
        inner.failures = 0;
        self.enter(&mut inner, State::Closed, Instant::now());
    }

    pub(super) fn view(&self) -> BreakerView {
        let inner = self.inner.lock();
        let now = Instant::now();
        let (state, retry_after) = match inner.state {
            State::Closed => (BreakerState::Closed, None),
            State::HalfOpen { .. } => (BreakerState::HalfOpen, None),
            State::Open { until } if now >= until => (BreakerState::HalfOpen, None),
            State::Open { until } => (BreakerState::Open, Some(until - now)),
        };
        BreakerView {
            target: Arc::clone(&self.watch.target),
            class: self.class,
            state,
            age: now.saturating_duration_since(inner.since),
            failures: inner.failures,
            retry_after,
        }
    }

    fn enter(&self, inner: &mut Inner, state: State, since: Instant) {
        inner.state = state;
        inner.since = since;
        inner.epoch += 1;
        inner.window.clear();
        let (shown, word) = match state {
            State::Closed => (0, BreakerState::Closed),
            State::HalfOpen { .. } => (1, BreakerState::HalfOpen),
            State::Open { .. } => (2, BreakerState::Open),
        };
        self.show(shown);
        tracing::info!(
            event = "breaker_changed",
            target_name = %self.watch.target,
            class = self.class.as_str(),
            state = word.as_str(),
            failures = inner.failures,
            "a circuit breaker changed"
        );
    }

    fn open(&self, inner: &mut Inner, now: Instant) {
        let until = now + self.config.open_for;
        self.enter(inner, State::Open { until }, now);
        self.watch.opened.notify_one();
    }

    fn show(&self, state: u8) {
        let Watch {
            target, metrics, ..
        } = &self.watch;
        metrics.breaker_state(target, self.class.as_str(), state);
    }
}

impl Pass<'_> {
    /// Says what the call showed.
    pub(super) fn settle(mut self, verdict: Verdict) {
        self.settled = true;
        let breaker = self.breaker;
        let mut inner = breaker.inner.lock();
        if inner.epoch != self.epoch {
            return;
        }
        let now = Instant::now();
        match (inner.state, verdict) {
            (State::Closed, verdict) => breaker.count(&mut inner, verdict, now),
            (State::HalfOpen { .. }, Verdict::Good | Verdict::Slow) => {
                inner.failures = 0;
                inner.believe_probe_after = breaker.config.first_probe;
                breaker.enter(&mut inner, State::Closed, now);
            }
            (State::HalfOpen { .. }, Verdict::Bad) => {
                let doubled = inner.believe_probe_after * 2;
                inner.believe_probe_after = doubled.min(breaker.config.open_for);
                breaker.open(&mut inner, now);
            }
            (State::HalfOpen { trial_out }, Verdict::None) => {
                debug_assert!(trial_out, "only a trial passes a half-open breaker");
                inner.state = State::HalfOpen { trial_out: false };
            }
            (State::Open { .. }, _) => {}
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let mut inner = self.breaker.inner.lock();
        if inner.epoch == self.epoch
            && let State::HalfOpen { trial_out } = &mut inner.state
        {
            *trial_out = false;
        }
    }
}

impl Breaker {
    fn count(&self, inner: &mut Inner, verdict: Verdict, now: Instant) {
        match verdict {
            Verdict::None => return,
            Verdict::Good => {
                inner.failures = 0;
                inner.believe_probe_after = self.config.first_probe;
            }
            Verdict::Slow => inner.failures = 0,
            Verdict::Bad => inner.failures = inner.failures.saturating_add(1),
        }
        let bad = verdict != Verdict::Good;
        inner.window.add(now, bad);
        let share = inner.window.share();
        let too_many = share.calls >= self.config.min_calls
            && share.bad.saturating_mul(100) >= share.calls.saturating_mul(self.config.bad_percent);
        if bad && (inner.failures >= self.config.failures || too_many) {
            self.open(inner, now);
        }
    }
}

#[cfg(test)]
mod tests;
