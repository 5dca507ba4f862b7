//! Messages that try to mean two things, and bodies that try to be too much.

use crate::hub::{MODERN, TestHub, a, modern};
use axum::body::Body;
use serde_json::json;

/// Sends raw bytes with the headers of a modern call of `test_echo`; status and JSON-RPC code.
async fn check(hub: &TestHub, headers: &[(&str, &str)], body: &str) -> (u16, i64) {
    let mut request = a("POST", "/mcp", &hub.user)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = hub
        .send(request.body(Body::from(body.to_owned())).unwrap())
        .await;
    let document = answer.json();
    let code = document
        .pointer("/error/code")
        .and_then(serde_json::Value::as_i64);
    let code = code.unwrap_or_default();
    (answer.status.as_u16(), code)
}

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
const FITTING: [(&str, &str); 3] = [
    ("mcp-protocol-version", MODERN),
    ("mcp-method", "tools/call"),
    ("mcp-name", "test_echo"),
];

fn call(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{META},{params}}}}}"#)
}

/// Attack T14.
#[tokio::test]
async fn a_message_that_could_be_read_two_ways_is_refused() {
    let hub = TestHub::start().await;
    assert_eq!(
        check(&hub, &FITTING, &call(r#""name":"test_echo""#)).await,
        (200, 0)
    );
    let good = r#""name":"test_echo","arguments":{"text":"a"}"#;
    for (params, code) in [
        (r#""name":"test_echo","name":"test_add""#, -32600),
        (r#""name":"test_echo","n\u0061me":"test_add""#, -32600),
        (
            r#""name":"test_echo","arguments":{},"arguments":{"text":"a"}"#,
            -32600,
        ),
        (
            r#""name":"test_echo","arguments":{"text":"a","text":"b"}"#,
            -32602,
        ),
        (
            r#""name":"test_echo","arguments":{"text":"a","t\u0065xt":"b"}"#,
            -32602,
        ),
        (r#""Name":"test_echo""#, -32602),
        (r#""name":"test_echo","arguments":{"Text":"a"}"#, -32602),
        (
            r#""name":"test_echo","arguments":{"text":"\u0000"}"#,
            -32602,
        ),
        (
            r#""name":"test_echo","arguments":{"amount":123456789012345678901234567890}"#,
            -32602,
        ),
    ] {
        let (status, got) = check(&hub, &FITTING, &call(params)).await;
        assert!(
            got == code || (got == -32020 && status == 400),
            "{params}: {status} {got}"
        );
    }
    for body in [
        format!("\u{feff}{}", call(good)),
        format!("{}{}", call(good), call(good)),
        format!("{} x", call(good)),
        format!("[{}]", call(good)),
        call(good).replace("\"2.0\"", "\"2.0\",\"method\":\"tools/list\""),
        call(good).replacen("{", "{\"id\":2,", 1),
    ] {
        let (status, code) = check(&hub, &FITTING, &body).await;
        assert!(
            status == 400 && (code == -32700 || code == -32600),
            "{body}: {status} {code}"
        );
    }
    assert_eq!(hub.script.all_runs(), 1);
}

/// Attack T14. Acceptance: 342
#[tokio::test]
async fn headers_that_differ_from_the_body_are_refused() {
    let hub = TestHub::start().await;
    let body = call(r#""name":"test_echo""#);
    let [version, method, name] = FITTING;
    for headers in [
        vec![version, method],
        vec![version, name],
        vec![method, name],
        vec![version, method, ("mcp-name", "test_add")],
        vec![version, method, ("mcp-name", "test.echo")],
        vec![version, method, ("mcp-name", "TEST_ECHO")],
        vec![version, method, name, name],
        vec![version, method, name, ("mcp-name", "test_add")],
        vec![version, ("mcp-method", "tools/list"), name],
        vec![version, ("mcp-method", "Tools/Call"), name],
        vec![version, method, method, name],
        vec![("mcp-protocol-version", "2025-11-25"), method, name],
        vec![version, version, method, name],
        vec![version, method, ("mcp-name", "=?base64?dGVzdF9hZGQ=?=")],
        vec![version, method, ("mcp-name", "=?base64?***?=")],
    ] {
        assert_eq!(
            check(&hub, &headers, &body).await,
            (400, -32020),
            "{headers:?}"
        );
    }
    assert_eq!(hub.script.all_runs(), 0);
    let wrapped = [version, method, ("mcp-name", "=?base64?dGVzdF9lY2hv?=")];
    assert_eq!(check(&hub, &wrapped, &body).await, (200, 0));
}

/// Attack T22.
#[tokio::test]
async fn deep_and_wide_bodies_are_refused_and_the_hub_goes_on() {
    let hub = TestHub::start().await;
    let deep = |open: &str, close: &str, count: usize| {
        call(&format!(
            r#""name":"test_echo","arguments":{{"text":{}1{}}}"#,
            open.repeat(count),
            close.repeat(count)
        ))
    };
    let wide = format!(
        r#""name":"test_echo","arguments":{{"text":[{}0]}}"#,
        "0,".repeat(200_000)
    );
    for body in [
        deep("[", "]", 100),
        deep("[", "]", 500_000),
        deep("{\"a\":", "}", 100),
        deep("{\"a\":", "}", 500_000),
        deep("[", "", 500_000),
        call(&wide),
        format!(
            r#"{{"jsonrpc":"2.0","id":{},"method":"tools/list"}}"#,
            "9".repeat(5000)
        ),
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#,
            "m".repeat(100_000)
        ),
    ] {
        let (_, code) = check(&hub, &FITTING, &body).await;
        assert!(code < 0, "{}…", body.chars().take(60).collect::<String>());
    }
    assert_eq!(hub.script.all_runs(), 0);
    let fine = hub
        .send(modern(
            &hub.user,
            "tools/call",
            json!({"name": "test_echo"}),
        ))
        .await;
    assert_eq!(fine.json()["result"]["isError"], false);
}
