//! Every message the hub writes fits the published schema of its revision.

use crate::hub::{MODERN, TestHub};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The schemas, from the folder of public test data.
fn schema(revision: &str) -> Value {
    let root = std::env::var_os("WAYGATE_CORPORA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora"),
        PathBuf::from,
    );
    let path = root.join("mcp").join(revision).join("schema.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("the MCP schemas are missing ({error}); set WAYGATE_CORPORA to the folder that holds mcp/{revision}/schema.json")
    });
    serde_json::from_str(&text).unwrap()
}

/// Checks `value` against a definition of a revision's schema.
fn check(revision: &str, definition: &str, value: &Value) {
    let mut schema = schema(revision);
    let place = if schema.get("$defs").is_some() {
        "$defs"
    } else {
        "definitions"
    };
    assert!(
        schema[place].get(definition).is_some(),
        "{revision} has no {definition}"
    );
    schema["$ref"] = json!(format!("#/{place}/{definition}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(
        !validator.is_valid(&json!(5)),
        "the schema lets anything through"
    );
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| error.to_string())
        .collect();
    assert!(
        errors.is_empty(),
        "{revision} {definition}: {errors:?}\n{value:#}"
    );
}

/// What a revision calls a response.
fn envelope(revision: &str, succeeded: bool) -> &'static str {
    match (revision, succeeded) {
        ("2025-11-25", true) => "JSONRPCResultResponse",
        ("2025-11-25", false) => "JSONRPCErrorResponse",
        (_, true) => "JSONRPCResponse",
        (_, false) => "JSONRPCError",
    }
}

/// Acceptance: 17
#[tokio::test]
async fn legacy_messages_fit_the_schema_of_their_revision() {
    let hub = TestHub::start().await;
    for revision in ["2025-11-25", "2025-06-18", "2025-03-26"] {
        let call = |tool: &str| json!({"name": tool, "arguments": {}});
        let hello = json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        for (definition, method, params) in [
            ("InitializeResult", "initialize", hello),
            ("ListToolsResult", "tools/list", json!({})),
            ("CallToolResult", "tools/call", call("test.echo")),
            ("CallToolResult", "tools/call", call("test.fail")),
            ("CallToolResult", "tools/call", call("test.add")),
        ] {
            let answer = hub.legacy(revision, method, &params).await.json();
            assert_eq!(answer["id"], 1);
            check(revision, definition, &answer["result"]);
            check(revision, envelope(revision, true), &answer);
        }
        let failed = hub
            .legacy(revision, "tools/call", &call("no.such"))
            .await
            .json();
        check(revision, envelope(revision, false), &failed);
    }
}

/// Acceptance: 17, 342
#[tokio::test]
async fn modern_messages_fit_the_schema() {
    let hub = TestHub::start().await;
    let call = |tool: &str| json!({"name": tool, "arguments": {}});
    for (definition, method, params) in [
        ("DiscoverResult", "server/discover", json!({})),
        ("ListToolsResult", "tools/list", json!({})),
        ("CallToolResult", "tools/call", call("test.echo")),
        ("CallToolResult", "tools/call", call("test.fail")),
        ("CallToolResult", "tools/call", call("test.add")),
    ] {
        let answer = hub.modern(method, params).await.json();
        check(MODERN, definition, &answer["result"]);
        check(MODERN, "JSONRPCResultResponse", &answer);
    }
    let unknown = hub.modern("tools/call", call("no.such")).await.json();
    check(MODERN, "JSONRPCErrorResponse", &unknown);
    let version = json!({"_meta": {}});
    let mut request = crate::hub::modern(&hub.user, "tools/list", version);
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2031-01-01",
        "io.modelcontextprotocol/clientCapabilities": {},
    }}});
    request
        .headers_mut()
        .insert("mcp-protocol-version", "2031-01-01".parse().unwrap());
    *request.body_mut() = axum::body::Body::from(body.to_string());
    check(
        MODERN,
        "UnsupportedProtocolVersionError",
        &hub.send(request).await.json(),
    );
    let mut request = crate::hub::modern(&hub.user, "tools/list", json!({}));
    request
        .headers_mut()
        .insert("mcp-method", "tools/call".parse().unwrap());
    check(
        MODERN,
        "HeaderMismatchError",
        &hub.send(request).await.json(),
    );
}

#[tokio::test]
async fn progress_fits_the_schema_of_every_revision() {
    let hub = TestHub::start().await;
    let params = json!({"name": "test.slow", "_meta": {"progressToken": 7}});
    let release = || async {
        hub.script.waiting().await;
        hub.script.release();
    };
    for revision in ["2025-11-25", "2025-06-18", "2025-03-26"] {
        let (answer, ()) = tokio::join!(hub.legacy(revision, "tools/call", &params), release());
        check(revision, "ProgressNotification", &answer.events()[0]);
        hub.hub.gateway.cache.forget_service("77_test_mcp").await;
    }
    let (answer, ()) = tokio::join!(hub.modern("tools/call", params.clone()), release());
    check(MODERN, "ProgressNotification", &answer.events()[0]);
}
