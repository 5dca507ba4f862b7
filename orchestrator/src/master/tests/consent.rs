//! Approvals, as a model sees them.

use super::*;
use crate::approvals::{Approval, ApprovalRequest, Said, Verdict};
use crate::caller::testing::{caller, permissions, principal};
use crate::policy::{Decision, Policy, Request};
use shared::tool::Assessment;

/// Asks for a change, as `who`.
async fn asked(hub: &Hub, who: &str) -> Approval {
    let caller = caller(principal(who));
    let tool = ToolId::parse("cmdb.local.addServer").unwrap();
    let arguments = json!({"hostname": "web-1"});
    let hash: Arc<str> = shared::arguments::hash(&arguments).into();
    let request = Request {
        caller: &caller,
        tool: &tool,
        service: "12_cmdb_mcp",
        effect: Effect::Mutate,
        arguments: Some(&arguments),
        arguments_hash: &hash,
        now: 0,
    };
    let policy = Policy::parse(include_str!("../../../../config/policies.yaml")).unwrap();
    let Decision::Ask(ask) = policy.decide(&request) else {
        panic!("the shipped policy asks before a change")
    };
    let assessment = Assessment::of(Effect::Mutate, "Add web-1.");
    let request = ApprovalRequest {
        caller: &caller,
        ask: &ask,
        tool: &tool,
        service: &"12_cmdb_mcp".into(),
        effect: Effect::Mutate,
        arguments: &arguments,
        arguments_hash: &hash,
        assessment: &assessment,
    };
    hub.approvals.request(request).await.unwrap()
}

async fn approve(hub: &Hub, id: &str) {
    let mut approver = principal("key:boss");
    approver.permissions = permissions("read approvals:approve");
    let decided = hub
        .approvals
        .decide(id, &approver, Said::plain(Verdict::Approve, None));
    decided.await.unwrap();
}

#[tokio::test]
async fn a_requester_sees_its_request_and_gets_the_token_once_approved() {
    let hub = hub().await;
    let id = asked(&hub, "key:1").await.id;
    let own = json!({ "request_id": id });
    let seen = hub
        .call_by("key:1", "approvals.get", own.clone())
        .await
        .unwrap();
    assert_eq!(
        (&seen["state"], &seen["token"]),
        (&json!("pending"), &Value::Null)
    );
    let other = hub
        .call_by("key:2", "approvals.get", own.clone())
        .await
        .unwrap_err();
    assert!(other.contains("NOT_FOUND"), "{other}");
    approve(&hub, &id).await;
    let seen = hub.call_by("key:1", "approvals.get", own).await.unwrap();
    assert_eq!(seen["state"], "approved");
    assert!(seen["token"].is_string());
}

#[tokio::test]
async fn lists_show_one_state_of_ones_own() {
    let hub = hub().await;
    let id = asked(&hub, "key:1").await.id;
    let count = async |who, arguments| {
        let listed = hub.call_by(who, "approvals.list", arguments).await.unwrap();
        listed["count"].as_u64().unwrap()
    };
    assert_eq!(count("key:1", json!({})).await, 1);
    assert_eq!(count("key:2", json!({})).await, 0);
    assert_eq!(count("key:1", json!({"state": "approved"})).await, 0);
    approve(&hub, &id).await;
    assert_eq!(
        count("key:1", json!({"state": "approved", "limit": 1})).await,
        1
    );
    let wrong = hub
        .call("approvals.list", json!({"state": "open"}))
        .await
        .unwrap_err();
    assert!(wrong.contains("INVALID_INPUT"), "{wrong}");
}

#[tokio::test]
async fn waiting_ends_with_the_decision_or_the_timeout() {
    let hub = hub().await;
    let id = asked(&hub, "key:1").await.id;
    let wait = |timeout: u32| {
        let arguments = json!({"request_id": id, "timeout": timeout});
        hub.call_by("key:1", "approvals.wait", arguments)
    };
    let began = Instant::now();
    assert_eq!(wait(1).await.unwrap()["state"], "pending");
    assert!(began.elapsed() >= Duration::from_secs(1));
    let (seen, ()) = tokio::join!(wait(60), approve(&hub, &id));
    assert_eq!(seen.unwrap()["state"], "approved");
    assert!(began.elapsed() < Duration::from_secs(10));
}
