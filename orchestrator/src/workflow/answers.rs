//! What the gateway's answer to a step means to its run.

use crate::error::CallError;
use crate::gateway::Answer;
use crate::upstream::UpstreamError;
use serde_json::Value;
use shared::error::Code;
use std::sync::Arc;
use std::time::Duration;
use workflow::core::{Failure, Fault, Outcome, Problem};

/// The outcome of one attempt.
pub(super) fn outcome(answer: Result<Answer, CallError>) -> Outcome {
    match answer {
        Ok(answer)
            if answer
                .output
                .wire
                .as_ref()
                .is_some_and(|wire| wire.is_error) =>
        {
            let detail = said(&answer).unwrap_or_else(|| "the tool failed".to_owned());
            Outcome::Failed(Failure {
                problem: problem(Code::BadGateway, detail),
                ran: true,
                transient: false,
                retry_after: None,
            })
        }
        Ok(answer) => {
            let text = answer.output.structured.get();
            match serde_json::from_str::<Value>(text) {
                Ok(output) => Outcome::Completed(Arc::new(output)),
                Err(error) => Outcome::Unknown {
                    detail: format!("the answer cannot be read: {error}"),
                },
            }
        }
        Err(error) => of_error(&error),
    }
}

/// As [`outcome`], with the whole result of an MCP server, as the server wrote it.
pub(super) fn verbatim(answer: Result<Answer, CallError>) -> Outcome {
    let wire = match &answer {
        Ok(answer) => answer.output.wire.as_ref(),
        Err(_) => None,
    };
    let whole = wire.and_then(|wire| serde_json::from_str(wire.json.get()).ok());
    match (outcome(answer), whole) {
        (Outcome::Completed(_), Some(whole)) => Outcome::Completed(Arc::new(whole)),
        (other, _) => other,
    }
}

fn of_error(error: &CallError) -> Outcome {
    let detail = error.to_string();
    match error {
        CallError::ApprovalRequired(approval) => Outcome::ApprovalNeeded {
            request: approval.id.clone(),
        },
        CallError::Upstream(UpstreamError::BreakerOpen { .. }) => Outcome::Parked { detail },
        // Its service was not seen since the hub started; the document was checked when it was.
        CallError::UnknownTool(_) | CallError::UnknownOffer { .. } | CallError::Quarantined(_) => {
            Outcome::Parked { detail }
        }
        CallError::Upstream(upstream) => of_upstream(upstream, error),
        CallError::OutcomeUnknown | CallError::Conflict(_) | CallError::Internal => {
            Outcome::Unknown { detail }
        }
        CallError::Limited(_)
        | CallError::ApprovalFlood
        | CallError::Unrecorded
        | CallError::Stopping => refused(error, true),
        CallError::Unauthorized
        | CallError::Malformed(_)
        | CallError::Invalid(_)
        | CallError::Denied(_)
        | CallError::ApprovalInvalid(_)
        | CallError::TooDeep => refused(error, false),
    }
}

fn of_upstream(upstream: &UpstreamError, error: &CallError) -> Outcome {
    if let UpstreamError::Tool(tool) = upstream {
        return Outcome::Failed(Failure {
            problem: problem(tool.code, error.to_string()),
            ran: !tool.did_not_run,
            transient: tool.retryable,
            retry_after: tool.retry_after,
        });
    }
    if upstream.did_not_run() {
        return refused(error, true);
    }
    Outcome::Unknown {
        detail: error.to_string(),
    }
}

/// What a server says of its failure: the texts of the result.
fn said(answer: &Answer) -> Option<String> {
    let wire = answer.output.wire.as_ref()?;
    let result: Value = serde_json::from_str(wire.json.get()).ok()?;
    let content = result.get("content")?.as_array()?;
    let texts = content.iter().filter_map(|it| it.get("text")?.as_str());
    let texts: Vec<_> = texts.collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// Nothing was sent.
fn refused(error: &CallError, transient: bool) -> Outcome {
    Outcome::Failed(Failure {
        problem: problem(error.code(), error.to_string()),
        ran: false,
        transient,
        retry_after: error.retry_after(),
    })
}

/// A failure before anything was sent, told by the driver.
pub(super) fn not_sent(code: Code, detail: impl Into<String>, after: Option<Duration>) -> Outcome {
    Outcome::Failed(Failure {
        problem: problem(code, detail.into()),
        ran: false,
        transient: after.is_some(),
        retry_after: after,
    })
}

/// A code of ours as a problem of the language.
pub(super) fn problem(code: Code, detail: String) -> Problem {
    let status = code.http_status();
    let fault = match status {
        401 => Fault::Authentication,
        403 => Fault::Authorization,
        408 | 504 => Fault::Timeout,
        400 | 413 | 415 | 422 => Fault::Validation,
        501 => Fault::Configuration,
        _ => Fault::Communication,
    };
    Problem::new(fault, code.as_str(), detail).with_status(status)
}
