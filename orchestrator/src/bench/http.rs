//! Calls over HTTP, one connection each, with as little work of our own as can be: the measuring
//! program shares the machine with what it measures.

use super::{BenchError, echo};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::json;
use shared::tasks::Tasks;
use tokio::net::TcpStream;

/// Bytes of an answer shown when it is no result.
const SHOWN: usize = 300;

/// `tools/call` of one tool at a hub.
#[derive(Debug, Clone)]
pub struct HubDoor {
    /// `host:port`.
    address: String,
    key: HeaderValue,
    tool: HeaderValue,
    body: Bytes,
}

impl HubDoor {
    /// Calls the echo spoke's tool through the hub at `address` (`host:port`).
    ///
    /// # Errors
    /// [`BenchError::Setup`] when the key cannot be sent.
    pub fn echo(address: &str, key: &str) -> Result<Self, BenchError> {
        Self::tool(address, key, echo::TOOL, &json!({ "text": echo::TEXT }))
    }

    /// Calls `tool` through the hub at `address` (`host:port`).
    ///
    /// # Errors
    /// [`BenchError::Setup`] when the key or the tool's id cannot be sent.
    pub fn tool(
        address: &str,
        key: &str,
        tool: &str,
        arguments: &serde_json::Value,
    ) -> Result<Self, BenchError> {
        let header = |text: &str| {
            HeaderValue::try_from(text).map_err(|error| BenchError::Setup(error.to_string()))
        };
        let body = json!({
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {
                "name": tool,
                "arguments": arguments,
                "_meta": {
                    proto::mcp::META_PROTOCOL_VERSION: proto::mcp::MODERN,
                    proto::mcp::META_CLIENT_CAPABILITIES: {},
                    proto::mcp::META_CLIENT_INFO: {"name": "waygate-bench", "version": "1"},
                },
            },
        });
        Ok(Self {
            address: address.to_owned(),
            key: header(key)?,
            tool: header(tool)?,
            body: body.to_string().into(),
        })
    }

    pub(super) async fn connect(&self, tasks: &Tasks) -> Result<HubWorker, BenchError> {
        Ok(HubWorker {
            sender: self.open(tasks).await?,
            door: self.clone(),
            tasks: tasks.clone(),
        })
    }

    async fn open(&self, tasks: &Tasks) -> Result<SendRequest<Full<Bytes>>, BenchError> {
        let stream = TcpStream::connect(&self.address).await;
        let stream = stream.map_err(BenchError::Connect)?;
        stream.set_nodelay(true).map_err(BenchError::Connect)?;
        let opened = handshake(TokioIo::new(stream)).await;
        let (sender, connection) = opened.map_err(BenchError::Http)?;
        tasks.spawn("bench connection", async move {
            if let Err(error) = connection.await {
                tracing::debug!(event = "bench_connection", %error, "a connection ended");
            }
        });
        Ok(sender)
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, BenchError> {
        Request::post("/mcp")
            .header(HOST, &self.address)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .header("x-api-key", self.key.clone())
            .header("mcp-protocol-version", proto::mcp::MODERN)
            .header("mcp-method", "tools/call")
            .header("mcp-name", self.tool.clone())
            .body(Full::new(self.body.clone()))
            .map_err(|error| BenchError::Setup(error.to_string()))
    }
}

/// One connection to a hub.
pub(super) struct HubWorker {
    door: HubDoor,
    sender: SendRequest<Full<Bytes>>,
    tasks: Tasks,
}

impl HubWorker {
    /// One call. A connection that was closed is opened again first.
    pub(super) async fn call(&mut self) -> Result<(), BenchError> {
        if self.sender.is_closed() || self.sender.ready().await.is_err() {
            self.sender = self.door.open(&self.tasks).await?;
        }
        let request = self.door.request()?;
        let answer = self.sender.send_request(request).await;
        let answer = answer.map_err(BenchError::Http)?;
        let status = answer.status();
        let body = answer.into_body().collect().await;
        let body = body.map_err(BenchError::Http)?.to_bytes();
        if status == StatusCode::OK
            && holds(&body, br#""result":"#)
            && !holds(&body, br#""isError":true"#)
        {
            return Ok(());
        }
        let shown = body.get(..SHOWN).unwrap_or(&body);
        Err(BenchError::Answer {
            status: status.as_u16(),
            body: String::from_utf8_lossy(shown).into_owned(),
        })
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
