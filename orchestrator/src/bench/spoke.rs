//! Calls straight to a spoke, as the hub makes them: what is left is the hub's own share.

use super::{BenchError, echo};
use crate::auth::Principal;
use crate::caller::Caller;
use crate::policy::{Decision, Permit, Policy, Request};
use crate::upstream::{Upstream, UpstreamCall};
use serde_json::json;
use shared::id::{CorrelationId, ToolId};
use shared::tool::{Call, Effect, Progress};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The echo spoke's tool, called directly.
pub struct SpokeDoor {
    upstream: Arc<dyn Upstream>,
    permit: Permit,
    call: UpstreamCall,
}

impl SpokeDoor {
    /// Calls the echo tool of `upstream`.
    ///
    /// # Errors
    /// [`BenchError::Setup`] when policy does not let the call through.
    pub fn new(upstream: Arc<dyn Upstream>) -> Result<Self, BenchError> {
        let call = echo_call()?;
        Ok(Self {
            permit: read_permit(&call)?,
            upstream,
            call,
        })
    }

    pub(super) async fn call(&self) -> Result<(), BenchError> {
        let mut call = self.call.clone();
        call.call.deadline = Instant::now() + PATIENCE;
        self.upstream.call(&self.permit, &call).await?;
        Ok(())
    }
}

/// One call of the echo tool.
pub(super) fn echo_call() -> Result<UpstreamCall, BenchError> {
    let arguments = json!({ "text": echo::TEXT });
    let tool = ToolId::parse(echo::TOOL).map_err(|error| BenchError::Setup(error.to_string()))?;
    let principal = Principal::local("bench");
    Ok(UpstreamCall {
        tool,
        arguments: arguments.to_string().into(),
        arguments_hash: shared::arguments::hash(&arguments).into(),
        effect: Effect::Read,
        idempotent: true,
        call: Call {
            principal: principal.id.to_string(),
            organization: principal.organization.to_string(),
            namespace: principal.namespace.to_string(),
            permissions: principal.permissions.texts().collect(),
            correlation_id: CorrelationId::fresh(),
            traceparent: None,
            idempotency_key: None,
            grant: None,
            deadline: Instant::now() + PATIENCE,
            cancelled: CancellationToken::new(),
            progress: Progress::ignored(),
        },
        bridge: crate::upstream::offers::Bridge::none(),
    })
}

/// What the shipped policy says to a read of the local operator.
///
/// # Errors
/// [`BenchError::Setup`] when it is no yes.
pub fn read_permit(call: &UpstreamCall) -> Result<Permit, BenchError> {
    let shipped = include_str!("../../../config/policies.yaml");
    let policy = Policy::parse(shipped).map_err(|error| BenchError::Setup(error.to_string()))?;
    let caller = local_caller();
    let request = Request {
        caller: &caller,
        tool: &call.tool,
        service: echo::SERVICE.name,
        effect: call.effect,
        arguments: None,
        arguments_hash: &call.arguments_hash,
        now: 0,
    };
    match policy.decide(&request) {
        Decision::Allow(permit) => Ok(permit),
        Decision::Ask(_) | Decision::Deny(_) => Err(BenchError::Setup(
            "the shipped policy refuses a read".into(),
        )),
    }
}

pub(super) fn local_caller() -> Caller {
    Caller {
        principal: Arc::new(Principal::local("bench")),
        correlation_id: CorrelationId::fresh(),
        request_id: "req_bench".into(),
        traceparent: None,
        address: None,
        door: "bench",
        depth: 0,
        http: None,
    }
}
