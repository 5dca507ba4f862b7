//! A call that is understood: its route, its checked arguments, the effect it would have.
//!
//! Nothing here decides anything; it prepares what `policy`, `audit` and the upstream are shown.

use super::{Answer, DecidedBy, Gateway, ToolCall};
use crate::audit::{AuditOutcome, Intent};
use crate::caller::Caller;
use crate::error::CallError;
use crate::ledger::NewEffect;
use crate::policy::{Request, Subject};
use crate::router::{NoRoute, Route, is_for};
use crate::upstream::UpstreamCall;
use crate::upstream::offers::Bridge;
use bytes::Bytes;
use serde_json::Value;
use shared::arguments::{self, ArgumentSchema, Limits, Violation};
use shared::tool::{Assessment, Call, Effect};
use std::sync::{Arc, Weak};
use tokio::time::Instant;
use uuid::Uuid;

/// Where a call failed before it could be recorded against a tool, with the metric's labels.
pub(super) type Unjudged = (Arc<str>, Arc<str>, CallError);

/// A call to something that no service lists: a service outside that a workflow asks.
#[derive(Clone)]
pub struct Foreign {
    /// As which tool it is judged, and who makes it.
    pub route: Arc<Route>,
    /// What the upstream gets: an object, credentials included. It is what an approval binds.
    pub whole: Value,
    /// What policy, people and the record see: the same without credentials.
    pub shown: Value,
}

/// A call that is understood.
pub(super) struct Judged {
    pub(super) id: Uuid,
    pub(super) caller: Caller,
    pub(super) route: Arc<Route>,
    /// The arguments with their defaults.
    pub(super) arguments: Value,
    pub(super) approval_token: Option<String>,
    /// Present for every change.
    pub(super) idempotency_key: Option<String>,
    /// Present when the effect had to be asked for.
    pub(super) assessment: Option<Assessment>,
    pub(super) upstream: UpstreamCall,
    /// Unix seconds at the start of the call.
    pub(super) now: i64,
    /// Lives as long as somebody waits for the answer.
    pub(super) asker: Weak<()>,
    started: Instant,
}

impl Gateway {
    /// Finds the route, checks the arguments and learns the effect.
    pub(super) async fn judge(&self, call: ToolCall, bridge: Bridge) -> Result<Judged, Unjudged> {
        let snapshot = self.router.snapshot();
        let route = match snapshot.resolve(&call.name) {
            Ok(route) if is_for(route.owner.as_ref(), &call.caller.principal.organization) => {
                Arc::clone(route)
            }
            Ok(_) => {
                let nowhere = NoRoute::UnknownNamespace(first_word(&call.name));
                return Err(unknown(&call.name, &nowhere));
            }
            Err(nowhere) => return Err(unknown(&call.name, &nowhere)),
        };
        let labels = |error| (Arc::clone(&route.service), route.tool.id.shared(), error);
        self.admissible(&call, &route).map_err(labels)?;
        let mut call = call;
        let (bytes, arguments) = prepare(&route, &mut call).map_err(labels)?;
        let mut judged = self.understood(call, Arc::clone(&route), bytes, arguments);
        judged.upstream.bridge = bridge;
        self.assess_if_open(&mut judged).await.map_err(labels)?;
        Ok(judged)
    }

    /// Learns the effect of a call whose route and arguments are given.
    pub(super) async fn judge_foreign(
        &self,
        call: ToolCall,
        foreign: Foreign,
    ) -> Result<Judged, Unjudged> {
        let route = foreign.route;
        let labels = |error| (Arc::clone(&route.service), route.tool.id.shared(), error);
        self.admissible(&call, &route).map_err(labels)?;
        let bytes = Bytes::from(foreign.whole.to_string());
        let mut judged = self.understood(call, Arc::clone(&route), bytes, foreign.shown);
        judged.upstream.arguments_hash = arguments::hash(&foreign.whole).into();
        self.assess_if_open(&mut judged).await.map_err(labels)?;
        Ok(judged)
    }

    fn admissible(&self, call: &ToolCall, route: &Route) -> Result<(), CallError> {
        if !self.auth.still_valid(&call.caller.principal) {
            Err(CallError::Unauthorized)
        } else if call.caller.depth > self.config.max_depth {
            Err(CallError::TooDeep)
        } else if self.tasks.is_stopping() {
            Err(CallError::Stopping)
        } else if route.quarantined {
            Err(CallError::Quarantined(route.tool.id.to_string()))
        } else {
            Ok(())
        }
    }

    fn understood(
        &self,
        call: ToolCall,
        route: Arc<Route>,
        bytes: Bytes,
        arguments: Value,
    ) -> Judged {
        let tool = &route.tool;
        let class = if tool.long_running {
            self.config.long_timeout
        } else {
            self.config.normal_timeout
        };
        let budget = call.budget.map_or(class, |budget| budget.min(class));
        let started = Instant::now();
        let id = Uuid::now_v7();
        let may_change = tool.effect != Effect::Read;
        let key = call
            .idempotency_key
            .or_else(|| may_change.then(|| id.to_string()));
        let principal = &call.caller.principal;
        let upstream = UpstreamCall {
            tool: tool.id.clone(),
            arguments_hash: arguments::hash(&arguments).into(),
            arguments: bytes,
            effect: tool.effect,
            idempotent: tool.idempotent,
            call: Call {
                principal: principal.id.to_string(),
                organization: principal.organization.to_string(),
                namespace: principal.namespace.to_string(),
                permissions: principal.permissions.texts().collect(),
                correlation_id: call.caller.correlation_id.clone(),
                traceparent: call.caller.traceparent.as_deref().map(str::to_owned),
                idempotency_key: key.clone(),
                grant: None,
                deadline: started + budget,
                cancelled: call.cancelled,
                progress: call.progress,
            },
            bridge: Bridge::none(),
        };
        Judged {
            id,
            caller: call.caller,
            route,
            arguments,
            approval_token: call.approval_token,
            idempotency_key: key,
            assessment: None,
            upstream,
            now: self.clock.now().as_second(),
            asker: Weak::new(),
            started,
        }
    }

    /// Asks the upstream for the effect of this very call, where the arguments decide it. A caller
    /// who may not even see the tool is not worth the question: policy denies it next.
    async fn assess_if_open(&self, judged: &mut Judged) -> Result<(), CallError> {
        let tool = &judged.route.tool;
        if !tool.effect_per_call {
            return Ok(());
        }
        let subject = Subject {
            tool: &tool.id,
            service: &judged.route.service,
            effect: tool.effect,
            per_call: true,
        };
        let Some(reach) = self.policy.reach(&judged.caller, subject) else {
            return Ok(());
        };
        let assessment = judged
            .route
            .upstream
            .assess(&reach, &judged.upstream)
            .await
            .map_err(CallError::Upstream)?;
        judged.upstream.effect = assessment.effect;
        if assessment.effect == Effect::Read {
            judged.idempotency_key = None;
            judged.upstream.call.idempotency_key = None;
        }
        judged.assessment = Some(assessment);
        Ok(())
    }
}

impl Gateway {
    /// The arguments as they may be written down.
    pub(super) fn masked(&self, call: &Judged) -> Value {
        let mut masked = call.arguments.clone();
        match &call.route.schema {
            Some(schema) => schema.hide(&mut masked),
            None => hide_unchecked(&call.route, &mut masked),
        }
        self.redactor.redact_json(&mut masked);
        masked
    }
}

impl Judged {
    pub(super) fn is_read(&self) -> bool {
        self.upstream.effect == Effect::Read
    }

    /// The idempotency key the caller brought; `None` for reads and for keys the hub made up.
    pub(super) fn given_key(&self) -> Option<&str> {
        let key = self.idempotency_key.as_deref()?;
        (key != self.id.to_string()).then_some(key)
    }

    /// Whether somebody still waits for the answer.
    pub(super) fn is_awaited(&self) -> bool {
        self.asker.strong_count() > 0
    }

    /// This change under a key, for the ledger.
    pub(super) fn new_effect<'a>(&'a self, key: &'a str) -> NewEffect<'a> {
        NewEffect {
            organization: &self.caller.principal.organization,
            principal: &self.caller.principal.id,
            key,
            tool: &self.route.tool.id,
            arguments_hash: &self.upstream.arguments_hash,
        }
    }

    pub(super) fn labels(&self) -> (Arc<str>, Arc<str>) {
        (Arc::clone(&self.route.service), self.route.tool.id.shared())
    }

    pub(super) fn policy_request(&self) -> Request<'_> {
        Request {
            caller: &self.caller,
            tool: &self.route.tool.id,
            service: &self.route.service,
            effect: self.upstream.effect,
            arguments: Some(&self.arguments),
            arguments_hash: &self.upstream.arguments_hash,
            now: self.now,
        }
    }

    pub(super) fn intent(&self, masked: Value) -> Intent {
        let principal = &self.caller.principal;
        Intent {
            call_id: self.id.to_string(),
            principal: Arc::clone(&principal.id),
            organization: Arc::clone(&principal.organization),
            namespace: Arc::clone(&principal.namespace),
            tool: self.route.tool.id.shared(),
            service: Arc::clone(&self.route.service),
            effect: self.upstream.effect,
            arguments: masked,
            arguments_hash: Arc::clone(&self.upstream.arguments_hash),
            correlation_id: self.caller.correlation_id.clone(),
            request_id: Arc::clone(&self.caller.request_id),
            address: self.caller.address,
            door: self.caller.door,
            idempotency_key: self.idempotency_key.clone(),
        }
    }

    pub(super) fn outcome(
        &self,
        answer: &Result<Answer, CallError>,
        decided_by: DecidedBy,
    ) -> AuditOutcome {
        let (code, bytes, cached, replayed) = match answer {
            Ok(answer) => {
                let bytes = answer.output.structured.get().len() as u64;
                ("OK", bytes, answer.cached, answer.output.replayed)
            }
            Err(error) => (error.code().as_str(), 0, false, false),
        };
        AuditOutcome {
            code,
            rule: decided_by.rule,
            approval_id: decided_by.approval,
            duration: self.started.elapsed(),
            output_bytes: bytes,
            cached,
            replayed,
        }
    }
}

/// One strict pass over the bytes; then defaults, then the tool's own schema.
///
/// A token of an approval among the arguments of a spoke's tool becomes the call's; the spoke, which
/// gets the bytes as they came, leaves it out as well. Servers keep their parameters to themselves.
fn prepare(route: &Route, call: &mut ToolCall) -> Result<(Bytes, Value), CallError> {
    let bytes = if call.arguments.is_empty() {
        Bytes::from_static(b"{}")
    } else {
        call.arguments.clone()
    };
    let mut value =
        arguments::parse_object(&bytes, Limits::default()).map_err(CallError::Malformed)?;
    if let Some(schema) = &route.schema {
        schema.fill_defaults(&mut value);
        if route.tool.wire.is_none() {
            let token = schema.take_approval_token(&mut value);
            call.approval_token = call.approval_token.take().or(token);
        }
        checked(route, schema, &value).map_err(CallError::Invalid)?;
    }
    Ok((bytes, value))
}

/// Hosts write null for what they leave out, and servers of others are used to that.
fn checked(route: &Route, schema: &ArgumentSchema, arguments: &Value) -> Result<(), Violation> {
    let checked = schema.check(arguments);
    if checked.is_ok() || route.tool.wire.is_none() {
        return checked;
    }
    let mut given = arguments.clone();
    if let Value::Object(members) = &mut given {
        members.retain(|_, member| !member.is_null());
    }
    match schema.check(&given) {
        Ok(()) => Ok(()),
        Err(_) => checked,
    }
}

/// For a schema that does not compile, and is read each time.
fn hide_unchecked(route: &Route, arguments: &mut Value) {
    match serde_json::from_str(route.tool.input_schema.get()) {
        Ok(schema) => arguments::hide(&schema, arguments),
        Err(error) => {
            tracing::warn!(event = "schema_unread", tool = %route.tool.id, %error,
                "a schema cannot be read; the arguments are not shown");
            *arguments = Value::Object(serde_json::Map::new());
        }
    }
}

fn unknown(name: &str, nowhere: &NoRoute) -> Unjudged {
    let label = || Arc::from("unknown");
    match nowhere {
        NoRoute::UnknownTool { service } => (
            Arc::clone(service),
            label(),
            CallError::UnknownTool(name.to_owned()),
        ),
        NoRoute::UnknownNamespace(namespace) => (
            label(),
            label(),
            CallError::UnknownTool(format!("{name} (no service answers for {namespace})")),
        ),
    }
}

fn first_word(name: &str) -> String {
    name.split('.').next().unwrap_or(name).to_owned()
}
