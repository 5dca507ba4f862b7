//! Programs that misuse the hub, all at once, and a host that goes on working beside them.
//!
//! How much slower it gets is a benchmark's matter; here every one of its calls is answered, the hub
//! stays the same process, and its memory stays bounded.

use serde_json::json;
use std::time::Duration;
use tests::host::Host;
use tests::stack::Stack;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Calls of the host that behaves.
const CALLS: usize = 60;
/// Longest wait for one of them.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most memory the hub may ever have held, in bytes.
const CAP: u64 = 512 * 1024 * 1024;

/// What an abuser is told: whom to misuse, and when it is over.
#[derive(Clone)]
struct Target {
    address: String,
    key: String,
    over: watch::Receiver<bool>,
}

impl Target {
    fn is_over(&self) -> bool {
        *self.over.borrow()
    }

    /// Sends bytes on a connection of its own and reads what comes, if `reads`; the hub may close it
    /// at any time.
    async fn send(&self, pieces: &[Vec<u8>], pause: Duration, reads: bool) {
        let Ok(mut stream) = TcpStream::connect(&self.address).await else {
            return;
        };
        for piece in pieces {
            if self.is_over() || stream.write_all(piece).await.is_err() {
                return;
            }
            let mut over = self.over.clone();
            // The pause is the abuse.
            let _ended = timeout(pause, over.wait_for(|over| *over)).await;
        }
        if reads {
            let mut answer = Vec::new();
            let read = stream.take(1_000_000).read_to_end(&mut answer);
            let _ended = timeout(Duration::from_secs(2), read).await;
        } else {
            let mut over = self.over.clone();
            let _ended = over.wait_for(|over| *over).await;
        }
    }

    fn head(&self, length: usize, more: &str) -> Vec<u8> {
        format!(
            "POST /mcp HTTP/1.1\r\nHost: {}\r\nX-API-Key: {}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: {}\r\n\
             Mcp-Method: tools/call\r\nMcp-Name: cmdb.local.validate\r\n{more}\
             Content-Length: {length}\r\n\r\n",
            self.address,
            self.key,
            proto::mcp::MODERN
        )
        .into_bytes()
    }

    fn post(&self, body: Vec<u8>) -> Vec<Vec<u8>> {
        vec![self.head(body.len(), ""), body]
    }
}

/// Bytes one after the other, each late.
fn slowly(text: &[u8]) -> Vec<Vec<u8>> {
    text.iter().map(|byte| vec![*byte]).collect()
}

/// What abuser number `kind` does once.
async fn misuse(kind: usize, target: &Target) {
    let quick = Duration::ZERO;
    let slow = Duration::from_millis(300);
    let deep = |open: &str, close: &str| {
        let text = format!("{}{}", open.repeat(100_000), close.repeat(100_000));
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{text}}}"#).into_bytes()
    };
    match kind {
        // Head, body and request line that never end.
        0 => target.send(&slowly(&target.head(10, "")), slow, true).await,
        1 => {
            let mut pieces = vec![target.head(1000, "")];
            pieces.extend(slowly(&[b' '; 1000]));
            target.send(&pieces, slow, true).await;
        }
        2 => {
            target
                .send(&slowly(b"GET /health HTTP/1.1\r\n"), slow, true)
                .await
        }
        // Bodies that are too large, too deep, too wide, or not what they say.
        3 => {
            target
                .send(&target.post(vec![b'a'; 20_000_000]), quick, true)
                .await
        }
        4 => target.send(&target.post(deep("[", "]")), quick, true).await,
        5 => {
            target
                .send(&target.post(deep("{\"a\":", "}")), quick, true)
                .await
        }
        6 => {
            let wide = format!("[{}1]", "1,".repeat(2_000_000));
            target
                .send(&target.post(wide.into_bytes()), quick, true)
                .await;
        }
        7 => {
            target
                .send(&[target.head(usize::MAX, "")], quick, true)
                .await
        }
        8 => {
            target
                .send(&target.post(vec![0xff; 100_000]), quick, true)
                .await
        }
        // Heads that are too large or too many.
        9 => {
            let more = format!("X-A: {}\r\n", "a".repeat(1_000_000));
            target.send(&[target.head(0, &more)], quick, true).await;
        }
        10 => {
            let more = "X-A: a\r\n".repeat(10_000);
            target.send(&[target.head(0, &more)], quick, true).await;
        }
        // Streams nobody reads.
        11 => {
            let listen = format!(
                "GET /sse HTTP/1.1\r\nHost: {}\r\nX-API-Key: {}\r\nAccept: text/event-stream\r\n\r\n",
                target.address, target.key
            );
            target.send(&[listen.into_bytes()], quick, false).await;
        }
        12 => {
            let list = format!(
                "GET /mcp/tools HTTP/1.1\r\nHost: {}\r\nX-API-Key: {}\r\n\r\n",
                target.address, target.key
            );
            target
                .send(&vec![list.into_bytes(); 500], quick, false)
                .await;
        }
        // Connections that do nothing, and ones that are gone at once.
        13 => target.send(&[], quick, false).await,
        14 => drop(TcpStream::connect(&target.address).await),
        15 => {
            target
                .send(
                    &[b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()],
                    slow,
                    true,
                )
                .await
        }
        16 => {
            target
                .send(
                    &[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), vec![0xff; 9]],
                    quick,
                    true,
                )
                .await
        }
        // Guessed keys, approvals by the hundred, tools that do not exist.
        17 => drop(
            Host::new(&target.url(), "wgk_guess_guess")
                .get("/mcp/tools")
                .await,
        ),
        18 => {
            let arguments = json!({"path": "/etc/motd", "content": "x".repeat(10_000)});
            target.call("os.linux.writeFile", arguments).await;
        }
        _ => {
            target
                .call("no.such.tool", json!({"a": "x".repeat(10_000)}))
                .await
        }
    }
}

impl Target {
    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn call(&self, tool: &str, arguments: serde_json::Value) {
        let host = Host::new(&self.url(), &self.key);
        drop(host.call(tool, arguments, json!({})).await);
    }
}

/// Attack T22.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_abusers_do_not_stop_a_host_that_behaves() {
    let stack = Stack::start(&[1, 12], &[("WAYGATE_IP_RATE_LIMIT", "1000000")]);
    let host = Host::new(&stack.url, &stack.operator);
    let (over, seen) = watch::channel(false);
    let target = Target {
        address: stack.url.trim_start_matches("http://").to_owned(),
        key: stack.agent.clone(),
        over: seen,
    };
    let mut abusers = JoinSet::new();
    for kind in 0..20 {
        for _ in 0..4 {
            let target = target.clone();
            abusers.spawn(async move {
                while !target.is_over() {
                    misuse(kind, &target).await;
                    tokio::task::yield_now().await;
                }
            });
        }
    }
    for number in 0..CALLS {
        let call = host.call("cmdb.local.validate", json!({}), json!({}));
        let answer = timeout(PATIENCE, call)
            .await
            .expect("a call was not answered");
        assert_eq!(answer.status, 200, "call {number}: {}", answer.body);
        assert_eq!(
            answer.body["result"]["isError"],
            json!(false),
            "call {number}"
        );
    }
    over.send(true).unwrap();
    while let Some(ended) = abusers.join_next().await {
        ended.unwrap();
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", stack.hub.pid())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches("kB").trim().parse().unwrap();
    assert!(kilobytes * 1024 < CAP, "the hub took {kilobytes} kB");
    assert_eq!(Host::new(&stack.url, "").get("/health").await.status, 200);
}
