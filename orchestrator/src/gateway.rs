//! The call: every step, in order, on one screen.
//!
//! `transport`, the REST routes, the CLI and workflow steps all come through [`Gateway::call`].
//! Errors become wire formats elsewhere.

mod judged;
mod listing;
mod offers;
mod run;
mod span;

pub use judged::Foreign;
pub use listing::{ListedTool, Listing};
pub use offers::{ListedOffer, OfferAsk};

use crate::approvals::Approvals;
use crate::audit::{Audit, AuditError};
use crate::auth::Auth;
use crate::cache::ReadCache;
use crate::caller::Caller;
use crate::error::CallError;
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::policy::{Decision, Permit, Policy};
use crate::router::Router;
use crate::upstream::offers::Bridge;
use bytes::Bytes;
use judged::{Judged, Unjudged};
use shared::clock::SharedClock;
use shared::redact::Redactor;
use shared::tasks::Tasks;
use shared::tool::{Output, Progress};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// A tool call, decoded.
#[derive(Debug, Clone)]
pub struct ToolCall {
    /// Who, from where.
    pub caller: Caller,
    /// Canonical id, wire alias or other id, as sent.
    pub name: String,
    /// JSON object, as sent; empty means `{}`.
    pub arguments: Bytes,
    /// Proof of an approval, when the caller has one.
    pub approval_token: Option<String>,
    /// Same key, same effect; one is made for mutations that bring none.
    pub idempotency_key: Option<String>,
    /// How long the caller waits; `None` means the tool's class decides.
    pub budget: Option<Duration>,
    /// Where progress goes.
    pub progress: Progress,
    /// Fires when the caller gives up.
    pub cancelled: CancellationToken,
}

/// A result with what the caller is told beside it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The result.
    pub output: Arc<Output>,
    /// Came from the cache of reads.
    pub cached: bool,
}

/// How the steps are bounded.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Budget of a normal tool.
    pub normal_timeout: Duration,
    /// Budget of a long-running tool.
    pub long_timeout: Duration,
    /// Deepest nesting of calls that call.
    pub max_depth: u8,
}

/// The steps, wired together once by `app`.
pub struct Gateway {
    /// Bounds.
    pub config: GatewayConfig,
    /// Who?
    pub auth: Arc<Auth>,
    /// Where to?
    pub router: Router,
    /// May they?
    pub policy: Arc<Policy>,
    /// Did people agree?
    pub approvals: Arc<Approvals>,
    /// Is it written down?
    pub audit: Arc<Audit>,
    /// How often?
    pub limits: Arc<Limits>,
    /// Seen before?
    pub ledger: Arc<Ledger>,
    /// Known already?
    pub cache: Arc<ReadCache>,
    /// How often, how long, how bad?
    pub metrics: Arc<Metrics>,
    /// What time is it?
    pub clock: SharedClock,
    /// What must not be written down?
    pub redactor: Arc<Redactor>,
    /// Work that outlives its caller.
    pub tasks: Tasks,
}

impl Gateway {
    /// Makes one tool call. A read ends with its caller; a change goes on without one, and its
    /// outcome is recorded, unless the caller cancels.
    ///
    /// # Errors
    /// [`CallError`], one variant per step.
    pub async fn call(self: &Arc<Self>, call: ToolCall) -> Result<Answer, CallError> {
        self.call_for(call, Bridge::none()).await
    }

    /// As [`Gateway::call`], for a caller whose client can be asked while the call runs. It may end
    /// with [`crate::upstream::UpstreamError::InputRequired`] where the host takes that.
    ///
    /// # Errors
    /// [`CallError`], one variant per step.
    pub async fn call_for(
        self: &Arc<Self>,
        call: ToolCall,
        bridge: Bridge,
    ) -> Result<Answer, CallError> {
        let started = tokio::time::Instant::now();
        let judged = self.judge(call, bridge).await;
        self.finish(judged, started).await
    }

    /// As [`Gateway::call`], for a call to something that no service lists.
    ///
    /// # Errors
    /// [`CallError`], one variant per step.
    pub async fn call_foreign(
        self: &Arc<Self>,
        call: ToolCall,
        foreign: Foreign,
    ) -> Result<Answer, CallError> {
        let started = tokio::time::Instant::now();
        let judged = self.judge_foreign(call, foreign).await;
        self.finish(judged, started).await
    }

    async fn finish(
        self: &Arc<Self>,
        judged: Result<Judged, Unjudged>,
        started: tokio::time::Instant,
    ) -> Result<Answer, CallError> {
        let mut judged = match judged {
            Ok(judged) => judged,
            Err((service, tool, error)) => {
                self.metrics
                    .call_ended(&service, &tool, started.elapsed(), Some(&error));
                return Err(error);
            }
        };
        // Gone as soon as the caller is, while a change goes on.
        let asker = Arc::new(());
        judged.asker = Arc::downgrade(&asker);
        let (service, tool) = judged.labels();
        let caller = judged.caller.clone();
        let answer = if judged.is_read() {
            self.recorded(judged).await
        } else {
            let gateway = Arc::clone(self);
            let detached = self
                .tasks
                .spawn("call", async move { gateway.recorded(judged).await });
            detached.await.unwrap_or(Err(CallError::Internal))
        };
        drop(asker);
        self.metrics
            .call_ended(&service, &tool, started.elapsed(), answer.as_ref().err());
        log(&caller, &tool, started.elapsed(), answer.as_ref().err());
        answer
    }

    /// Intent before, outcome after, whatever happens in between.
    async fn recorded(&self, mut call: Judged) -> Result<Answer, CallError> {
        let span = self.span(&mut call);
        // In a box, so that those who wait for it stay small.
        let answer = Box::pin(self.in_record(&call).instrument(span.clone())).await;
        span::ended(&span, &answer);
        answer
    }

    async fn in_record(&self, call: &Judged) -> Result<Answer, CallError> {
        let intent = call.intent(self.masked(call));
        let record = self.audit.open(intent).await.map_err(unrecorded)?;
        let mut decided_by = DecidedBy::default();
        let answer = self.decided(call, &mut decided_by).await;
        record.close(call.outcome(&answer, decided_by));
        answer
    }

    /// Policy, approval, limits; then the effect.
    async fn decided(&self, call: &Judged, by: &mut DecidedBy) -> Result<Answer, CallError> {
        let permit = match self.policy.decide(&call.policy_request()) {
            Decision::Deny(denial) => {
                by.rule = Some(denial.rule.to_string());
                return Err(CallError::Denied(denial));
            }
            Decision::Allow(permit) => permit,
            Decision::Ask(ask) => {
                by.rule = Some(ask.rule().to_owned());
                if let Some(known) = self.made_before(call).await? {
                    return known;
                }
                self.approved(call, ask).await?
            }
        };
        by.permitted(&permit);
        let tool = &call.route.tool.id;
        self.limits
            .admit_with(&call.caller, tool, &call.route.service, permit.limits())
            .await
            .map_err(CallError::Limited)?;
        if call.is_read() {
            self.read(call, &permit).await
        } else {
            self.change(call, &permit).await
        }
    }
}

/// What let a call through or stopped it, for the record.
#[derive(Debug, Default)]
struct DecidedBy {
    rule: Option<String>,
    approval: Option<String>,
}

impl DecidedBy {
    fn permitted(&mut self, permit: &Permit) {
        self.rule = Some(permit.rule().to_owned());
        self.approval = permit.grant().map(|grant| grant.approval_id.clone());
    }
}

/// One line a call; what it was about is in the audit trail.
fn log(caller: &Caller, tool: &str, took: Duration, error: Option<&CallError>) {
    tracing::info!(
        event = "tool_call",
        correlation_id = caller.correlation_id.as_str(),
        principal = &*caller.principal.id,
        tool,
        duration_ms = took.as_millis(),
        status = if error.is_none() { "ok" } else { "failed" },
        error_code = error.map(|error| error.code().as_str()),
        "a tool call ended"
    );
}

fn unrecorded(error: AuditError) -> CallError {
    tracing::error!(event = "audit_refused", %error, "a call could not be recorded");
    CallError::Unrecorded
}
