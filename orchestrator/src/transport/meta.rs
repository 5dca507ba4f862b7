//! The keys of a request's `_meta` the hub understands. Unknown keys are ignored.

use super::envelope::{is_id, is_object};
use super::fault::Fault;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use shared::id::CorrelationId;
use std::borrow::Cow;

/// Longest `_meta` accepted, in bytes of JSON text.
const MAX_META: usize = 64 * 1024;
/// Longest token, key or trace context accepted, in bytes.
const MAX_TEXT: usize = 1024;

/// What `_meta` said.
#[derive(Debug, Default, Deserialize)]
pub struct Meta<'a> {
    /// Revision a modern request speaks.
    #[serde(default, borrow, rename = "io.modelcontextprotocol/protocolVersion")]
    pub protocol_version: Option<Cow<'a, str>>,
    /// Capabilities of the client for this request.
    #[serde(default, borrow, rename = "io.modelcontextprotocol/clientCapabilities")]
    pub client_capabilities: Option<&'a RawValue>,
    /// Least severity of log lines to report with the request.
    #[serde(default, borrow, rename = "io.modelcontextprotocol/logLevel")]
    pub log_level: Option<Cow<'a, str>>,
    /// Where progress goes; a string or an integer.
    #[serde(default, borrow, rename = "progressToken")]
    pub progress_token: Option<&'a RawValue>,
    /// W3C trace context.
    #[serde(default, borrow)]
    pub traceparent: Option<Cow<'a, str>>,
    /// Proof of an approval.
    #[serde(default, borrow, rename = "waygate/approvalToken")]
    pub approval_token: Option<Cow<'a, str>>,
    /// Same key, same effect.
    #[serde(default, borrow, rename = "waygate/idempotencyKey")]
    pub idempotency_key: Option<Cow<'a, str>>,
    /// The caller's own correlation id.
    #[serde(default, borrow, rename = "waygate/correlationId")]
    pub correlation_id: Option<Cow<'a, str>>,
}

impl<'a> Meta<'a> {
    /// Reads a raw `_meta`; `None` means empty.
    ///
    /// # Errors
    /// −32602 when a key stands there twice, is too long or of the wrong type.
    pub fn parse(raw: Option<&'a RawValue>) -> Result<Self, Fault> {
        let Some(raw) = raw else {
            return Ok(Self::default());
        };
        let malformed = |reason: String| {
            Fault::invalid_params(format!("_meta {reason}")).with_status(StatusCode::BAD_REQUEST)
        };
        if raw.get().len() > MAX_META {
            return Err(malformed(format!("is longer than {MAX_META} bytes")));
        }
        let meta: Self = serde_json::from_str(raw.get())
            .map_err(|error| malformed(format!("cannot be read: {error}")))?;
        let texts = [
            &meta.protocol_version,
            &meta.log_level,
            &meta.traceparent,
            &meta.approval_token,
            &meta.idempotency_key,
            &meta.correlation_id,
        ];
        if texts
            .into_iter()
            .flatten()
            .any(|text| text.len() > MAX_TEXT)
        {
            return Err(malformed(format!(
                "holds a text longer than {MAX_TEXT} bytes"
            )));
        }
        if meta.progress_token.is_some_and(|token| !is_id(token.get())) {
            return Err(malformed(
                "progressToken must be a string or an integer".into(),
            ));
        }
        if meta
            .client_capabilities
            .is_some_and(|value| !is_object(value))
        {
            return Err(malformed("clientCapabilities must be an object".into()));
        }
        Ok(meta)
    }

    /// The keys a modern request must have and this one has not.
    #[must_use]
    pub fn missing_modern_keys(&self) -> Vec<&'static str> {
        let version = self.protocol_version.is_none();
        let capabilities = self.client_capabilities.is_none();
        [
            version.then_some(proto::mcp::META_PROTOCOL_VERSION),
            capabilities.then_some(proto::mcp::META_CLIENT_CAPABILITIES),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The caller's correlation id, when it keeps to the rule.
    #[must_use]
    pub fn correlation(&self) -> Option<CorrelationId> {
        let text = self.correlation_id.as_deref()?;
        CorrelationId::parse(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn known_keys_are_read_and_others_ignored() {
        let raw = raw(r#"{"progressToken":7,"waygate/approvalToken":"t\u0041","x/y":{"a":1}}"#);
        let meta = Meta::parse(Some(&raw)).unwrap();
        assert_eq!(meta.progress_token.unwrap().get(), "7");
        assert_eq!(meta.approval_token.as_deref(), Some("tA"));
        assert!(meta.protocol_version.is_none());
    }

    #[test]
    fn a_key_of_the_wrong_kind_is_refused() {
        let long = format!(r#"{{"traceparent":"{}"}}"#, "x".repeat(2000));
        for bad in [
            "1",
            r#"{"progressToken":{}}"#,
            r#"{"progressToken":1.5}"#,
            r#"{"io.modelcontextprotocol/protocolVersion":1}"#,
            r#"{"io.modelcontextprotocol/clientCapabilities":[]}"#,
            r#"{"waygate/approvalToken":"a","waygate/approvalToken":"b"}"#,
            &long,
        ] {
            let raw = raw(bad);
            let fault = Meta::parse(Some(&raw)).unwrap_err();
            assert_eq!(fault.code, proto::mcp::code::INVALID_PARAMS, "{bad}");
        }
    }
}
