//! How a call ended, as the ledger keeps it: a result byte for byte, a failure, or that there was a
//! result which is not kept.

use super::Begun;
use crate::store::StoreError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use shared::error::Code;
use shared::tool::{Content, ContentKind, Output, ToolError, WireResult};
use std::time::Duration;

/// Largest result kept, in bytes of its stored form.
const MAX_BYTES: usize = 1024 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::ledger) enum Stored {
    Output(StoredOutput),
    Error(StoredError),
    /// Why there is none.
    NotKept(String),
}

#[derive(Serialize, Deserialize)]
pub(in crate::ledger) struct StoredOutput {
    structured: Box<RawValue>,
    content: Vec<StoredContent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wire: Option<StoredWire>,
}

#[derive(Serialize, Deserialize)]
struct StoredWire {
    json: Box<RawValue>,
    is_error: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredContent {
    kind: String,
    mime_type: String,
    /// Base64.
    data: String,
}

#[derive(Serialize, Deserialize)]
pub(in crate::ledger) struct StoredError {
    code: String,
    message: String,
    details: Option<Value>,
    retryable: bool,
    retry_after_ms: Option<u64>,
}

const KINDS: [(ContentKind, &str); 4] = [
    (ContentKind::Text, "text"),
    (ContentKind::Image, "image"),
    (ContentKind::Audio, "audio"),
    (ContentKind::Resource, "resource"),
];

impl Stored {
    pub(in crate::ledger) fn of_output(output: &Output) -> String {
        if output.sensitive {
            return Self::not_kept("it is sensitive");
        }
        let content = output.content.iter().map(StoredContent::of).collect();
        let stored = Self::Output(StoredOutput {
            structured: output.structured.clone(),
            content,
            wire: output.wire.as_ref().map(|wire| StoredWire {
                json: wire.json.clone(),
                is_error: wire.is_error,
            }),
        });
        let text = stored.text();
        if text.len() > MAX_BYTES {
            return Self::not_kept("it is too large");
        }
        text
    }

    pub(in crate::ledger) fn of_error(error: &ToolError) -> String {
        let after = error.retry_after.map(|after| after.as_millis());
        let stored = Self::Error(StoredError {
            code: error.code.as_str().to_owned(),
            message: error.message.clone(),
            details: error.details.clone(),
            retryable: error.retryable,
            retry_after_ms: after.map(|ms| u64::try_from(ms).unwrap_or(u64::MAX)),
        });
        stored.text()
    }

    pub(in crate::ledger) fn read(text: &str) -> Result<Self, StoreError> {
        serde_json::from_str(text).or(Err(StoreError::Column("result")))
    }

    pub(in crate::ledger) fn not_kept(why: &str) -> String {
        Self::NotKept(why.to_owned()).text()
    }

    /// PostgreSQL knows no NUL; in JSON it can only stand escaped, so the text has none.
    fn text(&self) -> String {
        serde_json::to_string(self).expect("strings, numbers and raw JSON serialise")
    }
}

impl From<Stored> for Begun {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Output(output) => Self::Replay(output.into_output()),
            Stored::Error(error) => Self::Failed(error.into_error()),
            Stored::NotKept(why) => Self::Failed(ToolError::refused(
                Code::Conflict,
                format!("the call with this key was made; its result was not kept because {why}"),
            )),
        }
    }
}

impl StoredOutput {
    fn into_output(self) -> Output {
        let mut output = Output::structured(self.structured);
        output.content = self
            .content
            .into_iter()
            .filter_map(StoredContent::into_content)
            .collect();
        output.replayed = true;
        output.wire = self.wire.map(|wire| WireResult {
            json: wire.json,
            is_error: wire.is_error,
        });
        output
    }
}

impl StoredContent {
    fn of(content: &Content) -> Self {
        let word = KINDS.iter().find(|(kind, _)| *kind == content.kind);
        Self {
            kind: word.map_or("text", |(_, word)| word).to_owned(),
            mime_type: content.mime_type.clone(),
            data: STANDARD.encode(&content.data),
        }
    }

    fn into_content(self) -> Option<Content> {
        let (kind, _) = KINDS.iter().find(|(_, word)| *word == self.kind)?;
        Some(Content {
            kind: *kind,
            mime_type: self.mime_type,
            data: STANDARD.decode(self.data).ok()?.into(),
        })
    }
}

impl StoredError {
    fn into_error(self) -> ToolError {
        let code = Code::parse(&self.code).unwrap_or(Code::InternalError);
        let mut error = ToolError::new(code, self.message);
        error.details = self.details;
        error.retryable = self.retryable;
        error.retry_after = self.retry_after_ms.map(Duration::from_millis);
        error
    }
}
