//! MCP on a byte stream.

use crate::hub::{MODERN, TestHub};
use orchestrator::auth::Principal;
use orchestrator::transport::stdio;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};

/// A client of a hub that is served on a byte stream.
struct Client {
    to: WriteHalf<DuplexStream>,
    from: Lines<BufReader<ReadHalf<DuplexStream>>>,
}

impl Client {
    fn connect(hub: &TestHub) -> Self {
        let (near, far) = tokio::io::duplex(1 << 20);
        let (input, output) = tokio::io::split(far);
        let principal = Arc::new(Principal::local("test"));
        let served = stdio::serve(hub.hub.clone(), principal, input, output);
        drop(hub.hub.gateway.tasks.spawn("stdio", served));
        let (from, to) = tokio::io::split(near);
        Self {
            to,
            from: BufReader::new(from).lines(),
        }
    }

    async fn send(&mut self, message: &Value) {
        self.to
            .write_all(format!("{message}\n").as_bytes())
            .await
            .unwrap();
    }

    async fn request(&mut self, id: u64, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .await;
    }

    async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(10), self.from.next_line()).await;
        serde_json::from_str(&line.unwrap().unwrap().unwrap_or_default()).unwrap_or_default()
    }
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": 9,
    })
}

#[tokio::test]
async fn both_eras_are_served_on_one_stream() {
    let hub = TestHub::start().await;
    let mut client = Client::connect(&hub);
    client
        .request(1, "server/discover", json!({"_meta": meta()}))
        .await;
    assert_eq!(client.next().await["result"]["resultType"], "complete");
    client
        .request(
            2,
            "tools/call",
            json!({"name": "test_echo", "arguments": {"text": "m"}, "_meta": meta()}),
        )
        .await;
    let modern = client.next().await;
    assert_eq!(
        (
            &modern["id"],
            &modern["result"]["structuredContent"]["text"]
        ),
        (&json!(2), &json!("m"))
    );
    client
        .request(
            3,
            "initialize",
            json!({"protocolVersion": "2025-06-18", "capabilities": {}}),
        )
        .await;
    assert_eq!(
        client.next().await["result"]["protocolVersion"],
        "2025-06-18"
    );
    client
        .send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        .await;
    client.request(4, "tools/list", json!({})).await;
    let listed = client.next().await;
    assert!(listed["result"]["tools"].is_array() && listed["result"].get("resultType").is_none());
    client.request(5, "no/such", json!({})).await;
    assert_eq!(client.next().await["error"]["code"], -32601);
}

#[tokio::test]
async fn requests_overlap_report_and_can_be_cancelled() {
    let hub = TestHub::start().await;
    let mut client = Client::connect(&hub);
    client
        .request(
            1,
            "tools/call",
            json!({"name": "test.slow", "_meta": meta()}),
        )
        .await;
    let progress = client.next().await;
    assert_eq!(progress["params"]["progressToken"], 9);
    client
        .request(
            2,
            "tools/call",
            json!({"name": "test.echo", "_meta": meta()}),
        )
        .await;
    assert_eq!(client.next().await["id"], 2);
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})).await;
    tokio::time::timeout(Duration::from_secs(5), hub.script.dropped())
        .await
        .unwrap();
    client.request(3, "ping", json!({})).await;
    assert_eq!(client.next().await["id"], 3);
}

#[tokio::test]
async fn broken_lines_are_answered_and_the_stream_goes_on() {
    let hub = TestHub::start().await;
    let mut client = Client::connect(&hub);
    client.to.write_all(b"not json\n[]\n\n").await.unwrap();
    assert_eq!(client.next().await["error"]["code"], -32700);
    assert_eq!(client.next().await["error"]["code"], -32600);
    client.request(1, "ping", json!({})).await;
    assert_eq!(client.next().await["result"], json!({}));
}

#[tokio::test]
async fn the_end_of_the_input_waits_for_what_is_in_flight() {
    let hub = TestHub::start().await;
    let mut client = Client::connect(&hub);
    client
        .request(
            1,
            "subscriptions/listen",
            json!({"notifications": {"toolsListChanged": true}, "_meta": meta()}),
        )
        .await;
    assert_eq!(
        client.next().await["method"],
        "notifications/subscriptions/acknowledged"
    );
    client
        .request(2, "tools/call", json!({"name": "test.slow"}))
        .await;
    hub.script.waiting().await;
    client.to.shutdown().await.unwrap();
    assert_eq!(client.next().await["result"]["resultType"], "complete");
    hub.script.release();
    assert_eq!(client.next().await["id"], 2);
    assert_eq!(client.next().await, Value::Null);
}
