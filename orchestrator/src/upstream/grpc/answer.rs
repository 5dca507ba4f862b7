//! What a spoke answers, in the hub's terms. The structured result is checked to be JSON and passed
//! on byte for byte.

use crate::upstream::UpstreamError;
use bytes::Bytes;
use proto::spoke;
use serde_json::value::RawValue;
use shared::arguments::{self, Limits};
use shared::error::Code;
use shared::tool::{
    Assessment, Check, Content, ContentKind, Effect, LogLevel, Output, Report, ToolError,
};
use std::time::Duration;

/// Bytes of the structured part of one result.
pub(super) const MAX_STRUCTURED_BYTES: usize = 16 * 1024 * 1024;
/// Pieces of content beside it.
const MAX_CONTENT: usize = 64;
/// Characters of a text for people.
const MAX_TEXT: usize = 16 * 1024;
/// Bytes of the facts in an error.
const MAX_DETAILS: usize = 256 * 1024;

pub(super) fn output(result: spoke::Result) -> Result<Output, UpstreamError> {
    if result.structured_json.len() > MAX_STRUCTURED_BYTES || result.content.len() > MAX_CONTENT {
        return Err(bad("the result is too large"));
    }
    let content = result.content.into_iter().map(content);
    Ok(Output {
        structured: raw(result.structured_json)?,
        content: content.collect::<Result<_, _>>()?,
        sensitive: result.sensitive,
        replayed: result.replayed,
        wire: None,
    })
}

/// JSON as it came. The bytes are read once to see that they are JSON, and not written again.
pub(super) fn raw(bytes: Bytes) -> Result<Box<RawValue>, UpstreamError> {
    let text = String::from_utf8(bytes.into()).map_err(|_bytes| bad("JSON that is not UTF-8"))?;
    RawValue::from_string(text).map_err(|error| UpstreamError::BadAnswer(format!("JSON: {error}")))
}

pub(super) fn tool_error(error: spoke::ToolError) -> ToolError {
    let details = (1..=MAX_DETAILS)
        .contains(&error.details_json.len())
        .then(|| arguments::parse_value(&error.details_json, Limits::default()).ok());
    let wait = Duration::from_millis(error.retry_after_ms.into());
    ToolError {
        code: Code::parse(&error.code).unwrap_or(Code::InternalError),
        message: cut(error.message),
        details: details.flatten(),
        retryable: error.retryable,
        retry_after: (!wait.is_zero()).then_some(wait),
        did_not_run: error.did_not_run,
    }
}

pub(super) fn assessment(reply: spoke::Assessment) -> Result<Assessment, UpstreamError> {
    let checks = reply
        .checks
        .into_iter()
        .take(MAX_CONTENT)
        .map(|check| Check {
            name: cut(check.name),
            ok: check.ok,
            detail: cut(check.detail),
        });
    let assessment = Assessment {
        effect: effect(reply.effect).ok_or_else(|| bad("an assessment without an effect"))?,
        summary: cut(reply.summary),
        checks: checks.collect(),
    };
    if assessment.ready() == reply.ready {
        Ok(assessment)
    } else {
        Err(bad("an assessment that contradicts its checks"))
    }
}

/// The effect; `None` for the unspecified and for unknown ones.
pub(super) fn effect(number: i32) -> Option<Effect> {
    match spoke::Effect::try_from(number).ok()? {
        spoke::Effect::Unspecified => None,
        spoke::Effect::Read => Some(Effect::Read),
        spoke::Effect::MutateOwn => Some(Effect::MutateOwn),
        spoke::Effect::Mutate => Some(Effect::Mutate),
        spoke::Effect::Critical => Some(Effect::Critical),
    }
}

pub(super) fn progress(progress: spoke::Progress) -> Report {
    Report::Progress {
        done: progress.done,
        total: (progress.total > 0.0).then_some(progress.total),
        message: cut(progress.message),
    }
}

pub(super) fn log(log: spoke::Log) -> Report {
    let level = match log.level.as_str() {
        "debug" => LogLevel::Debug,
        "warning" => LogLevel::Warning,
        "error" => LogLevel::Error,
        _ => LogLevel::Info,
    };
    Report::Log {
        level,
        message: cut(log.message),
    }
}

fn content(content: spoke::Content) -> Result<Content, UpstreamError> {
    let kind = match content.kind.as_str() {
        "text" if std::str::from_utf8(&content.data).is_ok() => ContentKind::Text,
        "image" => ContentKind::Image,
        "audio" => ContentKind::Audio,
        "resource" => ContentKind::Resource,
        _ => return Err(bad("content of an unknown kind")),
    };
    Ok(Content {
        kind,
        mime_type: content.mime_type,
        data: content.data,
    })
}

fn bad(what: &str) -> UpstreamError {
    UpstreamError::BadAnswer(what.to_owned())
}

fn cut(text: String) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        None => text,
        Some(_) => text.chars().take(MAX_TEXT).collect(),
    }
}
