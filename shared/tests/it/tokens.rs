//! Calls from the hub: what vouches for them, and that nothing runs without it.

use proto::spoke::CallRequest;
use serde_json::json;
use shared::call_token::{Authority, Claims};
use shared::error::Code;
use shared::testkit::{HubCall, HubClient, HubIdentity, TestSpoke, outcome};
use shared::tool::{Effect, ToolError};
use std::time::Duration;

async fn refused(hub: &mut HubClient, request: CallRequest) -> ToolError {
    let events = hub.send(request).await.unwrap();
    outcome(events).await.unwrap_err()
}

/// Acceptance: 339
#[tokio::test]
async fn a_token_for_anything_else_is_refused_and_the_body_does_not_run() {
    let spoke = TestSpoke::start().await;
    let mut hub = spoke.client().await;
    let call = HubCall::new("test.add", &json!({"amount": 1}))
        .key("k")
        .waived();
    let changes: [fn(&mut Claims); 9] = [
        |claims| claims.tool = "test.set".into(),
        |claims| claims.args = "00".into(),
        |claims| claims.aud = "12_cmdb_mcp".into(),
        |claims| claims.boot_id = "another".into(),
        |claims| claims.sub = "key:2".into(),
        |claims| claims.cid = "another".into(),
        |claims| claims.key = "another".into(),
        |claims| claims.exp = claims.iat - 60,
        |claims| claims.exp = claims.iat + 31,
    ];
    for change in changes {
        let mut claims = hub.identity.claims(&hub.spoke, &call);
        change(&mut claims);
        let token = hub.identity.sign(&claims);
        let error = refused(&mut hub, HubIdentity::request_with(&call, token)).await;
        assert!(
            matches!(error.code, Code::TokenInvalid | Code::TokenExpired),
            "{error}"
        );
        assert!(error.did_not_run);
    }
    let other = HubIdentity::generate();
    let stolen = other.request(&hub.spoke, &call);
    assert_eq!(refused(&mut hub, stolen).await.code, Code::TokenInvalid);
    let none = HubIdentity::request_with(&call, String::new());
    assert_eq!(refused(&mut hub, none).await.code, Code::TokenInvalid);
    assert_eq!(spoke.script.all_runs(), 0);

    let request = hub.identity.request(&hub.spoke, &call);
    let events = hub.send(request.clone()).await.unwrap();
    assert_eq!(outcome(events).await.unwrap()["total"], 1);
    assert_eq!(refused(&mut hub, request).await.code, Code::TokenInvalid);
    assert_eq!(spoke.script.all_runs(), 1);
}

/// Acceptance: 339
#[tokio::test]
async fn other_arguments_than_the_signed_ones_do_not_run() {
    let spoke = TestSpoke::start().await;
    let mut hub = spoke.client().await;
    let call = HubCall::new("test.echo", &json!({"text": "a"}));
    let mut request = hub.identity.request(&hub.spoke, &call);
    request.arguments_json = r#"{"text":"b"}"#.into();
    assert_eq!(refused(&mut hub, request).await.code, Code::TokenInvalid);
    // The same arguments in another spelling are the same arguments.
    let mut request = hub.identity.request(&hub.spoke, &call);
    request.arguments_json = "{ \"times\" : 1, \"text\": \"\\u0061\" }".into();
    let events = hub.send(request).await.unwrap();
    assert_eq!(outcome(events).await.unwrap()["text"], "a");
    assert_eq!(spoke.script.all_runs(), 1);
}

/// Acceptance: 339
#[tokio::test]
async fn a_token_from_before_a_restart_is_for_another_process() {
    let spoke = TestSpoke::start().await;
    let before = spoke.client().await;
    let spoke = spoke.restart().await;
    let mut hub = spoke.client().await;
    let call = HubCall::new("test.echo", &json!({}));
    let old = before.identity.request(&before.spoke, &call);
    let error = refused(&mut hub, old).await;
    assert_eq!(error.code, Code::TokenInvalid);
    assert!(error.retryable && error.did_not_run);
}

#[tokio::test]
async fn without_a_hub_key_the_grpc_door_runs_nothing() {
    let spoke = TestSpoke::with(&[("WAYGATE_CALL_PUBLIC_KEY_PATH", "")]).await;
    let mut hub = spoke.client().await;
    let error = hub
        .call(&HubCall::new("test.echo", &json!({})))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::NotConfigured);
    assert!(
        error.message.contains("WAYGATE_CALL_PUBLIC_KEY_PATH"),
        "{error}"
    );
    assert_eq!(spoke.script.all_runs(), 0);
}

#[tokio::test]
async fn a_change_needs_authority_and_critical_work_is_never_waived() {
    let spoke = TestSpoke::start().await;
    let mut hub = spoke.client().await;
    let add = HubCall::new("test.add", &json!({"amount": 5}));
    let destroy = HubCall::new("test.destroy", &json!({}));
    let judged = HubCall::new("test.judge", &json!({"change": true}));
    for call in [
        add.clone(),
        destroy.clone(),
        destroy.clone().waived(),
        judged.clone(),
    ] {
        let error = hub.call(&call).await.unwrap_err();
        assert_eq!(error.code, Code::ApprovalRequired, "{}", call.tool);
    }
    assert_eq!(spoke.script.all_runs(), 0);
    hub.call(&add.clone().waived()).await.unwrap();
    hub.call(&judged.waived()).await.unwrap();
    hub.call(&HubCall::new("test.judge", &json!({})))
        .await
        .unwrap();
    hub.call(&HubCall::new("test.note", &json!({})))
        .await
        .unwrap();
    let approved = hub.approve(destroy, Effect::Critical);
    hub.call(&approved).await.unwrap();
    assert_eq!(spoke.script.total(), 0);
}

#[tokio::test]
async fn a_grant_fits_one_call_of_its_effect_once() {
    let spoke = TestSpoke::start().await;
    let mut hub = spoke.client().await;
    let destroy = HubCall::new("test.destroy", &json!({}));
    let too_weak = hub.approve(destroy.clone(), Effect::Mutate);
    let mut altered = hub.approve(destroy.clone(), Effect::Critical);
    altered
        .grant
        .as_mut()
        .unwrap()
        .approvers
        .push("user:3".into());
    let mut unnamed = hub.approve(destroy.clone(), Effect::Critical);
    unnamed.authority = Some(Authority::Approval("apr_other".into()));
    let mut late = hub.approve(destroy.clone(), Effect::Critical);
    spoke.clock.advance(Duration::from_secs(300));
    late.now += 300;
    for mut call in [too_weak, altered, unnamed] {
        call.now = late.now;
        let error = hub.call(&call).await.unwrap_err();
        assert_eq!(error.code, Code::ApprovalInvalid);
    }
    assert_eq!(
        hub.call(&late).await.unwrap_err().code,
        Code::ApprovalInvalid
    );

    let mut destroy = destroy;
    destroy.now = late.now;
    spoke.script.set_ready(false);
    let approved = hub.approve(destroy, Effect::Critical);
    let error = hub.call(&approved).await.unwrap_err();
    assert_eq!(error.code, Code::NotReady);
    assert_eq!(spoke.script.all_runs(), 0);
    spoke.script.set_ready(true);
    hub.call(&approved).await.unwrap();
    assert_eq!(
        hub.call(&approved).await.unwrap_err().code,
        Code::ApprovalInvalid
    );
    assert_eq!(spoke.script.all_runs(), 1);
}
