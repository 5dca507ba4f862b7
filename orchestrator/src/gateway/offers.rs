//! Resources, prompts and completions of servers: found, decided, recorded and fetched like reads.
//!
//! Policy judges them as tools `<namespace>.mcp.resources` and `<namespace>.mcp.prompts` with effect
//! read, whose arguments are `{"uri"}` or `{"name"}`; list and gate use the same decision. Resources
//! keep their URIs while those are unique; of two servers with one URI the first by name keeps it, the
//! other's is listed as `waygate://<server>/<URI, percent-encoded>`. Prompts are listed as
//! `<server>_<prompt>`.

mod names;

use super::{DecidedBy, Gateway, unrecorded};
use crate::audit::{AuditOutcome, Intent};
use crate::caller::Caller;
use crate::error::CallError;
use crate::policy::{Decision, Denial, Permit, Request, Subject};
use crate::router::{Snapshot, Source, is_for};
use crate::upstream::UpstreamError;
use crate::upstream::offers::{Bridge, Offer, OfferCall, OfferKind, OfferMethod, Watch};
use names::{Found, Wanted};
use serde_json::Value;
use serde_json::value::RawValue;
use shared::id::ToolId;
use shared::tool::{Call, Effect, Progress};
use std::sync::Arc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// One resource, template or prompt the caller may see.
pub struct ListedOffer {
    /// Whose it is.
    pub source: Arc<Source>,
    /// What it is.
    pub offer: Arc<Offer>,
    /// The URI, URI template or name hosts know it by.
    pub name: Arc<str>,
}

/// A request for one of them, decoded.
pub struct OfferAsk {
    /// Who, from where.
    pub caller: Caller,
    /// What is asked.
    pub method: OfferMethod,
    /// `params` as sent; `uri`, `name` or `ref` in it say which. Names may be the server's own when
    /// `only` is given.
    pub params: Box<RawValue>,
    /// Look at this service only; `None` means all.
    pub only: Option<Arc<str>>,
    /// Where progress goes.
    pub progress: Progress,
    /// Fires when the caller gives up.
    pub cancelled: CancellationToken,
    /// The way back.
    pub bridge: Bridge,
}

impl Gateway {
    /// Lists what `caller` may see of one kind, by service, in the order of each server. `only` looks
    /// at one service.
    #[must_use]
    pub fn offers(&self, caller: &Caller, kind: OfferKind, only: Option<&str>) -> Vec<ListedOffer> {
        let snapshot = self.router.snapshot();
        let mut listed = names::all(&snapshot, kind);
        listed.retain(|it| {
            only.is_none_or(|only| &*it.source.service == only)
                && self.sees(caller, &it.source, kind)
        });
        listed
    }

    /// Makes one request; the result is the server's, byte for byte.
    ///
    /// # Errors
    /// [`CallError`]; [`CallError::UnknownOffer`] also when the caller may not know of it.
    pub async fn offer(&self, ask: OfferAsk) -> Result<Box<RawValue>, CallError> {
        self.admit_offer(&ask.caller)?;
        let wanted = Wanted::of(ask.method, &ask.params)?;
        let snapshot = self.router.snapshot();
        let found = self.found(&snapshot, &ask.caller, &wanted, ask.only.as_deref())?;
        let judged = Judged {
            tool: judged_as(&found.source, wanted.kind())?,
            arguments: wanted.arguments(&found),
            found,
        };
        let started = Instant::now();
        let intent = self.offer_intent(&ask.caller, &judged);
        let record = self.audit.open(intent).await.map_err(unrecorded)?;
        let mut by = DecidedBy::default();
        let answer = self.fetched(ask, &judged, &mut by).await;
        let (code, bytes) = match &answer {
            Ok(result) => ("OK", result.get().len() as u64),
            Err(error) => (error.code().as_str(), 0),
        };
        record.close(AuditOutcome {
            code,
            rule: by.rule,
            approval_id: None,
            duration: started.elapsed(),
            output_bytes: bytes,
            cached: false,
            replayed: false,
        });
        answer
    }

    /// Watches one resource for changes; they are told by [`crate::registry::Registry::changes`] until
    /// the watch is dropped. The answer names the service and its own URI, as changes do.
    ///
    /// # Errors
    /// [`CallError`], as [`Gateway::offer`].
    pub async fn watch(
        &self,
        caller: &Caller,
        uri: &str,
        only: Option<&str>,
    ) -> Result<(Arc<str>, Arc<str>, Watch), CallError> {
        self.admit_offer(caller)?;
        let snapshot = self.router.snapshot();
        let wanted = Wanted::resource(uri);
        let found = self.found(&snapshot, caller, &wanted, only)?;
        let judged = Judged {
            tool: judged_as(&found.source, OfferKind::Resource)?,
            arguments: wanted.arguments(&found),
            found,
        };
        let permit = self.offer_permit(caller, &judged)?;
        let found = judged.found;
        let watched = found.source.offers.watch(&permit, &found.target).await;
        let watch = watched.map_err(CallError::Upstream)?;
        Ok((Arc::clone(&found.source.service), found.target, watch))
    }

    fn admit_offer(&self, caller: &Caller) -> Result<(), CallError> {
        if !self.auth.still_valid(&caller.principal) {
            Err(CallError::Unauthorized)
        } else if self.tasks.is_stopping() {
            Err(CallError::Stopping)
        } else {
            Ok(())
        }
    }

    fn sees(&self, caller: &Caller, source: &Source, kind: OfferKind) -> bool {
        if !is_for(source.owner.as_ref(), &caller.principal.organization) {
            return false;
        }
        let Ok(tool) = judged_as(source, kind) else {
            return false;
        };
        let subject = Subject {
            tool: &tool,
            service: &source.service,
            effect: Effect::Read,
            per_call: false,
        };
        self.policy.reach(caller, subject).is_some()
    }

    fn found(
        &self,
        snapshot: &Snapshot,
        caller: &Caller,
        wanted: &Wanted,
        only: Option<&str>,
    ) -> Result<Found, CallError> {
        let found = names::find(snapshot, wanted, only);
        found
            .filter(|found| self.sees(caller, &found.source, wanted.kind()))
            .ok_or_else(|| wanted.unknown())
    }

    async fn fetched(
        &self,
        ask: OfferAsk,
        judged: &Judged,
        by: &mut DecidedBy,
    ) -> Result<Box<RawValue>, CallError> {
        let permit = self.offer_permit(&ask.caller, judged)?;
        by.permitted(&permit);
        let found = &judged.found;
        self.limits
            .admit_with(
                &ask.caller,
                &judged.tool,
                &found.source.service,
                permit.limits(),
            )
            .await
            .map_err(CallError::Limited)?;
        let call = self.offer_call(ask, Arc::clone(&found.target));
        let (cancelled, deadline) = (call.call.cancelled.clone(), call.call.deadline);
        let fetch = found.source.offers.fetch(&permit, &call);
        let result = tokio::select! {
            biased;
            () = cancelled.cancelled() => Err(UpstreamError::Cancelled),
            done = tokio::time::timeout_at(deadline, fetch) => {
                done.unwrap_or(Err(UpstreamError::Timeout))
            }
        };
        result.map_err(CallError::Upstream)
    }

    fn offer_permit(&self, caller: &Caller, judged: &Judged) -> Result<Permit, CallError> {
        let hash = shared::arguments::hash(&judged.arguments);
        let request = Request {
            caller,
            tool: &judged.tool,
            service: &judged.found.source.service,
            effect: Effect::Read,
            arguments: Some(&judged.arguments),
            arguments_hash: &hash,
            now: self.clock.now().as_second(),
        };
        match self.policy.decide(&request) {
            Decision::Allow(permit) => Ok(permit),
            Decision::Deny(denial) => Err(CallError::Denied(denial)),
            Decision::Ask(ask) => Err(CallError::Denied(Denial {
                rule: ask.rule().into(),
                message: "reading this would need an approval, which only tool calls can have"
                    .into(),
            })),
        }
    }

    fn offer_intent(&self, caller: &Caller, judged: &Judged) -> Intent {
        let mut masked = judged.arguments.clone();
        self.redactor.redact_json(&mut masked);
        let principal = &caller.principal;
        Intent {
            call_id: Uuid::now_v7().to_string(),
            principal: Arc::clone(&principal.id),
            organization: Arc::clone(&principal.organization),
            namespace: Arc::clone(&principal.namespace),
            tool: judged.tool.shared(),
            service: Arc::clone(&judged.found.source.service),
            effect: Effect::Read,
            arguments_hash: shared::arguments::hash(&judged.arguments).into(),
            arguments: masked,
            correlation_id: caller.correlation_id.clone(),
            request_id: Arc::clone(&caller.request_id),
            address: caller.address,
            door: caller.door,
            idempotency_key: None,
        }
    }

    fn offer_call(&self, ask: OfferAsk, target: Arc<str>) -> OfferCall {
        let principal = &ask.caller.principal;
        OfferCall {
            method: ask.method,
            target,
            call: Call {
                principal: principal.id.to_string(),
                organization: principal.organization.to_string(),
                namespace: principal.namespace.to_string(),
                permissions: principal.permissions.texts().collect(),
                correlation_id: ask.caller.correlation_id.clone(),
                traceparent: ask.caller.traceparent.as_deref().map(str::to_owned),
                idempotency_key: None,
                grant: None,
                deadline: Instant::now() + self.config.normal_timeout,
                cancelled: ask.cancelled,
                progress: ask.progress,
            },
            params: ask.params,
            bridge: ask.bridge,
        }
    }
}

/// A request that is understood.
struct Judged {
    found: Found,
    /// As which policy judges it.
    tool: ToolId,
    arguments: Value,
}

/// The tool as which policy judges what a source offers.
fn judged_as(source: &Source, kind: OfferKind) -> Result<ToolId, CallError> {
    let word = match kind {
        OfferKind::Resource | OfferKind::Template => "resources",
        OfferKind::Prompt => "prompts",
    };
    ToolId::parse(&format!("{}.mcp.{word}", source.namespace)).map_err(|error| {
        tracing::error!(event = "odd_namespace", %error, "a service has a namespace that is none");
        CallError::Internal
    })
}
