//! One attempt of one step: the call through the gateway, held to its limits.
//!
//! An attempt always answers, whatever happens to it; what the answer means is `answers`' matter. The
//! starter is looked up anew each time, and gets no more than the workflow's own grant.

use super::Workflows;
use super::answers;
use super::mailbox::Letter;
use super::runner::Facts;
use crate::auth::{AuthError, Principal};
use crate::caller::Caller;
use crate::error::CallError;
use crate::gateway::{Answer, Foreign, ToolCall};
use bytes::Bytes;
use futures::FutureExt;
use parking_lot::Mutex;
use shared::error::Code;
use shared::id::CorrelationId;
use shared::tool::Progress;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use workflow::core::{Event, Invoke, Outcome, Target};

/// The door steps come through.
pub(crate) const DOOR: &str = "workflow";
/// Pause before something of ours is tried again.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// An attempt that is to be made, its commit done.
pub(super) struct Attempt {
    pub(super) facts: Arc<Facts>,
    pub(super) invoke: Box<Invoke>,
    pub(super) cancelled: CancellationToken,
}

/// Where a call goes.
pub(super) enum Way {
    /// To a tool.
    Tool {
        /// Canonical id.
        id: String,
        /// An object.
        arguments: Bytes,
    },
    /// To something no service lists.
    Foreign(Foreign),
}

impl Workflows {
    /// Makes the attempt in a task of its own and tells the run.
    pub(super) fn dispatch(self: &Arc<Self>, attempt: Attempt) {
        let workflows = Arc::clone(self);
        let task = async move {
            // Whatever happens to an attempt, its run hears of it.
            let made = AssertUnwindSafe(workflows.attempt(&attempt)).catch_unwind();
            let outcome = made.await.unwrap_or_else(|_panic| Outcome::Unknown {
                detail: "the hub failed while it made the call".to_owned(),
            });
            let event = Event::Outcome {
                path: attempt.invoke.path.clone(),
                attempt: attempt.invoke.attempt,
                outcome,
            };
            let id = &attempt.facts.id;
            if workflows.deliver(id, Letter::Event(event)).await.is_err() {
                // The next start finds the attempt open and treats it as lost.
                tracing::warn!(
                    event = "workflow_outcome_lost",
                    workflow_id = &**id,
                    "the outcome of a step could not be handed over"
                );
            }
        };
        drop(self.gateway.tasks.spawn("workflow step", task));
    }

    async fn attempt(self: &Arc<Self>, attempt: &Attempt) -> Outcome {
        let queue = attempt.invoke.timeouts.queue;
        let asked = Instant::now();
        let slot = tokio::select! {
            () = attempt.cancelled.cancelled() => {
                return answers::not_sent(Code::RequestTimeout, "cancelled before it was sent", None);
            }
            slot = tokio::time::timeout(queue, Arc::clone(&self.slots).acquire_owned()) => slot,
        };
        let Ok(Ok(_slot)) = slot else {
            return answers::not_sent(Code::Timeout, "it waited too long to be sent", Some(SOON));
        };
        self.gateway.metrics.workflow_queued(asked.elapsed());
        let principal = match self.starter(&attempt.facts).await {
            Ok(principal) => principal,
            Err(AuthError::Unavailable(error)) => {
                return answers::not_sent(Code::ServiceUnavailable, error.to_string(), Some(SOON));
            }
            Err(error) => {
                let why = format!("the starter may no longer call anything: {error}");
                return answers::not_sent(Code::Unauthorized, why, None);
            }
        };
        match &attempt.invoke.call.target {
            Target::Tool { id, .. } => {
                let way = Way::Tool {
                    id: id.clone(),
                    arguments: attempt.invoke.call.with.to_string().into(),
                };
                answers::outcome(self.under_approval(attempt, principal, &way).await)
            }
            _ => self.call_outside(attempt, principal).await,
        }
    }

    /// Who started the run, as they stand now, with no more than the workflow's grant.
    async fn starter(&self, facts: &Facts) -> Result<Arc<Principal>, AuthError> {
        let principal = self.gateway.auth.recall(&facts.principal).await?;
        Ok(principal.within(facts.grant.as_ref()))
    }

    /// Makes the call, under the approval the step has got, if any.
    pub(super) async fn under_approval(
        self: &Arc<Self>,
        attempt: &Attempt,
        principal: Arc<Principal>,
        way: &Way,
    ) -> Result<Answer, CallError> {
        let granted = attempt.invoke.approval.as_ref();
        let token = granted
            .and_then(|granted| granted.request.as_deref())
            .map(|request| self.gateway.approvals.token_of(request));
        let with_token = token.is_some();
        let first = self.once(attempt, Arc::clone(&principal), way, token).await;
        match first {
            // The time to use the approval ran out, as when the hub was down: people are asked again.
            Err(CallError::ApprovalInvalid(_)) if with_token => {
                self.once(attempt, principal, way, None).await
            }
            other => other,
        }
    }

    async fn once(
        self: &Arc<Self>,
        attempt: &Attempt,
        principal: Arc<Principal>,
        way: &Way,
        approval_token: Option<String>,
    ) -> Result<Answer, CallError> {
        let invoke = &attempt.invoke;
        let heard: Arc<Mutex<Option<Instant>>> = Arc::default();
        let noted = Arc::clone(&heard);
        let (name, arguments) = match way {
            Way::Tool { id, arguments } => (id.clone(), arguments.clone()),
            Way::Foreign(foreign) => (foreign.route.tool.id.to_string(), Bytes::new()),
        };
        let call = ToolCall {
            caller: attempt.caller(principal),
            name,
            arguments,
            approval_token,
            idempotency_key: Some(invoke.key.clone()),
            budget: Some(invoke.timeouts.run),
            progress: Progress::to(move |_report| *noted.lock() = Some(Instant::now())),
            cancelled: attempt.cancelled.clone(),
        };
        let silence = silent_for(&heard, invoke.timeouts.heartbeat);
        let answer = async {
            match way {
                Way::Tool { .. } => Box::pin(self.gateway.call(call)).await,
                Way::Foreign(foreign) => {
                    Box::pin(self.gateway.call_foreign(call, foreign.clone())).await
                }
            }
        };
        let answer = async {
            let answer = answer.await?;
            if answer.output.sensitive {
                let result = serde_json::from_str(answer.output.structured.get());
                let sensitive = &attempt.facts.sensitive;
                sensitive.learn(&self.gateway.redactor, &result.unwrap_or_default());
            }
            Ok(answer)
        };
        tokio::select! {
            answer = answer => answer,
            () = silence => {
                attempt.cancelled.cancel();
                Err(CallError::OutcomeUnknown)
            }
        }
    }
}

impl Attempt {
    /// As whom the call is made.
    pub(super) fn caller(&self, principal: Arc<Principal>) -> Caller {
        let facts = &self.facts;
        let correlation_id = CorrelationId::parse(&facts.correlation_id)
            .unwrap_or_else(|_invalid| CorrelationId::fresh());
        Caller {
            principal,
            correlation_id,
            request_id: format!("req_{}", uuid::Uuid::now_v7().simple()).into(),
            traceparent: None,
            address: None,
            door: DOOR,
            depth: facts.depth.saturating_add(1),
            http: None,
        }
    }
}

/// Ends when progress was reported and then none for `longest`.
async fn silent_for(heard: &Mutex<Option<Instant>>, longest: Duration) {
    loop {
        let last = *heard.lock();
        let look = last.unwrap_or_else(Instant::now) + longest;
        tokio::time::sleep_until(look).await;
        if last.is_some() && *heard.lock() == last {
            return;
        }
    }
}
