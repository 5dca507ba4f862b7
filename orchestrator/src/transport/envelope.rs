//! Bytes of one JSON-RPC message → what it is. Decoded once; nothing below looks at the bytes again.
//!
//! Only the members JSON-RPC and the served methods define are read; their values stay raw. Duplicate members are refused,
//! names are compared exactly, and a batch is no message. Eras and methods are not known here.

use super::asking::Told;
use super::fault::Fault;
use proto::mcp::{Id, Message, Params};
use serde_json::error::Category;
use serde_json::value::RawValue;

/// Longest id accepted, in bytes of JSON text.
const MAX_ID: usize = 256;

/// One incoming message.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// Wants an answer.
    Request(Request<'a>),
    /// Wants none.
    Notification(Notice<'a>),
    /// Answers a request of the hub.
    Response(Answered<'a>),
}

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    /// A string or an integer, as it was written.
    pub id: Id,
    /// Such as `tools/call`.
    pub method: String,
    /// Empty when the sender gave none.
    pub params: Params<'a>,
}

/// A notification.
#[derive(Debug)]
pub struct Notice<'a> {
    /// Such as `notifications/cancelled`.
    pub method: String,
    /// Empty when the sender gave none.
    pub params: Params<'a>,
}

/// A response of the other side.
#[derive(Debug)]
pub struct Answered<'a> {
    /// The id of the request, as it was written; `None` when there was none.
    pub id: Option<Id>,
    /// The result, or the error as it was written.
    pub told: Result<&'a RawValue, &'a RawValue>,
}

impl Answered<'_> {
    /// The answer as the one who asked gets it.
    ///
    /// # Errors
    /// The other side's error: code and message.
    pub fn told(&self) -> Told {
        #[derive(serde::Deserialize, Default)]
        #[serde(default)]
        struct Peer {
            code: i64,
            message: String,
        }
        self.told.map(ToOwned::to_owned).map_err(|error| {
            let peer: Peer = serde_json::from_str(error.get()).unwrap_or_default();
            (peer.code, peer.message)
        })
    }
}

/// Why the bytes are no message, with the id of the request where it could be read.
#[derive(Debug)]
pub struct Undecodable {
    /// `None` when the id could not be read.
    pub id: Option<Id>,
    /// What to answer.
    pub fault: Box<Fault>,
}

impl Undecodable {
    fn new(id: Option<Id>, fault: Fault) -> Self {
        let fault = Box::new(fault);
        Self { id, fault }
    }
}

impl From<Fault> for Undecodable {
    fn from(fault: Fault) -> Self {
        Self::new(None, fault)
    }
}

/// Reads one message.
///
/// # Errors
/// [`Undecodable`]: −32700 when the bytes are not JSON, −32600 when they are no message.
pub fn decode(body: &[u8]) -> Result<Incoming<'_>, Undecodable> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Fault::parse(format!(
            "the body is not UTF-8 (byte {})",
            error.valid_up_to()
        ))
    })?;
    if text
        .trim_start_matches([' ', '\t', '\r', '\n'])
        .starts_with('[')
    {
        return Err(Fault::invalid_request("batches are not accepted").into());
    }
    let message: Message<'_> = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
    classify(message)
}

fn unreadable(error: &serde_json::Error) -> Fault {
    let place = format!("line {} column {}", error.line(), error.column());
    match error.classify() {
        Category::Data => Fault::invalid_request(format!("not a JSON-RPC message ({place})")),
        Category::Syntax | Category::Eof | Category::Io => {
            Fault::parse(format!("the body is not JSON ({place})"))
        }
    }
}

fn classify(message: Message<'_>) -> Result<Incoming<'_>, Undecodable> {
    let id = match message.id {
        Some(id) if is_id(id.0.get()) => Some(id),
        Some(_) => return Err(Fault::invalid_request("id must be a string or an integer").into()),
        None => None,
    };
    let fault = |reason: &'static str, id| Undecodable::new(id, Fault::invalid_request(reason));
    if message
        .jsonrpc
        .is_none_or(|version| version.get() != r#""2.0""#)
    {
        return Err(fault("jsonrpc must be \"2.0\"", id));
    }
    let told = match (message.result, message.error) {
        (_, Some(error)) => Some(Err(error)),
        (Some(result), None) => Some(Ok(result)),
        (None, None) => None,
    };
    let method = match message.method {
        Some(_) if told.is_some() => {
            return Err(fault("a message is a request or a response, not both", id));
        }
        Some(method) => method,
        None => match told {
            Some(told) => return Ok(Incoming::Response(Answered { id, told })),
            None => return Err(fault("method is missing", id)),
        },
    };
    let params = match read_params(message.params) {
        Ok(params) => params,
        Err(fault) => return Err(Undecodable::new(id, fault)),
    };
    Ok(match id {
        Some(id) => Incoming::Request(Request { id, method, params }),
        None => Incoming::Notification(Notice { method, params }),
    })
}

fn read_params(raw: Option<&RawValue>) -> Result<Params<'_>, Fault> {
    match raw {
        None => Ok(Params::default()),
        Some(raw) if !is_object(raw) => Err(Fault::invalid_request("params must be an object")),
        Some(raw) => match serde_json::from_str::<Params<'_>>(raw.get()) {
            Ok(params) => Ok(Params {
                raw: Some(raw),
                ..params
            }),
            Err(error) => {
                let reason = format!("params cannot be read: {error}");
                Err(Fault::invalid_request(reason))
            }
        },
    }
}

/// Whether raw JSON is an object.
pub(super) fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

/// Whether raw JSON may stand for a request: a string, or a number without fraction or exponent.
pub(super) fn is_id(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let integer = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    text.len() <= MAX_ID && (text.starts_with('"') || integer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proto::mcp::code;

    fn check(body: &str, expected: i32) {
        let refused = decode(body.as_bytes()).expect_err(body);
        assert_eq!(
            refused.fault.code, expected,
            "{body}: {}",
            refused.fault.message
        );
    }

    #[test]
    fn a_request_keeps_its_id_and_params_byte_for_byte() {
        let body = br#" {"params" : {"arguments": {"a" :1.0}} ,"id": "x\u0041" ,"method":"tools/call","jsonrpc":"2.0","more":[1]}"#;
        let Incoming::Request(request) = decode(body).unwrap() else {
            panic!()
        };
        assert_eq!(request.id.0.get(), r#""x\u0041""#);
        assert_eq!(request.params.arguments.unwrap().get(), r#"{"a" :1.0}"#);
    }

    #[test]
    fn kinds_are_told_apart() {
        let kind = |body: &str| match decode(body.as_bytes()).unwrap() {
            Incoming::Request(_) => "request",
            Incoming::Notification(_) => "notification",
            Incoming::Response(_) => "response",
        };
        assert_eq!(
            kind(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#),
            "request"
        );
        assert_eq!(
            kind(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
            "notification"
        );
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), "response");
        assert_eq!(
            kind(r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#),
            "response"
        );
    }

    /// Acceptance: 167
    #[test]
    fn what_is_no_message_is_refused() {
        for not_json in [
            "",
            "{",
            "{'a':1}",
            "\u{feff}{}",
            r#"{"jsonrpc":"2.0","id":1,"method":"a"} x"#,
        ] {
            check(not_json, code::PARSE);
        }
        for no_message in [
            "null",
            "1",
            r#""x""#,
            "{}",
            "[]",
            r#" [{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":5}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"Method":"ping"}"#,
        ] {
            check(no_message, code::INVALID_REQUEST);
        }
    }

    #[test]
    fn duplicate_members_are_refused_however_they_are_spelt() {
        for twice in [
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","\u006dethod":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{},"params":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","n\u0061me":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{},"arguments":{}}}"#,
        ] {
            check(twice, code::INVALID_REQUEST);
        }
    }

    #[test]
    fn the_id_of_a_broken_request_is_answered() {
        let refused = decode(br#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#).unwrap_err();
        assert_eq!(refused.id.unwrap().0.get(), "7");
    }

    #[test]
    fn deep_nesting_is_refused_without_overflow() {
        let deep = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"a","params":{}"#,
            "{\"a\":".repeat(200_000)
        );
        assert!(decode(deep.as_bytes()).is_err());
        let ignored = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"a","x":{}1{}}}"#,
            "[".repeat(200_000),
            "]".repeat(200_000)
        );
        let _either = decode(ignored.as_bytes());
    }

    proptest! {
        /// Acceptance: 167
        #[test]
        fn no_bytes_make_the_decoder_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _either = decode(&body);
        }

        /// Acceptance: 167
        #[test]
        fn no_broken_message_makes_the_decoder_panic(cut in 0_usize..90, byte in any::<u8>()) {
            let mut body = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a.b","arguments":{"a":[1]}}}"#.to_vec();
            let at = cut % body.len();
            body[at] = byte;
            let _either = decode(&body);
            body.truncate(at);
            let _either = decode(&body);
        }
    }
}
