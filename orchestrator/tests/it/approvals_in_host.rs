//! Approvals where the user is: a page the client can open.

use crate::hub::{Answer, TestHub, a};
use axum::body::Body;
use orchestrator::limits::LimitsConfig;
use orchestrator::transport::HttpSettings;
use serde_json::{Value, json};

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

async fn hub() -> TestHub {
    let settings = HttpSettings {
        public_url: "https://hub.example".into(),
        ..HttpSettings::default()
    };
    TestHub::with(settings, LimitsConfig::default()).await
}

async fn call(hub: &TestHub, more: &Value) -> Value {
    let mut params = json!({
        "name": "test.add",
        "arguments": {"amount": 5},
        "_meta": {CAPABILITIES: {"elicitation": {"url": {}}}},
    });
    let object = params.as_object_mut().unwrap();
    object.extend(more.as_object().unwrap().clone());
    hub.modern("tools/call", params).await.json()["result"].clone()
}

/// Sends the page's form.
async fn decide(hub: &TestHub, path: &str, key: &str, action: &str) -> Answer {
    let form = format!("key={key}&action={action}&note=fine");
    let request = a("POST", path, "").header("content-type", "application/x-www-form-urlencoded");
    hub.send(request.body(Body::from(form)).unwrap()).await
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_client_that_opens_pages_is_sent_to_one_and_its_yes_is_not_the_approval() {
    let hub = hub().await;
    let asked = call(&hub, &json!({})).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let request = &asked["inputRequests"]["approval"];
    assert_eq!(request["method"], "elicitation/create");
    assert_eq!(request["params"]["mode"], "url");
    let url = request["params"]["url"].as_str().unwrap();
    let page = url.strip_prefix("https://hub.example").unwrap();
    let state = &asked["requestState"];
    assert_eq!(hub.script.total(), 0);

    let empty = hub.get(page, "").await;
    assert_eq!(empty.status, 200);
    assert!(!text(&empty).contains("test.add"));
    let shown = text(&decide(&hub, page, &hub.admin, "show").await);
    assert!(
        shown.contains("test.add") && shown.contains("/amount = 5"),
        "{shown}"
    );
    let own = text(&decide(&hub, page, &hub.user, "approve").await);
    assert!(own.contains("Not done"), "{own}");
    let wrong = decide(&hub, page, "nonsense", "approve").await;
    assert!(!text(&wrong).contains("test.add"));

    let responses = json!({"approval": {"action": "accept"}});
    let again = json!({"requestState": state, "inputResponses": responses});
    let (done, decided) = tokio::join!(
        call(&hub, &again),
        decide(&hub, page, &hub.admin, "approve")
    );
    assert!(text(&decided).contains("recorded"));
    assert_eq!(done["structuredContent"]["total"], 5, "{done}");
    assert_eq!(hub.script.total(), 5);
}

#[tokio::test]
async fn a_client_that_declines_to_open_the_page_gets_the_approval_to_wait_for() {
    let hub = hub().await;
    let asked = call(&hub, &json!({})).await;
    let responses = json!({"approval": {"action": "decline"}});
    let again = json!({"requestState": asked["requestState"], "inputResponses": responses});
    let answer = call(&hub, &again).await;
    let error = &answer["structuredContent"]["error"]["code"];
    assert_eq!(error, "APPROVAL_REQUIRED", "{answer}");
    assert_eq!(hub.script.total(), 0);
}

#[tokio::test]
async fn a_state_is_good_for_its_own_request_once() {
    let hub = hub().await;
    let asked = call(&hub, &json!({})).await;
    let state = asked["requestState"].as_str().unwrap();
    for (changed, arguments) in [
        (format!("{state}x"), json!({"amount": 5})),
        (state.to_owned(), json!({"amount": 6})),
    ] {
        let params = json!({"name": "test.add", "arguments": arguments, "requestState": changed});
        let refused = hub.modern("tools/call", params).await.json();
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
    }
    assert_eq!(hub.script.total(), 0);
}
