//! The edge against clients that mean no good.

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use shared::http::{EdgeLimits, serve};
use shared::tasks::Tasks;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// An edge with these limits in front of a route that takes a body and one that panics.
async fn edge(limits: EdgeLimits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/", get(async || "ok"))
        .route("/panic", get(panics))
        .route("/body", post(async |body: Bytes| body.len().to_string()));
    let tasks = Tasks::new();
    tasks.spawn("edge", serve(listener, router, limits, tasks.token()));
    address
}

async fn panics() -> &'static str {
    panic!("the secret of the panic")
}

/// Sends bytes and reads until the edge closes.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset is a way to close, too.
    let _ended = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

const QUICK: EdgeLimits = EdgeLimits {
    connections: 8,
    connections_per_address: 2,
    header_read: Duration::from_millis(100),
    body_silence: Duration::from_millis(100),
    body_total: Duration::from_millis(300),
    body_bytes: 1000,
    header_bytes: 16 * 1024,
    header_count: 64,
    target_bytes: 100,
    drain: Duration::from_millis(100),
};

#[tokio::test]
async fn clients_that_do_not_finish_their_headers_are_dropped() {
    let address = edge(QUICK).await;
    for bytes in [
        "",
        "P",
        "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        "PRI * HTTP/2.0\r\n",
    ] {
        // Would wait for ever if the edge did.
        let answer = exchange(address, bytes.as_bytes()).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    let answer = exchange(address, b"GET / HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 OK"), "{answer}");
}

#[tokio::test]
async fn large_and_slow_bodies_are_refused() {
    let address = edge(QUICK).await;
    let declared =
        b"POST /body HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1001\r\n\r\n";
    let answer = exchange(address, declared).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("PAYLOAD_TOO_LARGE"), "{answer}");
    let mut chunked =
        b"POST /body HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            .to_vec();
    chunked.extend(format!("3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1001)).bytes());
    let answer = exchange(address, &chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let silent =
        b"POST /body HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\nabc";
    let answer = exchange(address, silent).await;
    assert!(!answer.contains("200 OK"), "{answer}");
    let fits =
        b"POST /body HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
    let answer = exchange(address, fits).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with('3'),
        "{answer}"
    );
}

#[tokio::test]
async fn long_targets_and_many_headers_are_refused() {
    let address = edge(QUICK).await;
    let target = format!("GET /{} HTTP/1.0\r\n\r\n", "x".repeat(100));
    let answer = exchange(address, target.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.0 400"), "{answer}");
    let headers = "X-A: b\r\n".repeat(65);
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
    let answer = exchange(address, many.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn connections_over_the_cap_are_closed_and_places_come_back() {
    let address = edge(EdgeLimits {
        header_read: Duration::from_secs(60),
        ..QUICK
    })
    .await;
    let ask = async || exchange(address, b"GET / HTTP/1.0\r\n\r\n").await;
    let held = [
        TcpStream::connect(address).await.unwrap(),
        TcpStream::connect(address).await.unwrap(),
    ];
    assert_eq!(ask().await, "", "a third connection is closed");
    drop(held);
    for _ in 0..1000 {
        if ask().await.contains("200 OK") {
            return;
        }
    }
    panic!("the places did not come back");
}

#[tokio::test]
async fn a_panic_answers_500_without_its_text() {
    let address = edge(QUICK).await;
    let answer = exchange(address, b"GET /panic HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 500"), "{answer}");
    assert!(
        answer.contains("INTERNAL_ERROR") && !answer.contains("secret"),
        "{answer}"
    );
}
