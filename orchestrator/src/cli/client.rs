//! A client of a running hub, over the same doors everybody uses.

use super::{Context, EXIT_DENIED, EXIT_LATER, EXIT_UNAVAILABLE, Failure};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use shared::secret::{FileThenEnvironment, Secret, SecretProvider};
use std::time::Duration;

/// Speaks to one hub with one key.
pub(crate) struct HubClient {
    http: reqwest::Client,
    base: String,
    key: Option<Secret>,
}

/// A refusal of the hub, as its envelope or JSON-RPC error says.
pub(crate) struct Refusal {
    status: u16,
    code: String,
    message: String,
}

impl Context {
    /// A client with the address and the key of flags and environment.
    pub(crate) fn client(&self) -> Result<HubClient, Failure> {
        let configured = self.global.url.as_deref();
        let address = configured.or_else(|| self.environment.get("WAYGATE_URL"));
        self.client_at(address.unwrap_or("http://127.0.0.1:8000"))
    }

    /// A client of the hub at `base`, with the key of flags and environment.
    pub(crate) fn client_at(&self, base: &str) -> Result<HubClient, Failure> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(330))
            .connect_timeout(Duration::from_secs(5))
            .no_proxy()
            .build()
            .map_err(|error| Failure::failed(format!("no HTTP client: {error}")))?;
        let key = self.key()?;
        Ok(HubClient {
            http,
            base: base.trim_end_matches('/').to_owned(),
            key,
        })
    }

    fn key(&self) -> Result<Option<Secret>, Failure> {
        if let Some(path) = &self.global.key_file {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Failure::failed(format!("--key-file: {error}")))?;
            return Ok(Some(Secret::new(text.trim())));
        }
        FileThenEnvironment::new(self.environment.clone())
            .get("API_KEY")
            .map_err(|error| Failure::config(&error))
    }
}

impl HubClient {
    /// The same client with another key.
    pub(crate) fn with_key(mut self, key: Secret) -> Self {
        self.key = Some(key);
        self
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.send(Method::DELETE, path, None).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.header("X-API-Key", key.expose());
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let value = json_of(answer).await?;
        if status.is_success() {
            return Ok(value.get("data").cloned().unwrap_or(value));
        }
        Err(refusal(status.as_u16(), &value).into())
    }

    /// One `tools/call` in the stateless revision; the result object as it came.
    pub(crate) async fn call_tool(
        &self,
        tool: &str,
        arguments: &Value,
        approval_token: Option<&str>,
    ) -> Result<Value, Failure> {
        let mut meta = json!({
            proto::mcp::META_PROTOCOL_VERSION: proto::mcp::MODERN,
            proto::mcp::META_CLIENT_CAPABILITIES: {},
            proto::mcp::META_CLIENT_INFO: {"name": "waygate-cli", "version": env!("CARGO_PKG_VERSION")},
        });
        if let (Some(token), Some(meta)) = (approval_token, meta.as_object_mut()) {
            meta.insert("waygate/approvalToken".into(), json!(token));
        }
        let body = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments, "_meta": meta},
        });
        let mut request = self
            .http
            .post(format!("{}/mcp", self.base))
            .header("Accept", "application/json, text/event-stream")
            .header("MCP-Protocol-Version", proto::mcp::MODERN)
            .header("Mcp-Method", "tools/call")
            .header("Mcp-Name", tool)
            .json(&body);
        if let Some(key) = &self.key {
            request = request.header("X-API-Key", key.expose());
        }
        let answer = request
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let status = answer.status().as_u16();
        let mut value = json_of(answer).await?;
        match value.get_mut("result").map(Value::take) {
            Some(result) => Ok(result),
            None => Err(refusal(status, &value).into()),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let why = if error.is_timeout() {
            "did not answer in time"
        } else {
            "cannot be reached"
        };
        Failure::new(
            EXIT_UNAVAILABLE,
            format!("the hub at {} {why}; is it running?", self.base),
        )
    }
}

async fn json_of(answer: Response) -> Result<Value, Failure> {
    let status = answer.status();
    let bytes = answer.bytes().await.map_err(|error| {
        Failure::new(EXIT_UNAVAILABLE, format!("the answer broke off: {error}"))
    })?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|_error| {
        Failure::failed(format!(
            "the answer ({status}) is not the hub's; check --url"
        ))
    })
}

fn refusal(status: u16, value: &Value) -> Refusal {
    let error = value.get("error").cloned().unwrap_or_default();
    let code = error.pointer("/data/code").or_else(|| error.get("code"));
    Refusal {
        status,
        code: code
            .map(|code| {
                code.as_str()
                    .map_or_else(|| code.to_string(), str::to_owned)
            })
            .unwrap_or_default(),
        message: error
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or("no message")
            .to_owned(),
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.status {
            401 | 403 => EXIT_DENIED,
            429 | 503 => EXIT_LATER,
            _ => super::EXIT_FAILED,
        };
        let hint = if refusal.status == 401 {
            "; set WAYGATE_API_KEY or --key-file"
        } else {
            ""
        };
        Self::new(
            code,
            format!("{} ({}){hint}", refusal.message, refusal.code),
        )
    }
}
