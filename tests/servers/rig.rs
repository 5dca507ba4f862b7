//! A hub that may start and reach the servers of these tests, and what they ask of it.

use crate::installed;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tests::ground::Ground;
use tests::stack::Stack;
use tokio::time::Instant;

/// How long something may take to come true.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running hub without spokes.
pub(crate) struct Rig {
    pub(crate) stack: Stack,
    client: reqwest::Client,
}

impl Rig {
    pub(crate) fn start() -> Self {
        let allowed = format!("node,{}", installed::python());
        let ground = Ground::prepare(&[
            ("WAYGATE_STDIO_ALLOW", allowed.as_str()),
            ("WAYGATE_OUTBOUND_ALLOW", "127.0.0.1"),
            ("WAYGATE_RATE_LIMIT", "0"),
        ]);
        let base = ground
            .environment()
            .iter()
            .find(|(name, _)| name == "WAYGATE_BASE_DIR")
            .unwrap()
            .1
            .clone();
        let settings = json!({
            "third_party": {"starts_per_minute": 1000},
            "spokes": {"health_interval_seconds": 1},
            "limits": {"user_per_minute": 0, "endpoint_per_minute": 0, "organization_per_minute": 0},
        });
        let file = Path::new(&base).join("config/development.yaml");
        std::fs::write(file, settings.to_string()).unwrap();
        Self {
            stack: ground.open(),
            client: reqwest::Client::new(),
        }
    }

    /// Asks the hub as its operator; status and body.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.stack.url);
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self
            .client
            .request(method, url)
            .header("X-API-Key", &self.stack.operator);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    /// Registers a server; the answer's `data`.
    pub(crate) async fn register(&self, specification: &Value) -> Value {
        let (status, body) = self
            .ask("POST", "/gateway/servers", Some(specification))
            .await;
        assert_eq!(status, 201, "{body}\n{}", self.stack.hub.log());
        body["data"].clone()
    }

    /// Calls a tool by the server's own name of it; the server's result, or the hub's error.
    pub(crate) async fn call(
        &self,
        server: &str,
        tool: &str,
        arguments: &Value,
    ) -> Result<Value, Value> {
        let path = format!("/gateway/servers/{server}/tools/{tool}");
        let (status, mut body) = self.ask("POST", &path, Some(arguments)).await;
        match status {
            200 => Ok(body["data"].take()),
            _ => Err(body),
        }
    }

    /// Names of one of a server's lists.
    pub(crate) async fn names(&self, server: &str, list: &str) -> Vec<String> {
        let (status, body) = self
            .ask("GET", &format!("/gateway/servers/{server}/{list}"), None)
            .await;
        assert_eq!(status, 200, "{body}");
        let entries = body["data"].as_array().unwrap();
        let name = |entry: &Value| entry["name"].as_str().unwrap().to_owned();
        entries.iter().map(name).collect()
    }

    /// Waits until a server has this status.
    pub(crate) async fn until_status(&self, server: &str, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let path = format!("/gateway/servers/{server}");
            let (_, body) = self.ask("GET", &path, None).await;
            if body["data"]["status"] == wanted {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{server} is not {wanted}: {body}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// A server that is reached over HTTP, started and ended by the test.
pub(crate) struct Remote {
    child: Child,
    program: (String, Vec<String>),
    port: u16,
}

impl Remote {
    /// Starts it on a port of its own and waits until it listens.
    pub(crate) fn start((command, mut args): (String, Vec<String>)) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        args.push(port.to_string());
        let program = (command, args);
        let child = spawn(&program, port);
        Self {
            child,
            program,
            port,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same port.
    pub(crate) fn revive(&mut self) {
        self.child = spawn(&self.program, self.port);
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn((command, args): &(String, Vec<String>), port: u16) -> Child {
    let mut child = Command::new(command)
        .args(args)
        .env("WAYGATE_SERVERS", installed::folder())
        .env("PORT", port.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drain(&mut child);
    for _ in 0..600 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return child;
        }
        if let Some(status) = child.try_wait().unwrap() {
            panic!("{command} {args:?} ended: {status}");
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    panic!("{command} {args:?} does not listen");
}

/// Reads what it prints, so that it never waits for a reader.
fn drain(child: &mut Child) {
    let pipe = child.stdout.take().unwrap();
    std::thread::spawn(move || BufReader::new(pipe).lines().for_each(drop));
}

/// What a tool answered, as text.
pub(crate) fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_default()
}
