//! Answers of the Table API, and its refusals in our own words.
//!
//! Nothing an answer says is repeated to the caller but records: error texts of a remote system may
//! hold anything.

use super::SYSTEM;
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use shared::error::Code;
use shared::outbound;
use shared::tool::ToolError;
use std::time::Duration;

/// Longest answer that is read, in bytes.
const MAX_BYTES: usize = 10 * 1024 * 1024;
/// Longest wait that is passed on.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// What was asked for.
#[derive(Debug)]
pub(super) enum Answer {
    Found(Value),
    Nothing,
}

#[derive(Deserialize)]
struct Envelope {
    result: Value,
}

/// Reads an answer.
pub(super) async fn read(response: Response) -> Result<Answer, ToolError> {
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => return Ok(Answer::Nothing),
        status => return Err(refused(status, &response)),
    }
    let body = body(response).await?;
    let envelope: Envelope = serde_json::from_slice(&body).map_err(|error| {
        tracing::warn!(
            event = "servicenow_answer",
            line = error.line(),
            "an odd answer"
        );
        nonsense()
    })?;
    Ok(Answer::Found(envelope.result))
}

/// The bytes of a good answer.
pub(super) async fn body(mut response: Response) -> Result<Vec<u8>, ToolError> {
    let status = response.status();
    if !status.is_success() {
        return Err(refused(status, &response));
    }
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        match chunk.map_err(|error| outbound::failure(SYSTEM, &error))? {
            None => return Ok(body),
            Some(chunk) if body.len() + chunk.len() > MAX_BYTES => {
                let message = "the answer of ServiceNow is larger than 10 MiB: ask for less";
                return Err(ToolError::new(Code::BadGateway, message));
            }
            Some(chunk) => body.extend_from_slice(&chunk),
        }
    }
}

/// An answer that is no answer.
pub(super) fn nonsense() -> ToolError {
    let message = "ServiceNow gave an answer that is not one of the Table API";
    ToolError::new(Code::BadGateway, message)
}

fn refused(status: StatusCode, response: &Response) -> ToolError {
    tracing::warn!(
        event = "servicenow_refused",
        status = status.as_u16(),
        "ServiceNow refused a request"
    );
    let (code, message) = match status.as_u16() {
        400 => (
            Code::InvalidInput,
            "ServiceNow does not know the table or a field of the query",
        ),
        401 => (
            Code::BadGateway,
            "ServiceNow refused the credentials: check SERVICENOW_USER and its password, or the OAuth client",
        ),
        403 => (
            Code::BadGateway,
            "the account of SERVICENOW_USER may not read this table",
        ),
        429 => (
            Code::RateLimited,
            "ServiceNow takes no more requests for now",
        ),
        300..=399 => (
            Code::BadGateway,
            "ServiceNow sent us elsewhere: check SERVICENOW_URL",
        ),
        500..=599 => (Code::ServiceUnavailable, "ServiceNow is not well"),
        _ => return nonsense(),
    };
    let mut error = ToolError::new(code, message);
    if matches!(code, Code::RateLimited | Code::ServiceUnavailable) {
        error = error.retryable();
        error.retry_after = retry_after(response);
    }
    error
}

/// Seconds only; a date is not worth a clock here.
fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let seconds = text.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
}
