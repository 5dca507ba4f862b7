//! Values a tool's schema hides, and tokens that stand among the arguments.

use crate::hub::TestHub;
use serde_json::{Value, json};

const HIDDEN: &str = "hunter2 in plain";

fn structured(answer: &Value) -> &Value {
    &answer["structuredContent"]
}

async fn approved_token(hub: &TestHub, asked: &Value) -> String {
    let id = structured(asked)["approval"]["request_id"].as_str();
    let id = id.unwrap_or_else(|| panic!("{asked}")).to_owned();
    let path = format!("/api/approvals/{id}");
    let shown = hub.get(&path, &hub.admin).await.json();
    let text = shown.to_string();
    assert!(
        text.contains("[redacted]") && !text.contains(HIDDEN),
        "{text}"
    );
    let approve = format!("{path}/approve");
    let approved = hub.post(&approve, &hub.admin, &json!({})).await;
    assert_eq!(approved.status, 200, "{:?}", approved.json());
    let mine = hub.get(&path, &hub.user).await.json();
    mine["data"]["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn hidden_values_are_in_no_approval_and_no_audit_row() {
    let hub = TestHub::start().await;
    let arguments = json!({"amount": 4, "entry": HIDDEN});
    let asked = hub.call("test.add", arguments.clone()).await;
    let token = approved_token(&hub, &asked).await;
    let params = json!({"name": "test.add", "arguments": arguments, "_meta": {"waygate/approvalToken": token}});
    let done = hub.modern("tools/call", params).await.json();
    assert_eq!(structured(&done["result"])["total"], 4, "{done}");
    hub.call("test.echo", json!({"text": "a", "entry": HIDDEN}))
        .await;
    let rows = hub.get("/api/admin/audit?limit=100", &hub.admin).await;
    assert_eq!(rows.status, 200);
    let rows = rows.json().to_string();
    assert!(rows.contains("test.add"), "{rows}");
    assert!(!rows.contains(HIDDEN), "{rows}");
}

#[tokio::test]
async fn a_token_among_the_arguments_counts_like_one_beside_them() {
    let hub = TestHub::start().await;
    let plain = json!({"amount": 4, "entry": HIDDEN});
    let asked = hub.call("test.add", plain.clone()).await;
    let token = approved_token(&hub, &asked).await;
    let with = |token: &str, amount: i64| {
        let mut arguments = plain.clone();
        arguments["approval_token"] = json!(token);
        arguments["amount"] = json!(amount);
        arguments
    };
    for wrong in [with("made up", 4), with(&token, 5)] {
        let refused = hub.call("test.add", wrong).await;
        assert_eq!(
            structured(&refused)["error"]["code"],
            "APPROVAL_INVALID",
            "{refused}"
        );
    }
    let done = hub.call("test.add", with(&token, 4)).await;
    assert_eq!(structured(&done)["total"], 4, "{done}");
    let twice = hub.call("test.add", with(&token, 4)).await;
    assert_eq!(
        structured(&twice)["error"]["code"],
        "APPROVAL_INVALID",
        "{twice}"
    );
    assert_eq!(hub.script.total(), 4);
}
