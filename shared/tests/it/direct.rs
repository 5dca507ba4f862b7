//! A client of the direct door: plain JSON-RPC over HTTP, so that what is on the wire is seen.

use serde_json::{Value, json};
use shared::testkit::{SPOKE_TOKEN, TestSpoke};

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// `result.structuredContent`.
    pub(crate) fn structured(&self) -> &Value {
        &self.body["result"]["structuredContent"]
    }

    /// `result.structuredContent.error.code`; empty when the call worked.
    pub(crate) fn error_code(&self) -> &str {
        self.structured()["error"]["code"]
            .as_str()
            .unwrap_or_default()
    }

    /// `error.code` of JSON-RPC; 0 when there is none.
    pub(crate) fn rpc_code(&self) -> i64 {
        self.body["error"]["code"].as_i64().unwrap_or_default()
    }
}

/// A `tools/call` in the last revision with `initialize`.
pub(crate) async fn call(spoke: &TestSpoke, tool: &str, arguments: Value) -> Answer {
    call_with(spoke, tool, arguments, json!({})).await
}

/// The same with `_meta`.
pub(crate) async fn call_with(
    spoke: &TestSpoke,
    tool: &str,
    arguments: Value,
    meta: Value,
) -> Answer {
    let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
    rpc(spoke, "tools/call", params).await
}

/// Any request.
pub(crate) async fn rpc(spoke: &TestSpoke, method: &str, params: Value) -> Answer {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    post(spoke, message.to_string()).await
}

/// Any body.
pub(crate) async fn post(spoke: &TestSpoke, body: String) -> Answer {
    let response = request(spoke)
        .bearer_auth(SPOKE_TOKEN)
        .body(body)
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    Answer {
        status,
        body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}

/// A POST to `/mcp` without a credential.
pub(crate) fn request(spoke: &TestSpoke) -> reqwest::RequestBuilder {
    client()
        .post(spoke.url("/mcp"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25")
}

/// An HTTP client that uses no proxy.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}
