//! Protection of one target: bulkhead → deadline → { breaker → upstream } × attempts.
//!
//! [`Guarded`] *is* an [`Upstream`] around another, so nothing else knows about it. One target can
//! neither hold the hub nor be hammered by it. Source: `interfaces.md` 8.

mod breaker;
mod bulkhead;
mod offers;
mod retry;
mod window;

pub use breaker::{BreakerConfig, BreakerState, BreakerView, Class};
pub use bulkhead::BulkheadConfig;
pub use offers::GuardedOffers;
pub use retry::RetryConfig;

use crate::metrics::Metrics;
use crate::policy::{Permit, Reach};
use crate::upstream::{Description, Health, Upstream, UpstreamCall, UpstreamError};
use async_trait::async_trait;
use breaker::{Breaker, Verdict};
use bulkhead::Bulkhead;
use futures::future::BoxFuture;
use retry::Retry;
use shared::tool::{Assessment, Call, Effect, Output};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// How every target is protected.
#[derive(Debug, Clone)]
pub struct ResilienceConfig {
    /// Calls at once.
    pub bulkhead: BulkheadConfig,
    /// Sending again.
    pub retry: RetryConfig,
    /// Not sending at all.
    pub breaker: BreakerConfig,
    /// Budget of a normal tool; a call with more belongs to the long-running class and may be slow.
    pub normal_timeout: Duration,
}

impl Default for ResilienceConfig {
    fn default() -> Self {
        Self {
            bulkhead: BulkheadConfig::default(),
            retry: RetryConfig::default(),
            breaker: BreakerConfig::default(),
            normal_timeout: Duration::from_secs(30),
        }
    }
}

/// An upstream with its protection.
pub struct Guarded {
    target: Arc<str>,
    inner: Arc<dyn Upstream>,
    bulkhead: Bulkhead,
    retry: Retry,
    reads: Breaker,
    changes: Breaker,
    opened: Arc<Notify>,
    normal_timeout: Duration,
    metrics: Arc<Metrics>,
}

impl Guarded {
    /// Protects `inner`. `target` names it in metrics and for operators.
    #[must_use]
    pub fn new(
        target: Arc<str>,
        inner: Arc<dyn Upstream>,
        config: &ResilienceConfig,
        metrics: Arc<Metrics>,
    ) -> Self {
        let opened = Arc::new(Notify::new());
        let breaker = |class| {
            let watch = breaker::Watch {
                target: Arc::clone(&target),
                metrics: Arc::clone(&metrics),
                opened: Arc::clone(&opened),
            };
            Breaker::new(class, config.breaker.clone(), watch)
        };
        Self {
            reads: breaker(Class::Read),
            changes: breaker(Class::Change),
            bulkhead: Bulkhead::new(&config.bulkhead),
            retry: Retry::new(config.retry.clone()),
            normal_timeout: config.normal_timeout,
            target,
            inner,
            opened,
            metrics,
        }
    }

    /// The breakers, for operators: reads, then changes.
    #[must_use]
    pub fn breakers(&self) -> [BreakerView; 2] {
        [self.reads.view(), self.changes.view()]
    }

    /// Closes both breakers, because an operator says so.
    pub fn reset(&self) {
        self.reads.reset();
        self.changes.reset();
    }

    /// The health probe found the target working: open breakers may try again.
    pub fn note_probe_ok(&self) {
        self.reads.note_probe_ok();
        self.changes.note_probe_ok();
    }

    /// Whether a breaker is not closed, so that probing may bring the target back earlier.
    #[must_use]
    pub fn wants_probe(&self) -> bool {
        [&self.reads, &self.changes]
            .iter()
            .any(|breaker| breaker.view().state != BreakerState::Closed)
    }

    /// Returns when a breaker has opened since the last time this was awaited.
    pub async fn opened(&self) {
        self.opened.notified().await;
    }

    const fn breaker(&self, class: Class) -> &Breaker {
        match class {
            Class::Read => &self.reads,
            Class::Change => &self.changes,
        }
    }

    /// Everything around `send`, which starts one attempt.
    async fn protect<'a, T: Send>(
        &'a self,
        class: Class,
        call: &'a UpstreamCall,
        send: impl Fn() -> BoxFuture<'a, Result<T, UpstreamError>> + Send + Sync,
    ) -> Result<T, UpstreamError> {
        if let Some(retry_after) = self.breaker(class).refusal() {
            return Err(UpstreamError::BreakerOpen { retry_after });
        }
        let work = async {
            let _slot = self.bulkhead.enter(class, call.call.deadline).await?;
            self.attempts(class, call, &send).await
        };
        tokio::select! {
            biased;
            () = call.call.cancelled.cancelled() => Err(UpstreamError::Cancelled),
            result = work => result,
        }
    }

    /// One attempt of a read that is no tool call; it is not sent again.
    async fn once<T: Send>(
        &self,
        call: &Call,
        sent: BoxFuture<'_, Result<T, UpstreamError>>,
    ) -> Result<T, UpstreamError> {
        if let Some(retry_after) = self.reads.refusal() {
            return Err(UpstreamError::BreakerOpen { retry_after });
        }
        let work = async {
            let _slot = self.bulkhead.enter(Class::Read, call.deadline).await?;
            self.attempt(Class::Read, call, sent).await
        };
        tokio::select! {
            biased;
            () = call.cancelled.cancelled() => Err(UpstreamError::Cancelled),
            result = work => result,
        }
    }

    async fn attempts<'a, T: Send>(
        &'a self,
        class: Class,
        call: &'a UpstreamCall,
        send: &(impl Fn() -> BoxFuture<'a, Result<T, UpstreamError>> + Send + Sync),
    ) -> Result<T, UpstreamError> {
        self.retry.note_call();
        let mut attempt = 1;
        let mut error = match self.attempt(class, &call.call, send()).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        while let Some(wait) = self.retry.wait_after(attempt, &error, call) {
            tokio::time::sleep(wait).await;
            attempt += 1;
            self.metrics.retried(&self.target);
            match self.attempt(class, &call.call, send()).await {
                Ok(value) => return Ok(value),
                // The breaker's refusal says less than what opened it.
                Err(UpstreamError::BreakerOpen { .. }) => return Err(error),
                Err(next) => error = next,
            }
        }
        Err(error)
    }

    /// One attempt, with a verdict for the breaker: the deadline is inside, or timeouts would look
    /// like callers who gave up.
    async fn attempt<T>(
        &self,
        class: Class,
        call: &Call,
        sent: BoxFuture<'_, Result<T, UpstreamError>>,
    ) -> Result<T, UpstreamError> {
        let pass = self
            .breaker(class)
            .admit()
            .map_err(|retry_after| UpstreamError::BreakerOpen { retry_after })?;
        let started = Instant::now();
        let given = call.deadline.saturating_duration_since(started);
        let result = timeout_at(call.deadline, sent)
            .await
            .unwrap_or(Err(UpstreamError::Timeout));
        let verdict = self.verdict(&result, given, started.elapsed());
        pass.settle(verdict);
        if class == Class::Read && verdict == Verdict::Good {
            self.changes.note_read_ok();
        }
        result
    }

    /// What a result says about the target. A timeout of a caller who gave it little time, a refusal
    /// and the tool's own failure say nothing.
    fn verdict<T>(
        &self,
        result: &Result<T, UpstreamError>,
        given: Duration,
        took: Duration,
    ) -> Verdict {
        let slow_after = self.breaker(Class::Read).slow_after();
        let patient = slow_after.min(self.normal_timeout) * 9 / 10;
        let long_running = given > self.normal_timeout;
        match result {
            Ok(_) if took >= slow_after && !long_running => Verdict::Slow,
            Ok(_) => Verdict::Good,
            Err(UpstreamError::Timeout) if given < patient => Verdict::None,
            Err(
                UpstreamError::Timeout
                | UpstreamError::Unreachable(_)
                | UpstreamError::Lost(_)
                | UpstreamError::BadAnswer(_),
            ) => Verdict::Bad,
            Err(
                UpstreamError::Refused(_)
                | UpstreamError::BreakerOpen { .. }
                | UpstreamError::Overloaded { .. }
                | UpstreamError::Cancelled
                | UpstreamError::Tool(_)
                | UpstreamError::Peer(_)
                | UpstreamError::InputRequired(_),
            ) => Verdict::None,
        }
    }
}

#[async_trait]
impl Upstream for Guarded {
    async fn describe(&self) -> Result<Description, UpstreamError> {
        self.inner.describe().await
    }

    async fn probe(&self) -> Result<Health, UpstreamError> {
        self.inner.probe().await
    }

    async fn assess(
        &self,
        reach: &Reach,
        call: &UpstreamCall,
    ) -> Result<Assessment, UpstreamError> {
        self.protect(Class::Read, call, || self.inner.assess(reach, call))
            .await
    }

    async fn call(&self, permit: &Permit, call: &UpstreamCall) -> Result<Output, UpstreamError> {
        self.protect(Class::of(call.effect), call, || {
            self.inner.call(permit, call)
        })
        .await
    }
}

impl Class {
    /// The class of a call with this effect.
    #[must_use]
    pub const fn of(effect: Effect) -> Self {
        match effect {
            Effect::Read => Self::Read,
            Effect::MutateOwn | Effect::Mutate | Effect::Critical => Self::Change,
        }
    }
}

#[cfg(test)]
mod tests;
