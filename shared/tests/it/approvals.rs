//! A spoke alone: reads run, changes wait for a person on its host.

use crate::direct::{Answer, call, call_with};
use serde_json::{Value, json};
use shared::testkit::TestSpoke;
use std::time::Duration;

fn approval(answer: &Answer) -> &Value {
    assert_eq!(answer.error_code(), "APPROVAL_REQUIRED");
    assert_eq!(answer.body["result"]["isError"], true);
    &answer.structured()["approval"]
}

async fn with_token(spoke: &TestSpoke, tool: &str, arguments: Value, token: &Value) -> Answer {
    let meta = json!({"waygate/approvalToken": token});
    call_with(spoke, tool, arguments, meta).await
}

/// Acceptance: 340
#[tokio::test]
async fn a_change_waits_for_the_host_and_runs_once() {
    let spoke = TestSpoke::start().await;
    let amount = json!({"amount": 3});
    let asked = call(&spoke, "test.add", amount.clone()).await;
    let asked = approval(&asked);
    assert_eq!(asked["state"], "pending");
    assert_eq!(asked["summary"], "test.add 3");
    assert_eq!(asked["expires_at"], "2026-11-20T12:15:00Z");
    let id = asked["request_id"].as_str().unwrap();
    let again = call(&spoke, "test.add", amount.clone()).await;
    assert_eq!(
        approval(&again)["request_id"],
        id,
        "the same call is the same request"
    );
    assert!(approval(&again).get("token").is_none());
    assert!(spoke.waiting().await.contains(id));

    spoke.decide(id, true).await.unwrap();
    let approved = call(&spoke, "test.add", amount.clone()).await;
    let token = &approval(&approved)["token"];
    let other = with_token(&spoke, "test.add", json!({"amount": 4}), token).await;
    assert_eq!(other.error_code(), "APPROVAL_INVALID");
    let other = with_token(&spoke, "test.set", amount.clone(), token).await;
    assert_eq!(other.error_code(), "APPROVAL_INVALID");
    assert_eq!(spoke.script.all_runs(), 0);

    let done = with_token(&spoke, "test.add", amount.clone(), token).await;
    assert_eq!(done.structured()["total"], 3);
    let twice = with_token(&spoke, "test.add", amount, token).await;
    assert_eq!(twice.error_code(), "APPROVAL_INVALID");
    assert_eq!(spoke.script.runs("test.add"), 1);
}

/// Acceptance: 340
#[tokio::test]
async fn reads_and_own_changes_run_without_asking() {
    let spoke = TestSpoke::start().await;
    for tool in ["test.echo", "test.note", "test.judge"] {
        assert_eq!(
            call(&spoke, tool, json!({})).await.error_code(),
            "",
            "{tool}"
        );
        assert_eq!(spoke.script.runs(tool), 1);
    }
    let judged = call(&spoke, "test.judge", json!({"change": true})).await;
    assert_eq!(approval(&judged)["effect"], "mutate");
}

/// Acceptance: 340
#[tokio::test]
async fn time_never_says_yes() {
    let spoke = TestSpoke::start().await;
    let asked = call(&spoke, "test.add", json!({})).await;
    let id = approval(&asked)["request_id"].as_str().unwrap().to_owned();
    spoke.clock.advance(Duration::from_secs(900));
    let late = spoke.decide(&id, true).await.unwrap_err();
    assert!(late.contains("expired"), "{late}");

    let asked = call(&spoke, "test.add", json!({})).await;
    let second = approval(&asked)["request_id"].as_str().unwrap().to_owned();
    assert_ne!(id, second);
    spoke.decide(&second, true).await.unwrap();
    let approved = call(&spoke, "test.add", json!({})).await;
    let token = approval(&approved)["token"].clone();
    spoke.clock.advance(Duration::from_secs(300));
    let late = with_token(&spoke, "test.add", json!({}), &token).await;
    assert_eq!(late.error_code(), "APPROVAL_INVALID");

    let asked = call(&spoke, "test.add", json!({})).await;
    let third = approval(&asked)["request_id"].as_str().unwrap().to_owned();
    spoke.decide(&third, false).await.unwrap();
    assert!(spoke.decide(&third, true).await.is_err(), "a no is final");
    assert_eq!(spoke.script.all_runs(), 0);
}

/// Acceptance: 340
#[tokio::test]
async fn requests_survive_a_restart() {
    let spoke = TestSpoke::start().await;
    let asked = call(&spoke, "test.add", json!({"amount": 1})).await;
    let id = approval(&asked)["request_id"].as_str().unwrap().to_owned();
    let spoke = spoke.restart().await;
    spoke.decide(&id, true).await.unwrap();
    let approved = call(&spoke, "test.add", json!({"amount": 1})).await;
    let token = approval(&approved)["token"].clone();
    let done = with_token(&spoke, "test.add", json!({"amount": 1}), &token).await;
    assert_eq!(done.structured()["total"], 1);
}

#[tokio::test]
async fn critical_work_shows_its_readiness_and_is_checked_again() {
    let spoke = TestSpoke::start().await;
    let asked = call(&spoke, "test.destroy", json!({})).await;
    let asked = approval(&asked);
    assert_eq!(asked["readiness"]["ready"], true);
    spoke
        .decide(asked["request_id"].as_str().unwrap(), true)
        .await
        .unwrap();
    let approved = call(&spoke, "test.destroy", json!({})).await;
    let token = approval(&approved)["token"].clone();
    spoke.script.set_ready(false);
    let refused = with_token(&spoke, "test.destroy", json!({}), &token).await;
    assert_eq!(refused.error_code(), "NOT_READY");
    assert_eq!(
        refused.structured()["error"]["details"]["checks"][0]["ok"],
        false
    );
    assert_eq!(spoke.script.all_runs(), 0);
    spoke.script.set_ready(true);
    let done = with_token(&spoke, "test.destroy", json!({}), &token).await;
    assert_eq!(done.error_code(), "");
}

#[tokio::test]
async fn what_a_caller_wrote_cannot_draw_on_the_approvers_terminal() {
    let spoke = TestSpoke::start().await;
    let text = "\u{1b}[2Jpassword: \u{202e}x\nfake line";
    let asked = call(&spoke, "test.add", json!({"text": text})).await;
    approval(&asked);
    let shown = spoke.waiting().await;
    assert!(!shown.contains(['\u{1b}', '\u{202e}']), "{shown}");
    assert!(
        !shown.lines().any(|line| line.starts_with("fake")),
        "{shown}"
    );
}

/// Acceptance: 340
#[tokio::test]
async fn a_token_among_the_arguments_is_a_token_and_hidden_values_stay_hidden() {
    let spoke = TestSpoke::start().await;
    let plain = json!({"amount": 3, "entry": "hunter2 in plain"});
    let asked = call(&spoke, "test.add", plain.clone()).await;
    let id = approval(&asked)["request_id"].as_str().unwrap().to_owned();
    let waiting = spoke.waiting().await;
    assert!(waiting.contains("[redacted]"), "{waiting}");
    assert!(!waiting.contains("hunter2"), "{waiting}");
    spoke.decide(&id, true).await.unwrap();
    let approved = call(&spoke, "test.add", plain.clone()).await;
    let mut with_token = plain;
    with_token["approval_token"] = approval(&approved)["token"].clone();
    let done = call(&spoke, "test.add", with_token.clone()).await;
    assert_eq!(done.structured()["total"], 3, "{}", done.body);
    let twice = call(&spoke, "test.add", with_token).await;
    assert_eq!(twice.error_code(), "APPROVAL_INVALID");
}
