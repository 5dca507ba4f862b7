//! `WebSockets`.

use crate::hub::TestHub;
use axum::serve::Listener;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Serves the hub on a port.
async fn served(hub: &TestHub) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Listener::local_addr(&listener).unwrap();
    let service = hub.router.clone();
    let service = service.into_make_service_with_connect_info::<SocketAddr>();
    hub.hub.gateway.tasks.spawn("test server", async move {
        axum::serve(listener, service).await.unwrap();
    });
    format!("ws://{address}")
}

async fn connect(url: &str, key: &str, origin: Option<&str>) -> Result<Socket, u16> {
    let mut request = url.into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", "mcp".parse().unwrap());
    if !key.is_empty() {
        headers.insert("x-api-key", key.parse().unwrap());
    }
    if let Some(origin) = origin {
        headers.insert("origin", origin.parse().unwrap());
    }
    match connect_async(request).await {
        Ok((socket, answer)) => {
            assert_eq!(answer.headers()["sec-websocket-protocol"], "mcp");
            Ok(socket)
        }
        Err(Error::Http(answer)) => Err(answer.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

async fn ask(socket: &mut Socket, method: &str, params: &Value) -> Value {
    let message = json!({"jsonrpc": "2.0", "id": method, "method": method, "params": params});
    let text = message.to_string();
    socket.send(Message::text(text)).await.unwrap();
    next(socket).await
}

/// Acceptance: 276
#[tokio::test]
async fn both_eras_are_spoken_over_a_websocket() {
    let hub = TestHub::start().await;
    let url = served(&hub).await;
    let mut socket = connect(&format!("{url}/ws"), &hub.user, None)
        .await
        .unwrap();
    let hello = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    let answer = ask(&mut socket, "initialize", &hello).await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25");
    let call = json!({"name": "test.echo", "arguments": {"text": "hi"}});
    let answer = ask(&mut socket, "tools/call", &call).await;
    assert_eq!(answer["result"]["isError"], false);
    let modern = json!({"_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }});
    let answer = ask(&mut socket, "server/discover", &modern).await;
    assert_eq!(answer["result"]["resultType"], "complete");
    socket.send(Message::Ping(vec![7].into())).await.unwrap();
    assert_eq!(
        socket.next().await.unwrap().unwrap(),
        Message::Pong(vec![7].into())
    );
    socket.close(None).await.unwrap();
    crate::fixture::eventually("the connection is forgotten", async || {
        hub.hub.ws.active() == 0
    })
    .await;
}

/// Acceptance: 276
#[tokio::test]
async fn strangers_and_foreign_pages_are_refused() {
    let hub = TestHub::start().await;
    let url = format!("{}/ws", served(&hub).await);
    assert_eq!(connect(&url, "", None).await.err(), Some(401));
    let foreign = connect(&url, &hub.user, Some("https://evil.example")).await;
    assert_eq!(foreign.err(), Some(403));
}

/// Acceptance: 277, 284
#[tokio::test]
async fn notes_reach_the_addressed_socket_and_broadcasts_all() {
    let hub = TestHub::start().await;
    let url = format!("{}/ws", served(&hub).await);
    let mut first = connect(&url, &hub.user, None).await.unwrap();
    let mut second = connect(&url, &hub.admin, None).await.unwrap();
    let status = hub.get("/ws/status", &hub.user).await.json();
    assert_eq!(status["active_connections"], 2);
    let sessions = status["sessions"].as_array().unwrap().clone();
    let id = sessions[0]["session_id"].as_str().unwrap();
    let probe = json!({"session_id": id, "data": 0});
    let own = hub.post("/ws/send", &hub.user, &probe).await.status == 200;
    let (mine, theirs) = if own { (0, 1) } else { (1, 0) };
    if own {
        assert_eq!(next(&mut first).await["params"]["data"], 0);
    }
    let note = json!({"session_id": sessions[mine]["session_id"], "data": {"n": 1}});
    assert_eq!(hub.post("/ws/send", &hub.user, &note).await.status, 200);
    let heard = next(&mut first).await;
    assert_eq!(heard["method"], "notifications/waygate/message");
    assert_eq!(heard["params"]["data"]["n"], 1);
    let foreign = json!({"session_id": sessions[theirs]["session_id"], "data": 1});
    assert_eq!(hub.post("/ws/send", &hub.user, &foreign).await.status, 404);
    let all = hub
        .post("/ws/broadcast", &hub.admin, &json!({"data": 2}))
        .await;
    assert_eq!(all.json()["data"]["sent"], 2);
    assert_eq!(next(&mut first).await["params"]["data"], 2);
    assert_eq!(next(&mut second).await["params"]["data"], 2);
    let id = sessions[mine]["session_id"].as_str().unwrap();
    let close = crate::hub::a("DELETE", &format!("/ws/close?session_id={id}"), &hub.user);
    let closed = hub
        .send(close.body(axum::body::Body::empty()).unwrap())
        .await;
    assert_eq!(closed.status, 200);
    assert!(matches!(first.next().await, Some(Ok(Message::Close(_)))));
}
