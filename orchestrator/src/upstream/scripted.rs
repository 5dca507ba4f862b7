//! An upstream that does what a test says.

use super::offers::Bridge;
use super::{Description, Health, Upstream, UpstreamCall, UpstreamError};
use crate::policy::{Permit, Reach};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::value::RawValue;
use shared::id::{CorrelationId, ToolId};
use shared::tool::{Assessment, Call, Effect, Output, Progress};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Gives its answers in order, then `{}` for ever.
pub(crate) struct Scripted {
    answers: Mutex<VecDeque<Result<(), UpstreamError>>>,
    takes: Duration,
    calls: Mutex<usize>,
    /// What it offers; `None` means it cannot be reached.
    pub(crate) description: Mutex<Option<Description>>,
    /// What it says when probed; `None` means it cannot be reached.
    pub(crate) health: Mutex<Option<Health>>,
    /// How often it was asked what it offers, and how it is.
    pub(crate) asked: Mutex<(usize, usize)>,
}

impl Scripted {
    pub(crate) fn answering(answers: Vec<Result<(), UpstreamError>>) -> Arc<Self> {
        Arc::new(Self::new(answers, Duration::ZERO))
    }

    pub(crate) fn taking(takes: Duration) -> Arc<Self> {
        Arc::new(Self::new(Vec::new(), takes))
    }

    fn new(answers: Vec<Result<(), UpstreamError>>, takes: Duration) -> Self {
        Self {
            answers: Mutex::new(answers.into()),
            takes,
            calls: Mutex::default(),
            description: Mutex::default(),
            health: Mutex::new(Some(Health::Healthy)),
            asked: Mutex::default(),
        }
    }

    /// The next calls are lost.
    pub(crate) fn fail_next(&self, count: usize) {
        let lost = || Err(UpstreamError::Lost("scripted".into()));
        self.answers.lock().extend((0..count).map(|_| lost()));
    }

    /// How often a tool was called.
    pub(crate) fn calls(&self) -> usize {
        *self.calls.lock()
    }
}

#[async_trait]
impl Upstream for Scripted {
    async fn describe(&self) -> Result<Description, UpstreamError> {
        self.asked.lock().0 += 1;
        let description = self.description.lock().clone();
        description.ok_or_else(|| UpstreamError::Unreachable("scripted".into()))
    }

    async fn probe(&self) -> Result<Health, UpstreamError> {
        self.asked.lock().1 += 1;
        let health = *self.health.lock();
        health.ok_or_else(|| UpstreamError::Unreachable("scripted".into()))
    }

    async fn assess(&self, _: &Reach, call: &UpstreamCall) -> Result<Assessment, UpstreamError> {
        Ok(Assessment::of(call.effect, "scripted"))
    }

    async fn call(&self, _: &Permit, _: &UpstreamCall) -> Result<Output, UpstreamError> {
        *self.calls.lock() += 1;
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        let answer = self.answers.lock().pop_front().unwrap_or(Ok(()));
        answer.map(|()| Output::structured(RawValue::from_string("{}".into()).unwrap()))
    }
}

/// A call of a tool that is idempotent only if it reads, with the budget of a normal tool.
pub(crate) fn call_of(effect: Effect) -> UpstreamCall {
    UpstreamCall {
        tool: ToolId::parse("stub.tool").unwrap(),
        arguments: Bytes::from_static(b"{}"),
        arguments_hash: shared::arguments::hash(&serde_json::json!({})).into(),
        effect,
        idempotent: effect == Effect::Read,
        call: Call {
            principal: "key:test".into(),
            organization: "default".into(),
            namespace: "default".into(),
            permissions: vec!["read".into()],
            correlation_id: CorrelationId::fresh(),
            traceparent: None,
            idempotency_key: None,
            grant: None,
            deadline: Instant::now() + Duration::from_secs(30),
            cancelled: CancellationToken::new(),
            progress: Progress::ignored(),
        },
        bridge: Bridge::none(),
    }
}
