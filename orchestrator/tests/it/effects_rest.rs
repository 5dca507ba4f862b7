//! Changes whose outcome was lost: refused when they are repeated, seen and settled by people.

use crate::hub::TestHub;
use http::StatusCode;
use serde_json::{Value, json};

/// A change of the own store that waits until it is released.
fn waits() -> Value {
    json!({"action": "execute", "params": {"tool": "test.note", "arguments": {"wait": true}}, "timeout": 1})
}

async fn execute(hub: &TestHub, body: &Value) -> Value {
    hub.post("/mcp/execute", &hub.user, body).await.json()
}

async fn lost(hub: &TestHub, body: &Value) -> String {
    let answer = execute(hub, body).await;
    assert_eq!(answer["status"], "timeout", "{answer}");
    let effects = hub.get("/api/effects", &hub.user).await.json();
    assert_eq!(effects["meta"]["total"], 1, "{effects}");
    effects["data"][0]["effect_id"].as_str().unwrap().to_owned()
}

async fn resolve(hub: &TestHub, key: &str, id: &str, body: Value) -> (StatusCode, Value) {
    let path = format!("/api/effects/{id}/resolve");
    let answer = hub.post(&path, key, &body).await;
    (answer.status, answer.json())
}

/// Acceptance: 349
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_change_without_a_key_is_not_made_again_by_itself() {
    let hub = TestHub::start().await;
    let id = lost(&hub, &waits()).await;
    let again = execute(&hub, &waits()).await;
    assert!(again.to_string().contains("OUTCOME_UNKNOWN"), "{again}");
    assert_eq!(hub.script.runs("test.note"), 1);
    let other = hub.key(&["read", "execute"]).await;
    let seen = hub.get(&format!("/api/effects/{id}"), &other).await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
    let found = json!({"outcome": "retry", "reason": "looked at the note: it is not there"});
    let (status, _) = resolve(&hub, &hub.user, &id, found.clone()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, body) = resolve(
        &hub,
        &hub.admin,
        &id,
        json!({"outcome": "retry", "reason": " "}),
    )
    .await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    let (status, body) = resolve(&hub, &hub.admin, &id, found.clone()).await;
    assert_eq!(
        (status, &body["data"]["state"]),
        (StatusCode::OK, &json!("free"))
    );
    let (status, _) = resolve(&hub, &hub.admin, &id, found).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    // The first body was dropped at its time limit; this one is let go on.
    hub.script.waiting().await;
    hub.script.release();
    let last = execute(&hub, &waits()).await;
    assert_eq!(last["status"], "success", "{last}");
    assert_eq!(hub.script.runs("test.note"), 2);
    let audit = hub
        .get("/api/admin/audit?limit=100", &hub.admin)
        .await
        .json();
    assert!(audit.to_string().contains("effect.resolved"), "{audit}");
}

/// Acceptance: 349
#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_found_out_is_what_a_repetition_gets() {
    let hub = TestHub::start().await;
    let mut body = waits();
    body["context"] = json!({"idempotency_key": "note-1"});
    let id = lost(&hub, &body).await;
    let found = json!({"outcome": "succeeded", "reason": "it is there",
        "result": {"text": "noted", "total": 0}});
    let (status, answer) = resolve(&hub, &hub.admin, &id, found).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let again = execute(&hub, &body).await;
    assert_eq!(again["result"]["text"], "noted", "{again}");
    assert_eq!(hub.script.runs("test.note"), 1);
}

/// Two equal changes that both got their answers are two changes.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_change_twice_is_made_twice() {
    let hub = TestHub::start().await;
    let body =
        json!({"action": "execute", "params": {"tool": "test.note", "arguments": {"text": "a"}}});
    for _ in 0..2 {
        assert_eq!(execute(&hub, &body).await["status"], "success");
    }
    assert_eq!(hub.script.runs("test.note"), 2);
}
