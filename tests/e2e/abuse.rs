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

/// Ways to misuse the hub.
const KINDS: usize = 20;
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
            let mut limited = stream.take(1_000_000);
            let read = limited.read_to_end(&mut answer);
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

/// What is sent, how long between the pieces, and whether the answer is read.
type Sent = (Vec<Vec<u8>>, Duration, bool);

const SLOW: Duration = Duration::from_millis(300);

/// What abuser number `kind` does once.
async fn misuse(kind: usize, target: &Target) {
    let sent = unending(kind, target)
        .or_else(|| oversized(kind, target))
        .or_else(|| strange(kind, target));
    if let Some((pieces, pause, reads)) = sent {
        return target.send(&pieces, pause, reads).await;
    }
    match kind {
        // Connections that are gone at once, guessed keys, approvals by the hundred, tools that do not
        // exist.
        16 => drop(TcpStream::connect(&target.address).await),
        17 => {
            let host = Host::new(&target.url(), "wgk_guess_guess");
            drop(host.get("/mcp/tools").await);
        }
        18 => {
            let arguments = json!({"path": "/etc/motd", "content": "x".repeat(10_000)});
            target.call("os.linux.writeFile", arguments).await;
        }
        _ => {
            let arguments = json!({"a": "x".repeat(10_000)});
            target.call("no.such.tool", arguments).await;
        }
    }
}

/// Heads, bodies and request lines that never end.
fn unending(kind: usize, target: &Target) -> Option<Sent> {
    let pieces = match kind {
        0 => slowly(&target.head(10, "")),
        1 => {
            let mut pieces = vec![target.head(1000, "")];
            pieces.extend(slowly(&[b' '; 1000]));
            pieces
        }
        2 => slowly(b"GET /health HTTP/1.1\r\n"),
        _ => return None,
    };
    Some((pieces, SLOW, true))
}

/// Bodies and heads that are too large, too deep, too wide, or not what they say.
fn oversized(kind: usize, target: &Target) -> Option<Sent> {
    let deep = |open: &str, close: &str| {
        let text = format!("{}{}", open.repeat(100_000), close.repeat(100_000));
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{text}}}"#).into_bytes()
    };
    let pieces = match kind {
        3 => target.post(vec![b'a'; 20_000_000]),
        4 => target.post(deep("[", "]")),
        5 => target.post(deep("{\"a\":", "}")),
        6 => target.post(format!("[{}1]", "1,".repeat(2_000_000)).into_bytes()),
        7 => vec![target.head(usize::MAX, "")],
        8 => target.post(vec![0xff; 100_000]),
        9 => vec![target.head(0, &format!("X-A: {}\r\n", "a".repeat(1_000_000)))],
        10 => vec![target.head(0, &"X-A: a\r\n".repeat(10_000))],
        _ => return None,
    };
    Some((pieces, Duration::ZERO, true))
}

/// Answers nobody reads, connections that do nothing, and other protocols.
fn strange(kind: usize, target: &Target) -> Option<Sent> {
    let get = |path: &str, accept: &str| {
        let (address, key) = (&target.address, &target.key);
        format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nX-API-Key: {key}\r\nAccept: {accept}\r\n\r\n"
        )
        .into_bytes()
    };
    let (pieces, reads) = match kind {
        11 => (vec![get("/sse", "text/event-stream")], false),
        12 => (vec![get("/mcp/tools", "application/json"); 500], false),
        13 => (Vec::new(), false),
        14 => (
            vec![b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()],
            true,
        ),
        15 => (
            vec![b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), vec![0xff; 9]],
            true,
        ),
        _ => return None,
    };
    Some((pieces, Duration::ZERO, reads))
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

async fn go_on_misusing(kind: usize, target: Target) {
    while !target.is_over() {
        misuse(kind, &target).await;
        tokio::task::yield_now().await;
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
    for number in 0..4 * KINDS {
        abusers.spawn(go_on_misusing(number % KINDS, target.clone()));
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
