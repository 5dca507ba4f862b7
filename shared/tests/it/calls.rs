//! One call: its result, its failures, its time, its end.

use crate::direct::{call, client, request};
use futures::StreamExt;
use proto::spoke::call_event::Event;
use serde_json::{Value, json};
use shared::error::Code;
use shared::testkit::{HubCall, SPOKE_TOKEN, TestSpoke, outcome};

#[tokio::test]
async fn failures_are_structured_and_do_not_leak() {
    let spoke = TestSpoke::start().await;
    let failed = call(&spoke, "test.fail", json!({"code": "BAD_GATEWAY"})).await;
    assert_eq!(failed.body["result"]["isError"], true);
    assert_eq!(
        failed.structured()["error"],
        json!({
            "code": "BAD_GATEWAY",
            "message": "as the test says",
            "details": {},
            "retryable": false,
        })
    );
    let text = failed.body["result"]["content"][0]["text"]
        .as_str()
        .unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(text).unwrap(),
        *failed.structured()
    );

    for tool in ["test.panic", "test.lie"] {
        let failed = call(&spoke, tool, json!({})).await;
        assert_eq!(failed.error_code(), "INTERNAL_ERROR", "{tool}");
        assert!(!failed.body.to_string().contains("secret of the panic"));
    }
    assert_eq!(call(&spoke, "test.echo", json!({})).await.error_code(), "");
}

#[tokio::test]
async fn a_result_comes_structured_and_as_the_same_text() {
    let spoke = TestSpoke::start().await;
    let said = call(&spoke, "test.echo", json!({"text": "ä"})).await;
    assert_eq!(said.body["result"]["isError"], false);
    let text = said.body["result"]["content"][0]["text"].as_str().unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(text).unwrap(),
        *said.structured()
    );
}

#[tokio::test]
async fn a_result_over_the_cap_is_an_error_that_says_so() {
    let spoke = TestSpoke::with(&[("WAYGATE_SPOKE_MAX_RESULT_SIZE", "1000")]).await;
    let fits = call(&spoke, "test.echo", json!({"text": "x", "times": 900})).await;
    assert_eq!(fits.error_code(), "");
    let large = call(&spoke, "test.echo", json!({"text": "x", "times": 1001})).await;
    assert_eq!(large.error_code(), "PAYLOAD_TOO_LARGE");
    let mut hub = spoke.client().await;
    let large = HubCall::new("test.echo", &json!({"text": "x", "times": 1001}));
    let error = hub.call(&large).await.unwrap_err();
    assert_eq!(error.code, Code::PayloadTooLarge);
    assert!(!error.did_not_run);
}

#[tokio::test]
async fn the_deadline_ends_the_body() {
    let spoke = TestSpoke::start().await;
    let mut hub = spoke.client().await;
    let mut slow = HubCall::new("test.slow", &json!({}));
    slow.deadline_ms = 50;
    assert_eq!(hub.call(&slow).await.unwrap_err().code, Code::Timeout);
    spoke.script.dropped().await;
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_the_body() {
    let spoke = TestSpoke::start().await;
    let mut hub = spoke.client().await;
    let slow = hub
        .identity
        .request(&hub.spoke, &HubCall::new("test.slow", &json!({})));
    let events = hub.send(slow).await.unwrap();
    spoke.script.waiting().await;
    drop(events);
    spoke.script.dropped().await;

    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "test_slow", "arguments": {}},
    });
    let pending = request(&spoke)
        .bearer_auth(SPOKE_TOKEN)
        .body(message.to_string())
        .send();
    tokio::select! {
        _ = pending => panic!("nobody released it"),
        () = spoke.script.waiting() => {}
    }
    spoke.script.dropped().await;
}

/// Acceptance: 337
#[tokio::test]
async fn progress_reaches_both_doors() {
    let spoke = TestSpoke::start().await;
    let mut hub = spoke.client().await;
    let slow = hub
        .identity
        .request(&hub.spoke, &HubCall::new("test.slow", &json!({})));
    let mut events = hub.send(slow).await.unwrap();
    let first = events.next().await.unwrap().unwrap().event;
    assert!(matches!(first, Some(Event::Progress(p)) if p.done == 1.0 && p.message == "half"));
    spoke.script.release();
    outcome(events).await.unwrap();

    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "test_slow", "arguments": {}, "_meta": {"progressToken": "p"}},
    });
    let request = request(&spoke).bearer_auth(SPOKE_TOKEN);
    let mut answer = request.body(message.to_string()).send().await.unwrap();
    let mut seen = String::new();
    while !seen.contains("notifications/progress") {
        let chunk = answer.chunk().await.unwrap().unwrap();
        seen.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    spoke.script.release();
    while let Some(chunk) = answer.chunk().await.unwrap() {
        seen.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    assert!(seen.contains("structuredContent"), "{seen}");
}

#[tokio::test]
async fn calls_at_once_are_bounded() {
    let spoke = TestSpoke::with(&[("WAYGATE_SPOKE_MAX_CALLS", "1")]).await;
    let mut hub = spoke.client().await;
    let slow = hub
        .identity
        .request(&hub.spoke, &HubCall::new("test.slow", &json!({})));
    let events = hub.send(slow).await.unwrap();
    spoke.script.waiting().await;
    let refused = call(&spoke, "test.echo", json!({})).await;
    assert_eq!(refused.error_code(), "SERVICE_UNAVAILABLE");
    assert_eq!(refused.structured()["error"]["retry_after_ms"], 1000);
    spoke.script.release();
    outcome(events).await.unwrap();
    assert_eq!(call(&spoke, "test.echo", json!({})).await.error_code(), "");
}

#[tokio::test]
async fn calls_and_errors_are_counted() {
    let spoke = TestSpoke::start().await;
    call(&spoke, "test.echo", json!({})).await;
    call(&spoke, "test.nothing", json!({})).await;
    call(&spoke, "test.fail", json!({"code": "RATE_LIMITED"})).await;
    call(&spoke, "test.add", json!({})).await;
    let metrics = client().get(spoke.url("/metrics")).send().await.unwrap();
    let text = metrics.text().await.unwrap();
    for line in [
        r#"mcp_requests_total{service="99_test_mcp",tool="test.echo"} 1"#,
        r#"mcp_requests_total{service="99_test_mcp",tool="unknown"} 1"#,
        r#"mcp_request_duration_seconds_count{service="99_test_mcp",tool="test.echo"} 1"#,
        r#"mcp_errors_total{error_type="validation",service="99_test_mcp"} 1"#,
        r#"mcp_errors_total{error_type="rate_limited",service="99_test_mcp"} 1"#,
        r#"mcp_errors_total{error_type="denied",service="99_test_mcp"} 1"#,
        r#"mcp_service_health{service="99_test_mcp"} 1"#,
        "process_resident_memory_bytes",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

/// Acceptance: 354
#[tokio::test]
async fn stopping_lets_calls_in_flight_end() {
    let spoke = TestSpoke::start().await;
    let mut hub = spoke.client().await;
    let slow = hub
        .identity
        .request(&hub.spoke, &HubCall::new("test.slow", &json!({})));
    let events = hub.send(slow).await.unwrap();
    spoke.script.waiting().await;
    let address = spoke.running.address;
    let stopping = spoke.running.stop();
    let ending = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        spoke.script.release();
        outcome(events).await
    };
    let (leftover, ended) = tokio::join!(stopping, ending);
    assert!(ended.is_ok(), "{ended:?}");
    assert!(leftover.is_empty(), "{leftover:?}");
}
