//! Calls against a scripted web.

use super::{Calls, Lost, Web, WebRequest, WebResponse};
use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use workflow::core::{Invocation, Outcome, Target};

#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<WebResponse, Lost>>>,
    asked: Mutex<Vec<WebRequest>>,
}

#[async_trait]
impl Web for Script {
    async fn send(&self, request: WebRequest) -> Result<WebResponse, Lost> {
        self.asked.lock().push(request);
        let next = self.answers.lock().pop_front();
        match next {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }
}

fn answer(status: u16, body: &Value) -> Result<WebResponse, Lost> {
    Ok(WebResponse {
        status,
        headers: vec![
            (
                "content-type".to_owned(),
                "application/json; charset=utf-8".to_owned(),
            ),
            ("retry-after".to_owned(), "7".to_owned()),
        ],
        body: body.to_string().into_bytes(),
    })
}

async fn check(
    target: Target,
    with: Value,
    answers: impl IntoIterator<Item = Result<WebResponse, Lost>>,
) -> (Outcome, Vec<WebRequest>) {
    let script = Arc::new(Script::default());
    script.answers.lock().extend(answers);
    let calls = Calls::new(Arc::clone(&script) as Arc<dyn Web>);
    let call = Invocation { target, with };
    let outcome = calls
        .perform(&call, "run:/do/0/a#1", Duration::from_secs(5))
        .await;
    let asked = script.asked.lock().clone();
    (outcome, asked)
}

fn header<'r>(request: &'r WebRequest, name: &str) -> Option<&'r str> {
    let found = request.headers.iter().find(|(it, _)| it == name);
    found.map(|(_, value)| value.as_str())
}

#[tokio::test]
async fn a_request_carries_what_the_step_says_and_its_key() {
    let with = json!({
        "method": "post", "endpoint": "https://h.example/p?a=1",
        "query": {"b": ["x y", 2]}, "headers": {"X-One": "1"}, "body": {"k": true},
        "authentication": {"basic": {"username": "u", "password": "p"}},
    });
    let (outcome, asked) = check(Target::Http, with, [answer(201, &json!({"id": 1}))]).await;
    assert_eq!(outcome, Outcome::Completed(Arc::new(json!({"id": 1}))));
    let request = &asked[0];
    assert_eq!(request.method, "POST");
    assert_eq!(request.url.as_str(), "https://h.example/p?a=1&b=x+y&b=2");
    assert_eq!(header(request, "x-one"), Some("1"));
    assert_eq!(header(request, "authorization"), Some("Basic dTpw"));
    assert_eq!(header(request, "idempotency-key"), Some("run:/do/0/a#1"));
    assert_eq!(request.body.as_deref(), Some(&br#"{"k":true}"#[..]));
}

#[tokio::test]
async fn a_response_shows_no_credentials() {
    let with = json!({
        "method": "get", "endpoint": "https://h.example/", "output": "response",
        "authentication": {"bearer": {"token": "t0ken"}},
    });
    let (outcome, asked) = check(Target::Http, with, [answer(200, &json!([1]))]).await;
    assert_eq!(header(&asked[0], "authorization"), Some("Bearer t0ken"));
    let Outcome::Completed(output) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(
        (&output["statusCode"], &output["content"]),
        (&json!(200), &json!([1]))
    );
    assert_eq!(output["request"]["method"], "GET");
    assert!(!output.to_string().contains("t0ken"));
}

#[tokio::test]
async fn errors_say_whether_the_call_took_place() {
    let with = || json!({"method": "put", "endpoint": "https://h.example/"});
    for (status, transient) in [(302, false), (404, false), (429, true), (503, true)] {
        let (outcome, _) = check(Target::Http, with(), [answer(status, &json!({}))]).await;
        let Outcome::Failed(failure) = outcome else {
            panic!("{status}: {outcome:?}");
        };
        assert_eq!(
            (failure.problem.status, failure.transient),
            (status, transient)
        );
        assert!(failure.ran && failure.problem.kind.ends_with("/communication"));
        assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
    }
    let unsent = Lost::Unsent {
        detail: "no route".to_owned(),
        transient: true,
    };
    let (outcome, _) = check(Target::Http, with(), [Err(unsent)]).await;
    assert!(matches!(outcome, Outcome::Failed(failure) if !failure.ran && failure.transient));
    let lost = Lost::Unanswered("closed".to_owned());
    let (outcome, _) = check(Target::Http, with(), [Err(lost)]).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_in_time_is_unknown() {
    let with = json!({"method": "post", "endpoint": "https://h.example/"});
    let (outcome, _) = check(Target::Http, with, []).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }));
}

#[tokio::test]
async fn operations_become_requests() {
    let document = json!({
        "openapi": "3.1.0", "servers": [{"url": "/v1"}],
        "components": {"parameters": {"id": {"name": "id", "in": "path", "required": true}}},
        "paths": {"/pets/{id}": {
            "parameters": [{"$ref": "#/components/parameters/id"}],
            "post": {"operationId": "change", "requestBody": {},
                "parameters": [{"name": "tag", "in": "query"}]},
        }},
    });
    let with = |operation: &str, parameters: Value| {
        json!({
            "document": "https://h.example/api/doc.json", "operation": operation,
            "parameters": parameters,
        })
    };
    let given = with(
        "change",
        json!({"id": "a/b", "tag": ["x", "y"], "name": "n"}),
    );
    let answers = [answer(200, &document), answer(200, &json!({}))];
    let (outcome, asked) = check(Target::OpenApi, given, answers).await;
    assert!(matches!(outcome, Outcome::Completed(_)), "{outcome:?}");
    assert_eq!(
        asked[1].url.as_str(),
        "https://h.example/v1/pets/a%2Fb?tag=x&tag=y"
    );
    assert_eq!(asked[1].body.as_deref(), Some(&br#"{"name":"n"}"#[..]));
    for (operation, parameters, part) in [
        ("gone", json!({}), "no operation gone"),
        ("change", json!({}), "parameter id is missing"),
    ] {
        let answers = [answer(200, &document)];
        let (outcome, _) = check(Target::OpenApi, with(operation, parameters), answers).await;
        let Outcome::Failed(failure) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(!failure.ran && failure.problem.detail.unwrap().contains(part));
    }
}

#[tokio::test]
async fn what_cannot_be_called_says_so() {
    let (outcome, asked) = check(Target::Mcp, json!({}), []).await;
    assert!(matches!(outcome, Outcome::Failed(failure) if !failure.ran && !failure.transient));
    let with = json!({
        "method": "get", "endpoint": "https://h.example/",
        "authentication": {"oauth2": {"authority": "https://a"}},
    });
    let (outcome, more) = check(Target::Http, with, []).await;
    assert!(matches!(outcome, Outcome::Failed(failure) if !failure.ran));
    assert!(asked.is_empty() && more.is_empty());
}
