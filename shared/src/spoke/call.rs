//! One call of a tool, from either door, every step in order.
//!
//! find → parse → defaults → token → schema → judge → authority → ledger → open secrets → run → vet →
//! record. A step
//! that says no ends the call, and the body has not run. Wire formats are not known here.

mod record;
mod secrets;
mod stop;

pub(super) use stop::{Stop, bounded};

use super::approvals::{Approval, Approvals};
use super::authority::{self, Door};
use super::catalogue::{Catalogue, Entry};
use super::grants::UsedGrants;
use super::ledger::{Begin, Intent, Ledger};
use super::metrics::Meter;
use super::output;
use super::service::Service;
use crate::arguments::{self, Limits, Violation};
use crate::call_token::Verifier;
use crate::clock::SharedClock;
use crate::error::Code;
use crate::grant::Grant;
use crate::id::CorrelationId;
use crate::reference::References;
use crate::telemetry;
use crate::tool::{Call, Effect, Output, Progress, ToolError};
use bytes::Bytes;
use record::Record;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// What every call needs. One per process, shared by both doors.
pub(super) struct Core {
    pub(super) service: &'static Service,
    pub(super) boot_id: String,
    pub(super) catalogue: Catalogue,
    pub(super) ledger: Ledger,
    pub(super) approvals: Approvals,
    pub(super) grants: UsedGrants,
    pub(super) meter: Meter,
    pub(super) clock: SharedClock,
    pub(super) references: References,
    /// `None`: no hub is known, the gRPC door runs nothing.
    pub(super) verifier: Option<Verifier>,
    pub(super) places: Semaphore,
    pub(super) bounds: Bounds,
}

/// Bounds of one call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Calls at once.
    pub(super) calls: u32,
    pub(super) arguments: Limits,
    /// Bytes of a result with everything beside it.
    pub(super) result_bytes: usize,
    pub(super) timeout: Duration,
    /// For tools of the long-running class.
    pub(super) long_timeout: Duration,
}

/// A call as a door received it.
pub(super) struct Request {
    /// Any name of the tool.
    pub(super) tool: String,
    /// JSON text, untrusted.
    pub(super) arguments: Bytes,
    pub(super) caller: Caller,
    pub(super) door: Door,
}

/// Who calls and how long they wait.
pub(super) struct Caller {
    pub(super) principal: String,
    pub(super) organization: String,
    pub(super) namespace: String,
    pub(super) permissions: Vec<String>,
    pub(super) correlation_id: CorrelationId,
    pub(super) traceparent: Option<String>,
    pub(super) idempotency_key: Option<String>,
    /// `None`: as long as the tool's class allows.
    pub(super) timeout: Option<Duration>,
    pub(super) cancelled: CancellationToken,
    pub(super) progress: Progress,
}

/// Why a call gave no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// No tool has this name.
    UnknownTool,
    /// The arguments break the schema, or are not arguments at all; the body did not run.
    Invalid {
        /// `None` when no single field is to blame.
        field: Option<String>,
        message: String,
    },
    /// A person has to say yes first.
    Approval(Box<Approval>),
    /// The caller went away.
    Cancelled,
    /// A refusal or a failure of the tool.
    Failed(ToolError),
}

impl From<ToolError> for Failure {
    fn from(error: ToolError) -> Self {
        Self::Failed(error)
    }
}

impl From<Violation> for Failure {
    fn from(violation: Violation) -> Self {
        Self::Invalid {
            message: violation.to_string(),
            field: Some(violation.field),
        }
    }
}

impl Failure {
    /// The failure in the terms of a tool error.
    pub(super) fn as_error(&self, service: &str) -> ToolError {
        match self {
            Self::UnknownTool => ToolError::refused(Code::ToolNotFound, "no tool has this name"),
            Self::Invalid { field, message } => {
                let error = ToolError::refused(Code::InvalidInput, message.clone());
                match field {
                    Some(field) => error.with_details(serde_json::json!({"field": field})),
                    None => error,
                }
            }
            Self::Approval(approval) => output::approval_error(service, approval),
            Self::Cancelled => {
                ToolError::new(Code::OutcomeUnknown, "the call was cancelled by its caller")
            }
            Self::Failed(error) => error.clone(),
        }
    }
}

/// What is to be called with what.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) entry: &'a Entry,
    /// With defaults.
    pub(super) arguments: &'a Value,
    pub(super) hash: &'a str,
}

/// Runs one call. Dropping the future cancels it.
pub(super) async fn run(core: &Core, request: Request) -> Result<Output, Failure> {
    let entry = core.catalogue.find(&request.tool).map(Arc::clone);
    let mut record = Record::new(core, entry.as_deref(), &request.caller);
    let outcome = match &entry {
        None => Err(Failure::UnknownTool),
        Some(entry) => {
            let span = span(entry, &request.caller);
            perform(core, entry, request).instrument(span).await
        }
    };
    record.close(&outcome);
    outcome
}

/// What a call with these arguments would do; nothing runs and nobody is asked.
pub(super) async fn assess(
    core: &Core,
    request: Request,
) -> Result<crate::tool::Assessment, Failure> {
    let entry = core.catalogue.find(&request.tool).map(Arc::clone);
    let entry = entry.ok_or(Failure::UnknownTool)?;
    let (arguments, _) = parsed(core, &entry, &request.arguments)?;
    entry.input_schema.check(&arguments)?;
    let subject = Subject {
        entry: &entry,
        arguments: &arguments,
        hash: "",
    };
    let call = circumstances(core, &entry, request.caller, None);
    authority::judge(subject, &call).await
}

/// What the tool logs carries these ids; its spans hang below the caller's.
fn span(entry: &Entry, caller: &Caller) -> tracing::Span {
    let span = tracing::info_span!(
        "call",
        correlation_id = %caller.correlation_id,
        tool = %entry.id(),
        principal = caller.principal,
    );
    if let Some(traceparent) = &caller.traceparent {
        telemetry::adopt_traceparent(&span, traceparent);
    }
    span
}

async fn perform(core: &Core, entry: &Entry, request: Request) -> Result<Output, Failure> {
    let _place = core.places.try_acquire().map_err(|_full| busy())?;
    let (arguments, token) = parsed(core, entry, &request.arguments)?;
    let hash = arguments::hash(&arguments);
    let subject = Subject {
        entry,
        arguments: &arguments,
        hash: &hash,
    };
    let proof = authority::admit(core, subject, request.door.with(token), &request.caller)?;
    entry.input_schema.check(&arguments)?;
    let call = circumstances(core, entry, request.caller, proof.grant());
    let effect = authority::authorise(core, subject, &proof, &call).await?;
    match &call.idempotency_key {
        Some(key) if effect != Effect::Read => recorded(core, subject, &call, key).await,
        _ => execute(core, entry, arguments.clone(), &call).await,
    }
}

/// The arguments with their defaults, and the token of an approval that stood among them.
fn parsed(core: &Core, entry: &Entry, bytes: &[u8]) -> Result<(Value, Option<String>), Failure> {
    let text = if bytes.is_empty() { b"{}" } else { bytes };
    let parsed = arguments::parse_object(text, core.bounds.arguments);
    let mut arguments = parsed.map_err(|refusal| Failure::Invalid {
        field: None,
        message: refusal.to_string(),
    })?;
    entry.input_schema.fill_defaults(&mut arguments);
    let token = entry.input_schema.take_approval_token(&mut arguments);
    Ok((arguments, token))
}

fn circumstances(core: &Core, entry: &Entry, caller: Caller, grant: Option<Grant>) -> Call {
    let class = match entry.definition().spec.long_running {
        true => core.bounds.long_timeout,
        false => core.bounds.timeout,
    };
    Call {
        principal: caller.principal,
        organization: caller.organization,
        namespace: caller.namespace,
        permissions: caller.permissions,
        correlation_id: caller.correlation_id,
        traceparent: caller.traceparent,
        idempotency_key: caller.idempotency_key,
        grant,
        deadline: Instant::now() + caller.timeout.map_or(class, |wanted| wanted.min(class)),
        cancelled: caller.cancelled,
        progress: caller.progress,
    }
}

/// Runs a change under its key: at most once, and its end is remembered.
async fn recorded(
    core: &Core,
    subject: Subject<'_>,
    call: &Call,
    key: &str,
) -> Result<Output, Failure> {
    let begin = core.ledger.begin(Intent {
        principal: &call.principal,
        key,
        tool: subject.entry.id().as_str(),
        arguments_hash: subject.hash,
        idempotent: subject.entry.definition().spec.idempotent,
        now: core.clock.now().as_second(),
    });
    let row = match begin.await.map_err(|error| output::store_away(&error))? {
        Begin::Run(row) => row,
        Begin::Replay(end) => return end.map_err(Failure::Failed),
        Begin::Refused(error) => return Err(Failure::Failed(error)),
    };
    let outcome = match execute(core, subject.entry, subject.arguments.clone(), call).await {
        Ok(output) => Ok(output),
        Err(Failure::Failed(error)) => Err(error),
        // The row stays an intent without an end: unknown.
        Err(other) => return Err(other),
    };
    if let Err(error) = row.finish(&outcome).await {
        tracing::error!(
            event = "ledger.finish",
            error = &error as &dyn std::error::Error,
            "the end of a change could not be written down"
        );
    }
    outcome.map_err(Failure::Failed)
}

async fn execute(
    core: &Core,
    entry: &Entry,
    mut arguments: Value,
    call: &Call,
) -> Result<Output, Failure> {
    let now = core.clock.now().as_second();
    let opened = secrets::open(&core.references, entry, &mut arguments, (call, now))?;
    let ran = bounded(call, entry.tool.call(arguments, call)).await;
    let output = ran.map_err(|stop| match stop.after(entry) {
        Failure::Failed(error) => Failure::Failed(opened.cover_error(error)),
        other => other,
    })?;
    let output = output::vetted(entry, opened.cover(output), core.bounds.result_bytes)?;
    Ok(output)
}

fn busy() -> ToolError {
    let mut error = ToolError::refused(
        Code::ServiceUnavailable,
        "too many calls are running on this service",
    );
    error.retry_after = Some(Duration::from_secs(1));
    error.retryable()
}
