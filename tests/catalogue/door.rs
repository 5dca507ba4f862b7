//! The ways in through which a tool is called over HTTP, and what comes back, in one form.

use crate::counted::{Spoke, TOKEN};
use proto::mcp;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

/// One way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `/mcp`, the stateless revision.
    Modern,
    /// `/mcp`, the newest revision with `initialize`.
    Legacy,
}

/// Somebody who calls at one address through one way.
pub(crate) struct Door {
    http: reqwest::Client,
    url: String,
    way: Way,
    /// Header name and value of the credential.
    credential: (&'static str, String),
    /// Given by a hub that keeps sessions.
    session: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Code of the tool error, or empty.
    pub(crate) code: String,
    /// Code of the JSON-RPC error, or 0.
    pub(crate) rpc: i64,
    /// The structured result, or null.
    pub(crate) result: Value,
    /// Everything.
    pub(crate) body: Value,
}

impl Answer {
    fn of(body: Value) -> Self {
        let code = body.pointer("/result/structuredContent/error/code");
        let failed = body.pointer("/result/isError").and_then(Value::as_bool) == Some(true);
        let result = body
            .pointer("/result/structuredContent")
            .filter(|_| !failed);
        Self {
            code: code.and_then(Value::as_str).unwrap_or_default().to_owned(),
            rpc: body
                .pointer("/error/code")
                .and_then(Value::as_i64)
                .unwrap_or_default(),
            result: result.cloned().unwrap_or_default(),
            body,
        }
    }

    /// Whether the arguments were refused with this field named.
    pub(crate) fn names(&self, field: &str) -> bool {
        let named = self
            .body
            .pointer("/error/data/field")
            .and_then(Value::as_str);
        let message = self.body.pointer("/error/message").and_then(Value::as_str);
        self.rpc == i64::from(mcp::code::INVALID_PARAMS)
            && named.is_some_and(|named| named == field || is_inside(named, field))
            && message.is_some_and(|message| message.contains(field))
    }
}

/// Whether a dotted path leads to a part of `field`.
pub(crate) fn is_inside(path: &str, field: &str) -> bool {
    path.strip_prefix(field)
        .is_some_and(|rest| rest.starts_with('.'))
}

impl Door {
    /// Straight to a spoke, past the hub.
    pub(crate) async fn of_spoke(spoke: &Spoke, way: Way) -> Self {
        Self::open(
            &spoke.url(),
            way,
            ("authorization", format!("Bearer {TOKEN}")),
        )
        .await
    }

    /// To a hub or a spoke.
    pub(crate) async fn open(url: &str, way: Way, credential: (&'static str, String)) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut door = Self {
            http,
            url: url.to_owned(),
            way,
            credential,
            session: None,
        };
        if way == Way::Legacy {
            door.session = door.initialize().await;
        }
        door
    }

    async fn initialize(&self) -> Option<String> {
        let params = json!({
            "protocolVersion": mcp::LEGACY[0],
            "capabilities": {},
            "clientInfo": {"name": "catalogue", "version": "1"},
        });
        let message = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params});
        let answer = self
            .request("initialize")
            .json(&message)
            .send()
            .await
            .unwrap();
        let session = answer.headers().get("mcp-session-id").cloned();
        let body: Value = answer.json().await.unwrap();
        assert!(body["result"]["serverInfo"].is_object(), "{body}");
        session.map(|session| session.to_str().unwrap().to_owned())
    }

    fn request(&self, method: &str) -> RequestBuilder {
        let (name, value) = &self.credential;
        let mut request = self
            .http
            .post(format!("{}/mcp", self.url))
            .header("accept", "application/json, text/event-stream")
            .header(*name, value);
        if self.way == Way::Modern {
            request = request.header("mcp-protocol-version", mcp::MODERN);
            request = request.header("mcp-method", method);
        } else if method != "initialize" {
            request = request.header("mcp-protocol-version", mcp::LEGACY[0]);
        }
        match &self.session {
            Some(session) => request.header("mcp-session-id", session),
            None => request,
        }
    }

    /// Any method.
    pub(crate) async fn ask(&self, method: &str, mut params: Value) -> Value {
        let mut request = self.request(method);
        if self.way == Way::Modern {
            params["_meta"][mcp::META_PROTOCOL_VERSION] = json!(mcp::MODERN);
            params["_meta"][mcp::META_CLIENT_CAPABILITIES] = json!({});
            if let Some(name) = params["name"].as_str() {
                request = request.header("mcp-name", name);
            }
        }
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = request.json(&message).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status} {error}: {text}"))
    }

    /// `tools/call`.
    pub(crate) async fn call(&self, tool: &str, arguments: &Value) -> Answer {
        let params = json!({"name": tool, "arguments": arguments});
        Answer::of(self.ask("tools/call", params).await)
    }
}
