//! A gRPC status, as honestly as it can be told: did it arrive, did it run?

use crate::upstream::UpstreamError;
use shared::error::Code;
use shared::tool::ToolError;
use std::error::Error;
use tonic::Status;

/// Longest text kept of a status.
const MAX_TEXT: usize = 500;

/// The error of a call that ended in `status`.
pub(super) fn of(status: &Status) -> UpstreamError {
    let text = text(status);
    if never_left(status) {
        return UpstreamError::Unreachable(text);
    }
    let from_transport = status.source().is_some();
    match status.code() {
        tonic::Code::DeadlineExceeded => UpstreamError::Timeout,
        tonic::Code::Unauthenticated | tonic::Code::PermissionDenied if !from_transport => {
            UpstreamError::Refused(text)
        }
        // Over a size limit: no message of the transport, but found on this side of it.
        tonic::Code::OutOfRange => UpstreamError::BadAnswer(text),
        tonic::Code::Unavailable | tonic::Code::Cancelled | tonic::Code::Aborted => {
            UpstreamError::Lost(text)
        }
        _ if from_transport => UpstreamError::Lost(text),
        _ => UpstreamError::BadAnswer(text),
    }
}

/// As [`of`], for `Assess`, whose refusals are a status that begins with a code of the shared table.
pub(super) fn of_assessment(status: &Status) -> UpstreamError {
    let refusal = status
        .message()
        .split_once(": ")
        .and_then(|(code, message)| Some((Code::parse(code)?, message)));
    match refusal {
        Some((code, message)) if status.source().is_none() => {
            UpstreamError::Tool(ToolError::refused(code, cut(message)))
        }
        _ => of(status),
    }
}

/// Whether the request certainly never left: no connection, or one that was gone before it was used.
fn never_left(status: &Status) -> bool {
    causes(status).any(|cause| {
        let refused = cause.is::<tonic::ConnectError>();
        let unsent = cause
            .downcast_ref::<hyper::Error>()
            .is_some_and(hyper::Error::is_canceled);
        refused || unsent
    })
}

fn causes(status: &Status) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let first: Option<&(dyn Error + 'static)> = status.source();
    std::iter::successors(first, |&cause| cause.source()).take(16)
}

fn text(status: &Status) -> String {
    let root = causes(status).last().map(ToString::to_string);
    let text = match root {
        Some(root) if root != status.message() => {
            format!("{:?}: {}: {root}", status.code(), status.message())
        }
        _ => format!("{:?}: {}", status.code(), status.message()),
    };
    cut(&text)
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
