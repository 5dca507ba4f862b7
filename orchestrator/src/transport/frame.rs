//! JSON-RPC frames as bytes. Results and ids are copied, never re-encoded.

use super::fault::Fault;
use super::splice::Object;
use bytes::Bytes;
use proto::mcp::{ErrorObject, Id};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

/// A response that holds `result`, which must be JSON.
#[must_use]
pub fn success(id: &Id, result: &[u8]) -> Bytes {
    let id = id.0.get().as_bytes();
    let parts: [&[u8]; 5] = [
        br#"{"jsonrpc":"2.0","id":"#,
        id,
        br#","result":"#,
        result,
        b"}",
    ];
    Bytes::from(parts.concat())
}

/// A response that holds an error; without `id` when the request's could not be read.
#[must_use]
pub fn failure(id: Option<&Id>, fault: &Fault) -> Bytes {
    let error = ErrorObject {
        code: fault.code,
        message: fault.message.clone().into_owned(),
        data: fault.data.clone(),
    };
    encode(&Failure {
        jsonrpc: "2.0",
        id,
        error,
    })
}

/// A notification.
#[must_use]
pub fn notification(method: &str, params: serde_json::Value) -> Bytes {
    encode(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
}

/// A notification whose parameters are copied; they must be JSON.
#[must_use]
pub fn raw_notification(method: &str, params: &RawValue) -> Bytes {
    let object = Object::default().with("jsonrpc", "2.0");
    Bytes::from(object.with("method", method).with("params", params).json())
}

/// JSON text of a value that has string keys and finite numbers only.
pub(super) fn encode(value: &(impl Serialize + ?Sized)) -> Bytes {
    Bytes::from(serde_json::to_vec(value).expect("frames have string keys and finite numbers"))
}

#[derive(Serialize)]
struct Failure<'a> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Id>,
    error: ErrorObject,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_results_are_copied_byte_for_byte() {
        let id = Id(RawValue::from_string(r#""a\u0062""#.into()).unwrap());
        assert_eq!(
            success(&id, br#"{"n": 1.0}"#),
            r#"{"jsonrpc":"2.0","id":"a\u0062","result":{"n": 1.0}}"#
        );
        let fault = Fault::invalid_params("no");
        assert_eq!(
            failure(Some(&id), &fault),
            r#"{"jsonrpc":"2.0","id":"a\u0062","error":{"code":-32602,"message":"no"}}"#
        );
        assert_eq!(
            failure(None, &fault),
            r#"{"jsonrpc":"2.0","error":{"code":-32602,"message":"no"}}"#
        );
    }
}
