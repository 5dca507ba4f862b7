//! Results of calls: complete ones as outputs, byte for byte; those that ask for input handed on, or
//! asked of the client and tried again.

use super::connection::{Connection, Request};
use super::object::{Object, raw};
use crate::upstream::UpstreamError;
use crate::upstream::offers::{Bridge, HostRefusal, HostRequest, InputRequired, Resumed};
use serde_json::value::RawValue;
use shared::tool::{Output, WireResult};

/// How often one call may be answered with questions.
const MAX_ROUNDS: usize = 10;
/// Questions of one answer.
const MAX_QUESTIONS: usize = 16;

/// What a request came to.
pub(super) enum Came {
    /// The complete result.
    Complete(Box<RawValue>),
    /// Questions.
    Asks(Object, Box<RawValue>),
}

/// Makes a request until it is answered completely. `hands_on` says that questions may be handed to
/// the host.
pub(super) async fn complete(
    connection: &Connection,
    make: impl Fn() -> Request,
    hands_on: bool,
) -> Result<Box<RawValue>, UpstreamError> {
    let mut request = make();
    if let Some(resumed) = request.bridge.resumed.clone() {
        resume(&mut request.params, &resumed);
    }
    for _ in 0..MAX_ROUNDS {
        let bridge = request.bridge.clone();
        let result = connection.request(request).await?;
        let (asked, json) = match came(connection, result)? {
            Came::Complete(result) => return Ok(result),
            Came::Asks(asked, json) => (asked, json),
        };
        if hands_on && bridge.host.takes_input_required() {
            return Err(UpstreamError::InputRequired(Box::new(InputRequired {
                json,
            })));
        }
        let answered = answered(&connection.inbox.server_name(), &bridge, &asked).await?;
        request = make();
        resume(&mut request.params, &answered);
    }
    Err(UpstreamError::BadAnswer(
        "the server asks without end".into(),
    ))
}

fn resume(params: &mut Object, resumed: &Resumed) {
    if let Some(responses) = &resumed.responses {
        params.set("inputResponses", responses.clone());
    }
    if let Some(state) = &resumed.state {
        params.set("requestState", state.clone());
    }
}

fn came(connection: &Connection, result: Box<RawValue>) -> Result<Came, UpstreamError> {
    let object = Object::read(&result, "a result")?;
    match object.text("resultType").as_deref() {
        None | Some("complete") => Ok(Came::Complete(result)),
        Some("input_required") if connection.is_modern() => Ok(Came::Asks(object, result)),
        Some(other) => Err(UpstreamError::BadAnswer(format!(
            "a result of the type {other:?}, which was not asked for"
        ))),
    }
}

/// Asks the client what a server wants to know.
async fn answered(server: &str, bridge: &Bridge, asked: &Object) -> Result<Resumed, UpstreamError> {
    let questions = asked.object("inputRequests").unwrap_or_default();
    let mut requests = Vec::new();
    for (key, question) in questions.iter().take(MAX_QUESTIONS) {
        let question = Object::read(question, "a question")?;
        requests.push(HostRequest {
            key: key.to_owned(),
            method: question.text("method").unwrap_or_default(),
            params: question.get("params").map(ToOwned::to_owned),
        });
    }
    let state = asked.get("requestState").map(ToOwned::to_owned);
    if requests.is_empty() {
        return Ok(Resumed {
            responses: None,
            state,
        });
    }
    let abilities = bridge.host.abilities();
    if !requests.iter().all(|it| abilities.allow(&it.method)) {
        return Err(unanswered(&HostRefusal::Unable));
    }
    let keys: Vec<_> = requests.iter().map(|it| it.key.clone()).collect();
    let answers = bridge.host.ask(server, requests).await;
    let answers = answers.map_err(|refusal| unanswered(&refusal))?;
    let mut responses = Object::default();
    for (key, answer) in keys.iter().zip(answers) {
        responses.set(key, answer);
    }
    Ok(Resumed {
        responses: Some(responses.to_raw()),
        state,
    })
}

fn unanswered(refusal: &HostRefusal) -> UpstreamError {
    use shared::error::Code;
    let message = format!("the tool asks for input: {refusal}");
    UpstreamError::Tool(shared::tool::ToolError::refused(
        Code::InteractiveRefused,
        message,
    ))
}

/// A `CallToolResult` as an output. What programs get is the structured content, or the whole result
/// where there is none.
pub(super) fn output(json: Box<RawValue>) -> Result<Output, UpstreamError> {
    let object = Object::read(&json, "a result")?;
    let structured = object
        .get("structuredContent")
        .filter(|it| it.get() != "null");
    let structured = structured.map_or_else(|| programs(&object), ToOwned::to_owned);
    let mut output = Output::structured(structured);
    output.wire = Some(WireResult {
        is_error: object.is_true("isError"),
        json,
    });
    Ok(output)
}

/// Content without the protocol's members.
fn programs(object: &Object) -> Box<RawValue> {
    let mut own = object.clone();
    own.remove("_meta");
    own.remove("resultType");
    if own.is_empty() {
        return raw(&serde_json::json!({ "content": [] }));
    }
    own.to_raw()
}
