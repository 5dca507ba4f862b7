//! Same key, same effect, whatever happens between.

use crate::direct::{call, call_with};
use serde_json::json;
use shared::error::Code;
use shared::testkit::{HubCall, TestSpoke, outcome};
use shared::tool::Effect;

#[tokio::test]
async fn a_resend_gets_the_stored_result_and_the_body_runs_once() {
    let spoke = TestSpoke::start().await;
    let mut hub = spoke.client().await;
    let add = HubCall::new("test.add", &json!({"amount": 2})).key("k");
    let add = hub.approve(add, Effect::Mutate);
    assert_eq!(hub.call(&add).await.unwrap()["total"], 2);
    // The hub resends under the same grant: the ledger answers, the nonce is no obstacle.
    assert_eq!(hub.call(&add).await.unwrap()["total"], 2);
    let spoke = spoke.restart().await;
    let mut hub = spoke.client().await;
    assert_eq!(hub.call(&add).await.unwrap()["total"], 2);
    assert_eq!(spoke.script.runs("test.add"), 1);

    let other = HubCall::new("test.add", &json!({"amount": 3}))
        .key("k")
        .waived();
    assert_eq!(hub.call(&other).await.unwrap_err().code, Code::Conflict);
    // The same nonce under another key is a second use.
    let mut second = add;
    second.key = "l".into();
    assert_eq!(
        hub.call(&second).await.unwrap_err().code,
        Code::ApprovalInvalid
    );
    assert_eq!(spoke.script.total(), 2);
}

#[tokio::test]
async fn a_change_in_flight_is_a_conflict_and_an_interrupted_one_is_unknown() {
    let spoke = TestSpoke::start().await;
    let mut hub = spoke.client().await;
    for (tool, key) in [("test.add", "a"), ("test.set", "b")] {
        let call = HubCall::new(tool, &json!({"amount": 7, "wait": true}))
            .key(key)
            .waived();
        let request = hub.identity.request(&hub.spoke, &call);
        let events = hub.send(request).await.unwrap();
        spoke.script.waiting().await;
        let error = hub.call(&call).await.unwrap_err();
        assert_eq!((error.code, error.retryable), (Code::Conflict, true));
        drop(events);
        spoke.script.dropped().await;
    }
    let add = HubCall::new("test.add", &json!({"amount": 7, "wait": true}))
        .key("a")
        .waived();
    let error = settled(&mut hub, &add).await;
    assert_eq!(error.code, Code::OutcomeUnknown);
    // An idempotent tool may run again.
    let set = HubCall::new("test.set", &json!({"amount": 7, "wait": true}))
        .key("b")
        .waived();
    spoke.script.release();
    let request = hub.identity.request(&hub.spoke, &set);
    let events = hub.send(request).await.unwrap();
    assert_eq!(outcome(events).await.unwrap()["total"], 7);
    assert_eq!(spoke.script.runs("test.add"), 1);
}

/// The row of a dropped call is given back with its future, shortly after its body is dropped.
async fn settled(hub: &mut shared::testkit::HubClient, call: &HubCall) -> shared::tool::ToolError {
    for _ in 0..1000 {
        let error = hub.call(call).await.unwrap_err();
        if error.code != Code::Conflict {
            return error;
        }
    }
    panic!("the call stays in flight");
}

#[tokio::test]
async fn keys_work_without_a_hub_too() {
    let spoke = TestSpoke::start().await;
    let meta = json!({"waygate/idempotencyKey": "k"});
    let first = call_with(&spoke, "test.note", json!({"text": "x"}), meta.clone()).await;
    let second = call_with(&spoke, "test.note", json!({"text": "x"}), meta).await;
    assert_eq!(first.structured(), second.structured());
    assert_eq!(second.body["result"]["_meta"]["waygate/replayed"], true);
    call(&spoke, "test.note", json!({"text": "x"})).await;
    assert_eq!(spoke.script.runs("test.note"), 2);
}
