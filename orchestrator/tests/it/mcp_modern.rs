//! Revision 2026-07-28 through the front door.

use crate::hub::{MODERN, TestHub, modern};
use serde_json::{Value, json};
use std::time::Duration;

/// Acceptance: 342
#[tokio::test]
async fn a_client_discovers_lists_and_calls_without_a_session() {
    let hub = TestHub::start().await;
    let discovered = hub.modern("server/discover", json!({})).await.json();
    let result = &discovered["result"];
    assert_eq!(result["supportedVersions"][0], MODERN);
    assert_eq!(result["capabilities"]["tools"]["listChanged"], true);
    assert_eq!(result["resultType"], "complete");
    let first = hub.modern("tools/list", json!({})).await;
    let second = hub.modern("tools/list", json!({})).await;
    assert_eq!(first.body, second.body);
    let listed = first.json();
    assert_eq!(listed["result"]["cacheScope"], "private");
    assert!(listed["result"]["ttlMs"].is_u64());
    let answer = hub
        .modern(
            "tools/call",
            json!({"name": "test_echo", "arguments": {"text": "hi"}}),
        )
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    let result = &answer.json()["result"];
    assert_eq!(result["structuredContent"]["text"], "hi");
    assert_eq!(result["isError"], false);
    assert!(!answer.headers.contains_key("mcp-session-id"));
}

/// Acceptance: 16
#[tokio::test]
async fn listed_names_are_safe_and_alias_and_id_call_the_same_tool() {
    let hub = TestHub::start().await;
    let listed = hub.modern("tools/list", json!({})).await.json();
    let tools = listed["result"]["tools"].as_array().unwrap().clone();
    let mut names: Vec<&str> = tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert!(names.len() > 5);
    for name in &names {
        let safe = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        assert!(
            (1..=64).contains(&name.len()) && name.bytes().all(safe),
            "{name}"
        );
    }
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    for name in ["test_echo", "test.echo", "test.parrot"] {
        assert_eq!(
            hub.call(name, json!({"text": name})).await["structuredContent"]["text"],
            name
        );
    }
}

#[tokio::test]
async fn faults_have_their_code_and_status() {
    let hub = TestHub::start().await;
    let unknown = hub.modern("tools/call", json!({"name": "no.such"})).await;
    assert_eq!(
        (unknown.status.as_u16(), &unknown.json()["error"]["code"]),
        (200, &json!(-32602))
    );
    let invalid = hub
        .modern(
            "tools/call",
            json!({"name": "test.echo", "arguments": {"txt": 1}}),
        )
        .await;
    let error = &invalid.json()["error"];
    assert_eq!(error["code"], -32602);
    assert_eq!(error["data"]["field"], "txt");
    assert_eq!(hub.script.all_runs(), 0);
    let method = hub.modern("no/such", json!({})).await;
    assert_eq!(
        (method.status.as_u16(), &method.json()["error"]["code"]),
        (404, &json!(-32601))
    );
    let initialize = hub.modern("ping", json!({})).await;
    assert_eq!(initialize.status, 404);
    let twice = json!({"name": "test.echo", "arguments": 7});
    assert_eq!(
        hub.modern("tools/call", twice).await.json()["error"]["code"],
        -32602
    );
}

#[tokio::test]
async fn a_failing_tool_is_a_result_the_model_reads() {
    let hub = TestHub::start().await;
    let result = hub
        .call("test.fail", json!({"code": "NOT_CONFIGURED"}))
        .await;
    assert_eq!(result["isError"], true);
    let error = &result["structuredContent"]["error"];
    assert_eq!(error["code"], "NOT_CONFIGURED");
    assert_eq!(error["retryable"], false);
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(&text, &result["structuredContent"]);
}

#[tokio::test]
async fn a_change_asks_people_and_runs_once_approved() {
    let hub = TestHub::start().await;
    let call = json!({"amount": 5});
    let asked = hub.call("test.add", call.clone()).await;
    assert_eq!(asked["isError"], true);
    let content = &asked["structuredContent"];
    assert_eq!(content["error"]["code"], "APPROVAL_REQUIRED");
    let id = content["approval"]["request_id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(hub.script.total(), 0);
    let own = hub
        .post(
            &format!("/api/approvals/{id}/approve"),
            &hub.user,
            &json!({}),
        )
        .await;
    assert_eq!(own.status, 403);
    let approved = hub
        .post(
            &format!("/api/approvals/{id}/approve"),
            &hub.admin,
            &json!({"note": "fine"}),
        )
        .await;
    assert_eq!(approved.json()["data"]["state"], "approved");
    assert!(approved.json()["data"]["token"].is_null());
    let mine = hub
        .get(&format!("/api/approvals/{id}"), &hub.user)
        .await
        .json();
    let token = mine["data"]["token"].as_str().unwrap();
    let with_token = || json!({"name": "test.add", "arguments": call, "_meta": {"waygate/approvalToken": token}});
    let done = hub.modern("tools/call", with_token()).await.json();
    assert_eq!(done["result"]["structuredContent"]["total"], 5, "{done}");
    let again = hub.modern("tools/call", with_token()).await.json();
    assert_eq!(
        again["result"]["structuredContent"]["error"]["code"],
        "APPROVAL_INVALID"
    );
    assert_eq!(hub.script.total(), 5);
}

#[tokio::test]
async fn progress_precedes_the_result_on_a_stream() {
    let hub = TestHub::start().await;
    let released = async {
        hub.script.waiting().await;
        hub.script.release();
    };
    let params = json!({"name": "test.slow", "_meta": {"progressToken": "p"}});
    let (answer, ()) = tokio::join!(hub.modern("tools/call", params), released);
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(answer.header("x-accel-buffering"), "no");
    let events = answer.events();
    assert_eq!(events[0]["method"], "notifications/progress");
    assert_eq!(events[0]["params"]["progressToken"], "p");
    assert_eq!(events[0]["params"]["progress"], 1.0);
    assert_eq!(events.last().unwrap()["result"]["isError"], false);
}

#[tokio::test]
async fn hanging_up_cancels_the_call() {
    let hub = TestHub::start().await;
    let call = hub.modern("tools/call", json!({"name": "test.slow"}));
    tokio::select! {
        _ = call => panic!("the tool waits for the test"),
        () = hub.script.waiting() => {}
    }
    tokio::time::timeout(Duration::from_secs(5), hub.script.dropped())
        .await
        .unwrap();
}

#[tokio::test]
async fn the_callers_correlation_id_comes_back() {
    let hub = TestHub::start().await;
    let params = json!({"name": "test.echo", "_meta": {"waygate/correlationId": "mine-1"}});
    let answer = hub.modern("tools/call", params).await.json();
    assert_eq!(answer["result"]["_meta"]["waygate/correlationId"], "mine-1");
}

#[tokio::test]
async fn a_repeated_read_says_that_it_was_cached() {
    let hub = TestHub::start().await;
    assert!(hub.call("test.echo", json!({"text": "a"})).await["_meta"]["waygate/cached"].is_null());
    assert_eq!(
        hub.call("test.echo", json!({"text": "a"})).await["_meta"]["waygate/cached"],
        true
    );
    assert_eq!(hub.script.runs("test.echo"), 1);
}

#[tokio::test]
async fn requests_need_a_credential() {
    let hub = TestHub::start().await;
    for key in ["", "wgk_wrong"] {
        let answer = hub.send(modern(key, "tools/list", json!({}))).await;
        assert_eq!(answer.status, 401, "{key}");
        assert!(answer.header("www-authenticate").starts_with("Bearer"));
        assert_eq!(answer.json()["error"]["data"]["code"], "UNAUTHORIZED");
    }
}
