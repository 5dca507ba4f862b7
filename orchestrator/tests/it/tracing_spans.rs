//! The spans of tool calls, as a collector would get them.

use crate::hub::TestHub;
use serde_json::json;
use shared::testkit::Traces;
use std::sync::Arc;

/// Acceptance: 207
#[tokio::test]
async fn a_call_leaves_a_span_with_its_outcome_and_without_secrets() {
    let hub = TestHub::start().await;
    let redactor = &hub.hub.gateway.redactor;
    redactor.learn("DB", &"planted-value".into());
    let traces = Traces::start(Arc::clone(redactor));
    let echoed = hub
        .call(
            "test_echo",
            json!({"text": "the password=opensesame of planted-value"}),
        )
        .await;
    assert_eq!(echoed["isError"], false, "{echoed}");
    let failed = hub.call("test_fail", json!({})).await;
    assert_eq!(failed["isError"], true, "{failed}");
    let spans = traces.spans("execute_command");
    let [good, bad] = spans.as_slice() else {
        panic!("not two spans: {spans:?}");
    };
    assert_eq!(good.attributes["command.action"], "test.echo");
    assert_eq!(good.attributes["command.status"], "ok");
    assert!(
        good.attributes["command.params"].contains("\"text\""),
        "{good:?}"
    );
    assert_eq!(good.error, None);
    assert_eq!(bad.attributes["command.action"], "test.fail");
    assert_eq!(bad.attributes["command.status"], "failed");
    assert!(!bad.attributes["exception.type"].is_empty());
    assert!(!bad.attributes["exception.message"].is_empty());
    assert!(bad.error.is_some());
    let shown = format!("{spans:?}");
    for secret in ["opensesame", "planted-value"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
