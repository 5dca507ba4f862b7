//! The same protection for what a target offers beside tools: one slot, one deadline, one breaker with
//! its reads. Nothing is sent again.

use super::Guarded;
use crate::policy::Permit;
use crate::upstream::UpstreamError;
use crate::upstream::offers::{OfferCall, Offered, Offers, Watch};
use async_trait::async_trait;
use serde_json::value::RawValue;
use std::sync::Arc;

/// [`Offers`] of a guarded target.
pub struct GuardedOffers {
    guard: Arc<Guarded>,
    inner: Arc<dyn Offers>,
}

impl GuardedOffers {
    /// `inner` and `guard` are the same target.
    #[must_use]
    pub fn new(guard: Arc<Guarded>, inner: Arc<dyn Offers>) -> Self {
        Self { guard, inner }
    }
}

#[async_trait]
impl Offers for GuardedOffers {
    fn offered(&self) -> Arc<Offered> {
        self.inner.offered()
    }

    async fn fetch(
        &self,
        permit: &Permit,
        call: &OfferCall,
    ) -> Result<Box<RawValue>, UpstreamError> {
        let sent = self.inner.fetch(permit, call);
        self.guard.once(&call.call, sent).await
    }

    async fn watch(&self, permit: &Permit, uri: &str) -> Result<Watch, UpstreamError> {
        self.inner.watch(permit, uri).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::policy::unproven;
    use crate::resilience::ResilienceConfig;
    use crate::upstream::offers::{Bridge, OfferMethod};
    use crate::upstream::scripted::{Scripted, call_of};
    use shared::tool::Effect;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Cannot be reached.
    #[derive(Default)]
    struct Away(AtomicUsize);

    #[async_trait]
    impl Offers for Away {
        fn offered(&self) -> Arc<Offered> {
            Arc::default()
        }

        async fn fetch(&self, _: &Permit, _: &OfferCall) -> Result<Box<RawValue>, UpstreamError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Err(UpstreamError::Unreachable("refused".into()))
        }

        async fn watch(&self, _: &Permit, _: &str) -> Result<Watch, UpstreamError> {
            Err(UpstreamError::Unreachable("refused".into()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_cannot_be_reached_is_left_alone() {
        let metrics = Arc::new(Metrics::new("1"));
        let config = ResilienceConfig::default();
        let tools = Scripted::answering(Vec::new());
        let guard = Arc::new(Guarded::new("stub".into(), tools as _, &config, metrics));
        let away = Arc::new(Away::default());
        let offers = GuardedOffers::new(Arc::clone(&guard), Arc::clone(&away) as _);
        let like = call_of(Effect::Read);
        let permit = unproven::permit(&like.tool, Effect::Read);
        let call = OfferCall {
            method: OfferMethod::ReadResource,
            target: "test://a".into(),
            params: RawValue::from_string("{}".to_owned()).unwrap(),
            call: like.call,
            bridge: Bridge::none(),
        };
        let mut refused = 0;
        for _ in 0..20 {
            let failed = offers.fetch(&permit, &call).await.unwrap_err();
            refused += usize::from(matches!(failed, UpstreamError::BreakerOpen { .. }));
        }
        assert!(refused > 0);
        assert_eq!(away.0.load(Ordering::Relaxed) + refused, 20);
    }
}
