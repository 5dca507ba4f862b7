//! A tool's [`Output`] → `CallToolResult`, per revision.
//!
//! The structured value is copied byte for byte: key order, number spelling and unknown fields stay.
//! Errors are `errors`' matter.

use super::passed::{self, Passing};
use super::revision::Revision;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};
use shared::id::CorrelationId;
use shared::tool::{Content, ContentKind, Output};

/// What a result says of itself beside the output.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Revision of the request.
    pub revision: Revision,
    /// Joins everything the call caused.
    pub correlation_id: &'a CorrelationId,
    /// Came from the cache of reads.
    pub cached: bool,
}

/// The result of a call that succeeded.
#[must_use]
pub fn output(output: &Output, about: About<'_>) -> Vec<u8> {
    if let Some(wire) = &output.wire {
        let passing = Passing {
            revision: about.revision,
            correlation_id: Some(about.correlation_id),
            hinted: false,
        };
        return passed::result(&wire.json, passing);
    }
    let structured = output.structured.get();
    let mut json = Vec::with_capacity(structured.len() * 2 + 512);
    json.extend_from_slice(br#"{"content":[{"type":"text","text":"#);
    push(&mut json, &structured);
    json.push(b'}');
    for (at, content) in output.content.iter().enumerate() {
        json.push(b',');
        push(&mut json, &block(content, at));
    }
    json.push(b']');
    if shows_structured(structured, about.revision) {
        json.extend_from_slice(br#","structuredContent":"#);
        json.extend_from_slice(structured.as_bytes());
    }
    finish(&mut json, false, about);
    json
}

/// The result of a call that failed in a way the model should read. `document` is an object.
#[must_use]
pub fn failure(document: &Value, about: About<'_>) -> Vec<u8> {
    let structured = document.to_string();
    let mut json = Vec::with_capacity(structured.len() * 2 + 512);
    json.extend_from_slice(br#"{"content":[{"type":"text","text":"#);
    push(&mut json, &structured);
    json.extend_from_slice(b"}]");
    if about.revision.has_structured_results() {
        json.extend_from_slice(br#","structuredContent":"#);
        json.extend_from_slice(structured.as_bytes());
    }
    finish(&mut json, true, about);
    json
}

/// Name and version of the hub, for `serverInfo`.
#[must_use]
pub fn server_info() -> Value {
    json!({"name": "waygate", "title": "Waygate", "version": env!("CARGO_PKG_VERSION")})
}

fn shows_structured(structured: &str, revision: Revision) -> bool {
    let object = structured.trim_start().starts_with('{');
    revision.has_structured_results() && (object || revision.has_any_structured_value())
}

fn finish(json: &mut Vec<u8>, is_error: bool, about: About<'_>) {
    json.extend_from_slice(if is_error {
        br#","isError":true"#
    } else {
        br#","isError":false"#
    });
    if about.revision.is_modern() {
        json.extend_from_slice(br#","resultType":"complete""#);
    }
    json.extend_from_slice(br#","_meta":"#);
    push(json, &meta(about));
    json.push(b'}');
}

fn meta(about: About<'_>) -> Map<String, Value> {
    let mut meta = Map::new();
    meta.insert(
        "waygate/correlationId".into(),
        about.correlation_id.as_str().into(),
    );
    if about.cached {
        meta.insert("waygate/cached".into(), true.into());
    }
    if about.revision.is_modern() {
        meta.insert(proto::mcp::META_SERVER_INFO.into(), server_info());
    }
    meta
}

fn block(content: &Content, at: usize) -> Value {
    let text = std::str::from_utf8(&content.data).ok();
    let encoded = || BASE64_STANDARD.encode(&content.data);
    let mime = content.mime_type.as_str();
    match (content.kind, text) {
        (ContentKind::Text, Some(text)) => json!({"type": "text", "text": text}),
        (ContentKind::Image, _) => json!({"type": "image", "data": encoded(), "mimeType": mime}),
        (ContentKind::Audio, _) => json!({"type": "audio", "data": encoded(), "mimeType": mime}),
        (ContentKind::Resource, Some(text)) if mime.starts_with("text/") => json!({
            "type": "resource",
            "resource": {"uri": format!("waygate:result/{at}"), "mimeType": mime, "text": text},
        }),
        (ContentKind::Resource | ContentKind::Text, _) => json!({
            "type": "resource",
            "resource": {"uri": format!("waygate:result/{at}"), "mimeType": mime, "blob": encoded()},
        }),
    }
}

fn push(json: &mut Vec<u8>, value: &impl serde::Serialize) {
    json.extend_from_slice(&super::frame::encode(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::value::RawValue;

    fn check(structured: &str, revision: Revision) -> (String, Value) {
        let made = Output::structured(RawValue::from_string(structured.to_owned()).unwrap());
        let correlation_id = CorrelationId::parse("abc").unwrap();
        let about = About {
            revision,
            correlation_id: &correlation_id,
            cached: false,
        };
        let text = String::from_utf8(output(&made, about)).unwrap();
        let value = serde_json::from_str(&text).unwrap();
        (text, value)
    }

    #[test]
    fn the_structured_value_is_copied_byte_for_byte() {
        let odd = r#"{"z": 1.0, "a":9007199254740993123, "é":"\u00e9", "x":[ ]}"#;
        let (text, value) = check(odd, Revision::July2026);
        assert!(
            text.contains(&format!(r#""structuredContent":{odd},"#)),
            "{text}"
        );
        assert_eq!(value["content"][0]["text"], odd);
        assert_eq!(value["resultType"], "complete");
        assert_eq!(value["_meta"]["waygate/correlationId"], "abc");
        assert_eq!(
            value["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
            "waygate"
        );
        assert!(value["_meta"].get("waygate/cached").is_none());
    }

    #[test]
    fn older_revisions_get_what_they_know() {
        let (_, value) = check(r#"{"a":1}"#, Revision::November2025);
        assert_eq!(value["structuredContent"]["a"], 1);
        assert!(value.get("resultType").is_none());
        let (_, value) = check("[1]", Revision::November2025);
        assert!(value.get("structuredContent").is_none());
        let (_, value) = check("[1]", Revision::July2026);
        assert_eq!(value["structuredContent"][0], 1);
        let (_, value) = check(r#"{"a":1}"#, Revision::March2025);
        assert!(value.get("structuredContent").is_none());
        assert_eq!(value["content"][0]["text"], r#"{"a":1}"#);
    }

    #[test]
    fn content_keeps_its_kind() {
        let content = |kind, mime: &str, data: &'static [u8]| {
            block(
                &Content {
                    kind,
                    mime_type: mime.into(),
                    data: Bytes::from_static(data),
                },
                3,
            )
        };
        assert_eq!(
            content(ContentKind::Text, "text/plain", b"hi")["text"],
            "hi"
        );
        assert_eq!(
            content(ContentKind::Image, "image/png", b"\xff")["data"],
            "/w=="
        );
        assert_eq!(
            content(ContentKind::Audio, "audio/wav", b"\xff")["mimeType"],
            "audio/wav"
        );
        let blob = content(ContentKind::Resource, "application/pdf", b"\xff");
        assert_eq!(blob["resource"]["blob"], "/w==");
        assert_eq!(blob["resource"]["uri"], "waygate:result/3");
        assert_eq!(
            content(ContentKind::Text, "text/plain", b"\xff")["type"],
            "resource"
        );
    }
}
