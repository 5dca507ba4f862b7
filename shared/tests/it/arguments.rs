//! Arguments that are not arguments: refused at either door, and the body does not run.

use crate::direct::{call, post};
use serde_json::json;
use shared::error::Code;
use shared::testkit::{HubCall, TestSpoke};

/// Acceptance: 101
#[tokio::test]
async fn violations_name_the_field_and_the_body_does_not_run() {
    let spoke = TestSpoke::start().await;
    let mut hub = spoke.client().await;
    for (arguments, field) in [
        (json!({"text": 7}), "text"),
        (json!({"times": 0}), "times"),
        (json!({"txt": "x"}), "txt"),
        (json!({"times": "1"}), "times"),
    ] {
        let answer = call(&spoke, "test.echo", arguments.clone()).await;
        assert_eq!(answer.rpc_code(), -32602);
        assert_eq!(answer.body["error"]["data"]["field"], field);
        let error = hub
            .call(&HubCall::new("test.echo", &arguments))
            .await
            .unwrap_err();
        assert_eq!(error.code, Code::InvalidInput);
        assert!(error.did_not_run);
        assert_eq!(error.details.unwrap()["field"], field);
    }
    let unknown = call(&spoke, "test.nothing", json!({})).await;
    assert_eq!(unknown.rpc_code(), -32602);
    assert_eq!(spoke.script.all_runs(), 0);
}

/// Acceptance: 101
#[tokio::test]
async fn json_that_two_readers_could_read_differently_is_refused() {
    let spoke = TestSpoke::start().await;
    let message = |arguments: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call",
                "params":{{"name":"test_echo","arguments":{arguments}}}}}"#
        )
    };
    let deep = format!("{}1{}", r#"{"a":"#.repeat(80), "}".repeat(80));
    for (body, code) in [
        (message(r#"{"text":"a","text":"b"}"#), -32700),
        (message(r#"{"text":"\u0000"}"#), -32700),
        (message(&deep), -32700),
        (message("{"), -32700),
        ("[]".to_owned(), -32600),
    ] {
        let answer = post(&spoke, body).await;
        assert_eq!(
            (answer.status, answer.rpc_code()),
            (400, code),
            "{}",
            answer.body
        );
    }
    let mut hub = spoke.client().await;
    let mut call = HubCall::new("test.echo", &json!({}));
    for arguments in [
        r#"{"text":"a","text":"b"}"#,
        &deep,
        "[]",
        "{\"text\":\"\u{0}\"}",
    ] {
        arguments.clone_into(&mut call.arguments);
        assert_eq!(hub.call(&call).await.unwrap_err().code, Code::InvalidInput);
    }
    assert_eq!(spoke.script.all_runs(), 0);
}
