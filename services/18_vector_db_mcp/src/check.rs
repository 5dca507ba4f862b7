//! Rules for what callers name and give along.

use serde_json::{Map, Value};
use shared::tool::ToolError;

/// Longest text of one document, in bytes.
pub(crate) const MAX_TEXT: usize = 100_000;
/// Largest metadata of one document, as JSON, in bytes.
const MAX_METADATA: usize = 16_384;
const MAX_ID: usize = 200;

/// Whether a text is a name of a collection, a service or a kind of data.
pub(crate) fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let begins = text
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric());
    begins && text.len() <= 128 && text.bytes().all(plain)
}

/// A name.
pub(crate) fn name(field: &str, text: &str) -> Result<(), ToolError> {
    match is_name(text) {
        true => Ok(()),
        false => Err(ToolError::invalid(
            field,
            "is no name: letters, digits, `_`, `-` and `.`, at most 128",
        )),
    }
}

/// The id of a document: one short line.
pub(crate) fn id(field: &str, id: &str) -> Result<(), ToolError> {
    match id.is_empty() || id.len() > MAX_ID || id.chars().any(char::is_control) {
        true => Err(ToolError::invalid(
            field,
            "an id is 1 to 200 bytes without control characters",
        )),
        false => Ok(()),
    }
}

/// The text of a document or of a query.
pub(crate) fn text(field: &str, text: &str) -> Result<(), ToolError> {
    match text.trim().is_empty() || text.len() > MAX_TEXT || text.contains('\0') {
        true => Err(ToolError::invalid(
            field,
            "a text is 1 to 100000 bytes and not blank",
        )),
        false => Ok(()),
    }
}

/// Metadata: not too much.
pub(crate) fn metadata(field: &str, metadata: &Map<String, Value>) -> Result<(), ToolError> {
    let size = serde_json::to_string(metadata).map_or(usize::MAX, |text| text.len());
    match size <= MAX_METADATA {
        true => Ok(()),
        false => Err(ToolError::invalid(field, "metadata is larger than 16 KiB")),
    }
}
