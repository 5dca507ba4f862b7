//! Runs a tool's future within its bounds, and says how it ended when it did not by itself.

use super::Failure;
use crate::error::Code;
use crate::spoke::catalogue::Entry;
use crate::spoke::output;
use crate::tool::{Call, ToolError};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;

/// Why a part of a tool did not come to its end.
pub(in crate::spoke) enum Stop {
    Deadline,
    Cancelled,
    Panic,
    Error(ToolError),
}

impl Stop {
    /// The tool's body was running.
    pub(super) fn after(self, entry: &Entry) -> Failure {
        let mut error = match self {
            Self::Cancelled => return Failure::Cancelled,
            Self::Error(error) => return Failure::Failed(error),
            Self::Panic => return Failure::Failed(output::internal()),
            Self::Deadline => ToolError::new(Code::Timeout, "the tool took too long"),
        };
        error.retryable = entry.definition().spec.idempotent;
        Failure::Failed(error)
    }

    /// The tool was only asked what it would do.
    pub(in crate::spoke) fn before(self) -> Failure {
        match self {
            Self::Cancelled => Failure::Cancelled,
            Self::Error(mut error) => {
                error.did_not_run = true;
                Failure::Failed(error)
            }
            Self::Panic => Failure::Failed(ToolError {
                did_not_run: true,
                ..output::internal()
            }),
            Self::Deadline => Failure::Failed(
                ToolError::refused(Code::Timeout, "judging the call took too long").retryable(),
            ),
        }
    }
}

/// Polls a tool's future until it ends, the deadline passes or the caller goes; then it is dropped.
pub(in crate::spoke) async fn bounded<T>(
    call: &Call,
    future: impl Future<Output = Result<T, ToolError>>,
) -> Result<T, Stop> {
    let guarded = AssertUnwindSafe(future).catch_unwind();
    tokio::select! {
        biased;
        () = call.cancelled.cancelled() => Err(Stop::Cancelled),
        ended = guarded => match ended {
            Ok(result) => result.map_err(Stop::Error),
            Err(_panic) => Err(Stop::Panic),
        },
        () = tokio::time::sleep_until(call.deadline) => Err(Stop::Deadline),
    }
}
