//! Legacy event streams.

use crate::hub::{TestHub, a};
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Response;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tower::ServiceExt;

/// An open stream.
struct Stream {
    body: Body,
    text: String,
}

/// One event: id, name, data.
type Event = (String, String, String);

impl Stream {
    async fn open(hub: &TestHub, path: &str, last: Option<&str>) -> Self {
        let mut request = a("GET", path, &hub.user)
            .header("host", "localhost")
            .header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer: Response<Body> = hub.router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self {
            body: answer.into_body(),
            text: String::new(),
        }
    }

    async fn chunk(&mut self) -> String {
        let frame = tokio::time::timeout(Duration::from_secs(60), self.body.frame());
        let frame = frame.await.unwrap().unwrap().unwrap();
        String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
    }

    /// The next event that is no comment.
    async fn event(&mut self) -> Event {
        loop {
            let Some((event, rest)) = self.text.split_once("\n\n") else {
                let chunk = self.chunk().await;
                self.text.push_str(&chunk);
                continue;
            };
            let event = event.to_owned();
            self.text = rest.to_owned();
            if !event.starts_with(':') {
                let field = |name| field_of(&event, name);
                return (field("id:"), field("event:"), field("data:"));
            }
        }
    }

    async fn message(&mut self) -> (String, Value) {
        let (id, name, data) = self.event().await;
        assert_eq!(name, "message");
        (id, serde_json::from_str(&data).unwrap())
    }

    /// Where to post, from the first event.
    async fn endpoint(&mut self) -> String {
        let (_, name, data) = self.event().await;
        assert_eq!(name, "endpoint");
        data
    }
}

async fn say(hub: &TestHub, endpoint: &str, method: &str, params: &Value) {
    let message = json!({"jsonrpc": "2.0", "id": method, "method": method, "params": params});
    let answer = hub.post(endpoint, &hub.user, &message).await;
    assert_eq!(answer.status, 202);
}

fn hello() -> Value {
    json!({"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}})
}

/// Acceptance: 14, 273
#[tokio::test]
async fn a_stream_answers_and_a_client_that_comes_back_gets_what_it_missed() {
    let hub = TestHub::start().await;
    let mut stream = Stream::open(&hub, "/sse", None).await;
    let endpoint = stream.endpoint().await;
    say(&hub, &endpoint, "initialize", &hello()).await;
    let (_, answer) = stream.message().await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-03-26");
    say(&hub, &endpoint, "tools/list", &json!({})).await;
    let (seen, answer) = stream.message().await;
    assert!(!answer["result"]["tools"].as_array().unwrap().is_empty());
    drop(stream);
    let call = json!({"name": "test.echo", "arguments": {"text": "missed"}});
    say(&hub, &endpoint, "tools/call", &call).await;
    let mut again = Stream::open(&hub, "/sse", Some(&seen)).await;
    assert_eq!(again.endpoint().await, endpoint);
    let (_, answer) = again.message().await;
    assert_eq!(answer["id"], "tools/call");
    assert_eq!(answer["result"]["isError"], false);
    let id = endpoint.split('=').next_back().unwrap();
    let replay = format!("/sse/replay/{id}?limit=2");
    let kept = hub.get(&replay, &hub.user).await.json();
    assert_eq!(kept["events"].as_array().unwrap().len(), 2);
    assert_eq!(kept["events"][0]["data"]["id"], "initialize");
}

/// Acceptance: 273
#[tokio::test]
async fn silence_is_broken_by_comments() {
    let hub = TestHub::start().await;
    let mut stream = Stream::open(&hub, "/sse", None).await;
    tokio::time::pause();
    assert!(stream.chunk().await.starts_with("event: endpoint"));
    assert_eq!(stream.chunk().await, ": keep-alive\n\n");
}

/// Acceptance: 274, 275, 284
#[tokio::test]
async fn events_reach_the_addressed_stream_and_broadcasts_all_of_the_namespace() {
    let hub = TestHub::start().await;
    let mut first = Stream::open(&hub, "/sse", None).await;
    let mut second = Stream::open(&hub, "/sse", None).await;
    let id = first
        .endpoint()
        .await
        .split('=')
        .next_back()
        .unwrap()
        .to_owned();
    second.endpoint().await;
    let status = hub.get("/sse/status", &hub.user).await.json();
    assert_eq!(status["active_connections"], 2);
    assert_eq!(status["transport_type"], "sse");
    let event = json!({"session_id": id, "event": "news", "data": {"n": 1}});
    let sent = hub.post("/sse/events", &hub.user, &event).await;
    assert_eq!(sent.json()["data"]["sent"], 1);
    let (_, name, data) = first.event().await;
    assert_eq!((name.as_str(), data.as_str()), ("news", r#"{"n":1}"#));
    let all = json!({"event": "all", "data": "x"});
    assert_eq!(
        hub.post("/sse/broadcast", &hub.user, &all).await.status,
        403
    );
    let sent = hub.post("/sse/broadcast", &hub.admin, &all).await;
    assert_eq!(sent.json()["data"]["sent"], 2);
    assert_eq!(first.event().await.1, "all");
    assert_eq!(second.event().await.1, "all");
    let other = hub.key(&["read", "execute"]).await;
    assert_eq!(hub.post("/sse/events", &other, &event).await.status, 404);
    let forged = json!({"session_id": id, "event": "message", "data": {"jsonrpc": "2.0"}});
    let forged = hub.post("/sse/events", &hub.user, &forged).await;
    assert_eq!(forged.status, 422);
}

#[tokio::test]
async fn a_stream_serves_its_own_client_only() {
    let hub = TestHub::start().await;
    let mut stream = Stream::open(&hub, "/sse", None).await;
    let endpoint = stream.endpoint().await;
    let other = hub.key(&["read", "execute"]).await;
    let ping = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
    assert_eq!(hub.post(&endpoint, &other, &ping).await.status, 404);
    assert_eq!(hub.post("/messages", &hub.user, &ping).await.status, 400);
    assert_eq!(hub.get("/servers/nobody/sse", &hub.user).await.status, 404);
}

/// What stands after `name` in a line of an event; empty when there is no such line.
fn field_of(event: &str, name: &str) -> String {
    let mut lines = event.lines();
    let line = lines.find_map(|line| line.strip_prefix(name));
    line.unwrap_or_default().trim().to_owned()
}
