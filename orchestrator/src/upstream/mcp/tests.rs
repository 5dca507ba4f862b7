//! The client against a stateless server of these tests, byte for byte.

use super::*;
use crate::policy::unproven;
use crate::upstream::Upstream;
use crate::upstream::offers::{Bridge, Host, HostAbilities, HostRefusal, HostRequest};
use crate::upstream::scripted::call_of;
use ::http::{HeaderMap, StatusCode};
use async_trait::async_trait;
use axum::routing::post;
use axum::{Json, Router, extract::State};
use serde_json::{Value, json};
use shared::id::ToolId;
use shared::tool::Effect;

/// What the server answers to `tools/call`; odd on purpose.
const ODD: &str = r#"{"zeta":1.0,"content":[{"type":"hologram","x":9007199254740993123,"annotations":{"audience":["martian"]}}],"resultType":"complete","_meta":{"vendor":true}}"#;

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<(HeaderMap, Value)>>>);

async fn answer(
    State(seen): State<Seen>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, String) {
    let (id, method) = (
        body["id"].clone(),
        body["method"].as_str().unwrap().to_owned(),
    );
    let resumed = body["params"]["inputResponses"]["q"]["action"] == "accept";
    let name = body["params"]["name"].clone();
    seen.0.lock().push((headers, body));
    let result = match method.as_str() {
        "server/discover" => json!({"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "fake", "version": "3"}}})
        .to_string(),
        "tools/list" => json!({"tools": [
            {"name": "odd", "annotations": {"readOnlyHint": true}, "inputSchema": {"type": "object",
                "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}},
            {"name": "asks", "annotations": {"readOnlyHint": true}, "inputSchema": {"type": "object"}},
        ]})
        .to_string(),
        _ if name == "asks" && !resumed => json!({"resultType": "input_required", "requestState": "s1",
            "inputRequests": {"q": {"method": "elicitation/create", "params": {"message": "?"}}}})
        .to_string(),
        _ => ODD.to_owned(),
    };
    (
        StatusCode::OK,
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#),
    )
}

struct NoCredentials;

#[async_trait]
impl Credentials for NoCredentials {
    async fn headers(&self) -> Result<HeaderMap, UpstreamError> {
        Ok(HeaderMap::new())
    }

    async fn challenged(&self, _: StatusCode, _: Option<&str>) -> bool {
        false
    }
}

/// A client whose user says yes.
struct Agreeable {
    hands_on: bool,
}

#[async_trait]
impl Host for Agreeable {
    fn abilities(&self) -> HostAbilities {
        let elicitation = RawValue::from_string("{}".into()).unwrap();
        HostAbilities {
            elicitation: Some(elicitation.into()),
            ..HostAbilities::default()
        }
    }

    fn takes_input_required(&self) -> bool {
        self.hands_on
    }

    async fn ask(
        &self,
        server: &str,
        requests: Vec<HostRequest>,
    ) -> Result<Vec<Box<RawValue>>, HostRefusal> {
        assert_eq!((server, requests[0].key.as_str()), ("fake", "q"));
        Ok(vec![
            RawValue::from_string(r#"{"action":"accept"}"#.into()).unwrap(),
        ])
    }

    fn log(&self, _: &str, _: &RawValue) {}
}

async fn served(seen: Seen) -> (Arc<McpServer>, Tasks) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/mcp", post(answer)).with_state(seen);
    let tasks = Tasks::new();
    tasks.spawn("fake", async move {
        axum::serve(listener, router).await.unwrap();
    });
    let config = McpConfig {
        name: "fake".into(),
        endpoint: Endpoint::Http {
            url: format!("http://{address}/mcp").parse().unwrap(),
            client: reqwest::Client::new(),
            credentials: Arc::new(NoCredentials),
        },
        isolation: Isolation::Shared,
        interactive: true,
        effects: Effects::default(),
        timeout: Duration::from_secs(5),
        starts_per_minute: 5,
    };
    (
        McpServer::new(config, &Changes::default(), Arc::default(), tasks.clone()),
        tasks,
    )
}

fn call(tool: &str, arguments: &'static str, bridge: Bridge) -> (UpstreamCall, Permit) {
    let mut call = call_of(Effect::Read);
    call.tool = ToolId::parse(tool).unwrap();
    call.arguments = arguments.into();
    call.bridge = bridge;
    let permit = unproven::permit(&call.tool, Effect::Read);
    (call, permit)
}

#[tokio::test]
async fn a_stateless_server_is_spoken_to_in_its_own_manner_and_its_bytes_are_kept() {
    let seen = Seen::default();
    let (server, _tasks) = served(seen.clone()).await;
    let description = server.describe().await.unwrap();
    assert_eq!(
        (description.version.as_str(), description.tools.len()),
        ("3", 2)
    );
    let mut bridge = Bridge::none();
    let meta = r#"{"vendor/x":1,"waygate/approvalToken":"t","progressToken":9}"#;
    bridge.meta = Some(RawValue::from_string(meta.into()).unwrap().into());
    let (call, permit) = call("fake.odd", r#"{"region":"eu", "n":1.0}"#, bridge);
    let output = server.call(&permit, &call).await.unwrap();
    assert_eq!(output.wire.unwrap().json.get(), ODD);
    let seen = seen.0.lock();
    let (headers, body) = seen.last().unwrap();
    for (name, value) in [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "odd"),
        ("mcp-param-region", "eu"),
    ] {
        assert_eq!(headers[name], value);
    }
    let sent = &body["params"]["_meta"];
    assert_eq!(sent["vendor/x"], 1);
    assert_eq!(
        sent["io.modelcontextprotocol/protocolVersion"],
        "2026-07-28"
    );
    assert!(sent.get("waygate/approvalToken").is_none() && sent.get("progressToken").is_none());
}

#[tokio::test]
async fn questions_are_handed_on_where_the_host_takes_them_and_asked_where_not() {
    let seen = Seen::default();
    let (server, _tasks) = served(seen.clone()).await;
    let (held, permit) = call(
        "fake.asks",
        "{}",
        Bridge::to(Arc::new(Agreeable { hands_on: false })),
    );
    let output = server.call(&permit, &held).await.unwrap();
    assert_eq!(output.wire.unwrap().json.get(), ODD);
    assert_eq!(
        seen.0.lock().last().unwrap().1["params"]["requestState"],
        "s1"
    );
    let (handed, permit) = call(
        "fake.asks",
        "{}",
        Bridge::to(Arc::new(Agreeable { hands_on: true })),
    );
    let asked = server.call(&permit, &handed).await.unwrap_err();
    let UpstreamError::InputRequired(asked) = asked else {
        panic!("{asked}");
    };
    assert!(asked.json.get().contains("\"s1\""));
    let (nobody, permit) = call("fake.asks", "{}", Bridge::none());
    let refused = server.call(&permit, &nobody).await.unwrap_err();
    assert!(matches!(refused, UpstreamError::Tool(_)), "{refused}");
}
