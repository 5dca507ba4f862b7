//! The proxy over real sockets: who is let through, and what a page sees when it is not.

use super::*;
use tokio::io::AsyncReadExt;

async fn host(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    Tasks::new().spawn("host", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 1024];
            let read = stream.read(&mut bytes).await.unwrap();
            assert!(String::from_utf8_lossy(&bytes[..read]).starts_with("GET /page HTTP/1.1"));
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    port
}

async fn ask(gate: &Gate, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", gate.port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

fn guard(allow: &[&str]) -> Guard {
    Guard::new(Outbound::allowing(allow).unwrap(), 4, Tasks::new())
}

/// Acceptance: 49
#[tokio::test]
async fn special_addresses_and_names_that_lead_there_are_refused() {
    let gate = guard(&[]).open(false).await.unwrap();
    for host in [
        "127.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
        "[::1]",
        "localhost",
        "0x7f.1",
    ] {
        for request in [
            format!("GET http://{host}/page HTTP/1.1\r\n\r\n"),
            format!("CONNECT {host}:443 HTTP/1.1\r\n\r\n"),
        ] {
            let answer = ask(&gate, &request).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{request}: {answer}");
            assert!(answer.contains(REFUSED), "{answer}");
        }
    }
    assert_eq!(gate.last(), Some(("127.0.0.1".into(), Verdict::Refused)));
}

#[tokio::test]
async fn allowed_hosts_are_reached_and_silent_ones_are_said_to_be() {
    let port =
        host("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi").await;
    let gate = guard(&["127.0.0.1"]).open(false).await.unwrap();
    let answer = ask(
        &gate,
        &format!("GET http://127.0.0.1:{port}/page HTTP/1.1\r\n\r\n"),
    )
    .await;
    assert_eq!(
        answer,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
    );
    let tunnel = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\nGET /page HTTP/1.1\r\n\r\n");
    let answer = ask(&gate, &tunnel).await;
    assert!(answer.starts_with("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK"));
    let answer = ask(&gate, "GET http://nobody.invalid/ HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert_eq!(
        gate.last(),
        Some(("nobody.invalid".into(), Verdict::Unreachable))
    );
    gate.forget();
    assert_eq!(gate.last(), None);
}

/// Acceptance: 49
#[tokio::test]
async fn the_services_own_ports_stay_hidden_where_loopback_is_allowed() {
    let guard = guard(&["127.0.0.1", "localhost"]);
    let (gate, other) = (
        guard.open(false).await.unwrap(),
        guard.open(false).await.unwrap(),
    );
    for place in [
        format!("http://127.0.0.1:{}/", other.port),
        format!("http://localhost:{}/", other.port),
        format!("http://[::ffff:127.0.0.1]:{}/", other.port),
    ] {
        let answer = ask(&gate, &format!("GET {place} HTTP/1.1\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{place}: {answer}");
    }
}
