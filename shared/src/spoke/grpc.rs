//! The hub's door: `waygate.spoke.v1.Spoke`.
//!
//! Only translation: whether a call may run is decided in `call`. A refusal of a call is an event in
//! the stream, so that the hub learns `did_not_run`; a gRPC status is for what is no call at all.

use super::authority::Door;
use super::call::{self, Caller, Core, Failure, Request};
use super::describe;
use super::output;
use super::reports::Reports;
use crate::id::CorrelationId;
use crate::tasks::Tasks;
use crate::tool::{LogLevel, Output, Progress, Report, ToolError};
use futures::Stream;
use proto::spoke::call_event::Event;
use proto::spoke::spoke_server::Spoke;
use proto::spoke::{self, CallContext, CallEvent, CallRequest, DescribeReply, DescribeRequest};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;
use tonic::{Response, Status};

/// The service behind the door. Cheap to clone.
#[derive(Clone)]
pub(super) struct Grpc {
    core: Arc<Core>,
    tasks: Tasks,
    description: Arc<DescribeReply>,
}

impl Grpc {
    pub(super) fn new(core: Arc<Core>, tasks: Tasks) -> Self {
        let description = Arc::new(describe::reply(&core));
        Self {
            core,
            tasks,
            description,
        }
    }
}

type Events = Pin<Box<dyn Stream<Item = Result<CallEvent, Status>> + Send>>;

#[tonic::async_trait]
impl Spoke for Grpc {
    async fn describe(
        &self,
        _request: tonic::Request<DescribeRequest>,
    ) -> Result<Response<DescribeReply>, Status> {
        Ok(Response::new(DescribeReply::clone(&self.description)))
    }

    async fn assess(
        &self,
        request: tonic::Request<CallRequest>,
    ) -> Result<Response<spoke::Assessment>, Status> {
        let cancelled = CancellationToken::new();
        let _cancel = cancelled.clone().drop_guard();
        let request = translated(request.into_inner(), cancelled, Progress::ignored())?;
        match call::assess(&self.core, request).await {
            Ok(assessment) => Ok(Response::new(assessed(&assessment))),
            Err(failure) => Err(status(&failure.as_error(self.core.service.name))),
        }
    }

    type CallToolStream = Events;

    async fn call_tool(
        &self,
        request: tonic::Request<CallRequest>,
    ) -> Result<Response<Events>, Status> {
        let reports = Reports::default();
        let cancelled = CancellationToken::new();
        let cancel = cancelled.clone().drop_guard();
        let request = translated(request.into_inner(), cancelled, reports.progress())?;
        let core = Arc::clone(&self.core);
        // A task of its own: a hub that does not read must not stop the clock of the call.
        let call = self
            .tasks
            .spawn("call", async move { call::run(&core, request).await });
        let running = Running {
            service: self.core.service.name,
            call: AbortOnDropHandle::new(call),
            reports,
            _cancel: cancel,
        };
        let events = futures::stream::unfold(Some(running), next_event);
        Ok(Response::new(Box::pin(events)))
    }
}

/// A call in flight. Dropping it, because the hub went away, ends the call.
struct Running {
    service: &'static str,
    call: AbortOnDropHandle<Result<Output, Failure>>,
    reports: Reports,
    _cancel: DropGuard,
}

async fn next_event(
    running: Option<Running>,
) -> Option<(Result<CallEvent, Status>, Option<Running>)> {
    let mut running = running?;
    tokio::select! {
        biased;
        report = running.reports.next() => Some((Ok(reported(report)), Some(running))),
        ended = &mut running.call => {
            let event = match ended {
                Ok(Ok(output)) => Event::Result(result(output)),
                Ok(Err(failure)) => Event::Error(error(&failure.as_error(running.service))),
                Err(_stopped) => Event::Error(error(&output::internal())),
            };
            Some((Ok(CallEvent { event: Some(event) }), None))
        }
    }
}

fn translated(
    request: CallRequest,
    cancelled: CancellationToken,
    progress: Progress,
) -> Result<Request, Status> {
    let context = request.context.unwrap_or_default();
    let correlation_id = match context.correlation_id.as_str() {
        "" => CorrelationId::fresh(),
        text => CorrelationId::parse(text)
            .map_err(|error| Status::invalid_argument(error.to_string()))?,
    };
    let CallContext {
        call_token,
        traceparent,
        principal,
        organization_id,
        namespace_id,
        deadline_ms,
        idempotency_key,
        permissions,
        approval_grant,
        ..
    } = context;
    Ok(Request {
        tool: request.tool,
        arguments: request.arguments_json,
        caller: Caller {
            principal,
            organization: organization_id,
            namespace: namespace_id,
            permissions,
            correlation_id,
            traceparent: (!traceparent.is_empty()).then_some(traceparent),
            idempotency_key: (!idempotency_key.is_empty()).then_some(idempotency_key),
            timeout: (deadline_ms > 0).then(|| Duration::from_millis(deadline_ms.into())),
            cancelled,
            progress,
        },
        door: Door::Hub {
            call_token,
            grant: approval_grant,
        },
    })
}

fn reported(report: Report) -> CallEvent {
    let event = match report {
        Report::Progress {
            done,
            total,
            message,
        } => Event::Progress(spoke::Progress {
            done,
            total: total.unwrap_or_default(),
            message,
        }),
        Report::Log { level, message } => Event::Log(spoke::Log {
            level: match level {
                LogLevel::Debug => "debug",
                LogLevel::Info => "info",
                LogLevel::Warning => "warning",
                LogLevel::Error => "error",
            }
            .to_owned(),
            message,
        }),
    };
    CallEvent { event: Some(event) }
}

fn result(output: Output) -> spoke::Result {
    let content = output.content.into_iter().map(|content| spoke::Content {
        kind: output::kind_word(content.kind).to_owned(),
        mime_type: content.mime_type,
        data: content.data,
    });
    spoke::Result {
        content: content.collect(),
        structured_json: String::from(Box::<str>::from(output.structured)).into(),
        sensitive: output.sensitive,
        replayed: output.replayed,
    }
}

fn error(error: &ToolError) -> spoke::ToolError {
    let details = error.details.as_ref();
    spoke::ToolError {
        code: error.code.as_str().to_owned(),
        message: error.message.clone(),
        details_json: details.map(ToString::to_string).unwrap_or_default().into(),
        retryable: error.retryable,
        retry_after_ms: output::retry_after_ms(error).unwrap_or_default(),
        did_not_run: error.did_not_run,
    }
}

fn assessed(assessment: &crate::tool::Assessment) -> spoke::Assessment {
    let checks = assessment.checks.iter().map(|check| spoke::Check {
        name: check.name.clone(),
        ok: check.ok,
        detail: check.detail.clone(),
    });
    spoke::Assessment {
        effect: describe::effect(assessment.effect).into(),
        summary: assessment.summary.clone(),
        ready: assessment.ready(),
        checks: checks.collect(),
    }
}

/// An assessment that failed: the message begins with the code of the shared table.
fn status(error: &ToolError) -> Status {
    let message = format!("{}: {}", error.code, error.message);
    match error.code.http_status() {
        404 => Status::not_found(message),
        401 => Status::unauthenticated(message),
        403 => Status::permission_denied(message),
        504 => Status::deadline_exceeded(message),
        501..=503 => Status::unavailable(message),
        400..=499 => Status::invalid_argument(message),
        _ => Status::internal(message),
    }
}
