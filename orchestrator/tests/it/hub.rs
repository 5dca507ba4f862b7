//! A whole hub in this process: its router, its store in a file, scripted tools behind it.

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use orchestrator::admin;
use orchestrator::approvals::{Approvals, ApprovalsConfig, ApprovalsParts};
use orchestrator::artefacts::{Artefacts, ArtefactsConfig};
use orchestrator::audit::Audit;
use orchestrator::auth::{Auth, AuthConfig, NewKey, Principal, Role};
use orchestrator::cache::{CacheConfig, ReadCache};
use orchestrator::calls::{self, Calls, Outward};
use orchestrator::gateway::{Gateway, GatewayConfig};
use orchestrator::keys::{HubKey, Seal};
use orchestrator::ledger::Ledger;
use orchestrator::limits::{Limits, LimitsConfig};
use orchestrator::master;
use orchestrator::metrics::Metrics;
use orchestrator::policy::{Policy, SHIPPED};
use orchestrator::programs::Programs;
use orchestrator::registry::{Registry, RegistryConfig, RegistryParts};
use orchestrator::resilience::ResilienceConfig;
use orchestrator::store::Store;
use orchestrator::store::instance::Instance;
use orchestrator::transport::views::{ViewSettings, Views};
use orchestrator::transport::{self, HttpSettings};
use orchestrator::upstream::local::LocalUpstream;
use orchestrator::workflow::{Outside, WorkflowConfig, Workflows};
use serde_json::{Value, json};
use shared::clock::{SharedClock, SystemClock, TestClock};
use shared::exec::{Executor, SearchPath};
use shared::outbound::Outbound;
use shared::redact::Redactor;
use shared::tasks::Tasks;
use shared::testkit::Script;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tower::ServiceExt;

use crate::fixture::open;

/// The revision without sessions.
pub(crate) const MODERN: &str = "2026-07-28";

/// A hub and keys to it.
pub(crate) struct TestHub {
    pub(crate) hub: transport::Hub,
    pub(crate) router: Router,
    pub(crate) script: Script,
    /// Role admin.
    pub(crate) admin: String,
    /// read and execute.
    pub(crate) user: String,
    /// Holds the store as long as the hub lives.
    _folder: tempfile::TempDir,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The data of every event of a stream.
    pub(crate) fn events(&self) -> Vec<Value> {
        let text = std::str::from_utf8(&self.body).unwrap();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }
}

impl TestHub {
    pub(crate) async fn start() -> Self {
        Self::with(HttpSettings::default(), LimitsConfig::default()).await
    }

    /// A hub whose dates are those of `clock`.
    pub(crate) async fn at(clock: &TestClock) -> Self {
        let settings = HttpSettings::default();
        Self::made(settings, LimitsConfig::default(), clock.shared()).await
    }

    pub(crate) async fn with(settings: HttpSettings, limits: LimitsConfig) -> Self {
        Self::made(settings, limits, SystemClock::shared()).await
    }

    async fn made(settings: HttpSettings, limits: LimitsConfig, clock: SharedClock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder.path().join("waygate.db")).await;
        let router = orchestrator::router::Router::default();
        let (gateway, instance) = gateway(&store, router.clone(), limits, clock).await;
        let registry = Registry::new(RegistryParts {
            config: RegistryConfig::default(),
            store: store.clone(),
            router,
            audit: Arc::clone(&gateway.audit),
            metrics: Arc::clone(&gateway.metrics),
            clock: Arc::clone(&gateway.clock),
            tasks: gateway.tasks.clone(),
        });
        let script = Script::new();
        let tools = LocalUpstream::new("77_test_mcp", "1", &["test"], script.tools()).unwrap();
        registry.add_own(Arc::new(tools)).await.unwrap();
        let settings = HttpSettings {
            data_folder: folder.path().to_owned(),
            ..settings
        };
        let gateway = Arc::new(gateway);
        let config = WorkflowConfig::default();
        let workflows = Workflows::new(Arc::clone(&gateway), instance, config);
        workflows.reach_out(outside());
        let artefacts = Artefacts::new(
            store.clone(),
            Arc::clone(&gateway.clock),
            Seal::fleeting(),
            ArtefactsConfig::default(),
        );
        let artefacts = Arc::new(artefacts);
        let own = own_tools(&gateway, &workflows, &artefacts);
        registry.add_own(Arc::new(own)).await.unwrap();
        registry.start().await.unwrap();
        workflows.take_up().await.unwrap();
        let mut hub = transport::Hub::new(gateway, registry, store, settings);
        hub.workflows = Some(workflows);
        hub.artefacts = Some(artefacts);
        hub.views = Arc::new(views());
        hub.readiness.started();
        Self {
            router: admin::router(hub.clone()),
            script,
            admin: key_for(&hub, Role::Admin, &EVERYTHING).await,
            user: key_for(&hub, Role::User, &["read", "execute"]).await,
            hub,
            _folder: folder,
        }
    }

    /// A key with these permissions.
    pub(crate) async fn key(&self, permissions: &[&str]) -> String {
        key_for(&self.hub, Role::ApiUser, permissions).await
    }

    /// Sends a request from loopback; `Host` is set unless the request has one.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        if !request.headers().contains_key("host") {
            request
                .headers_mut()
                .insert("host", "localhost".parse().unwrap());
        }
        let peer = SocketAddr::from(([127, 0, 0, 1], 40_000));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// A `GET` with a key; empty for none.
    pub(crate) async fn get(&self, path: &str, key: &str) -> Answer {
        self.send(a("GET", path, key).body(Body::empty()).unwrap())
            .await
    }

    /// A `POST` of JSON with a key; empty for none.
    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        let request = a("POST", path, key).header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    /// A modern request with the right headers and `_meta`.
    pub(crate) async fn modern(&self, method: &str, params: Value) -> Answer {
        self.send(modern(&self.user, method, params)).await
    }

    /// A legacy request of this revision, without a session.
    pub(crate) async fn legacy(&self, revision: &str, method: &str, params: &Value) -> Answer {
        self.send(
            legacy(&self.user, revision, method, params)
                .body(message(method, params))
                .unwrap(),
        )
        .await
    }

    /// A tool call through the modern door; the result.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let answer = self
            .modern("tools/call", json!({"name": tool, "arguments": arguments}))
            .await;
        answer.json().get("result").cloned().unwrap_or_default()
    }
}

const EVERYTHING: [&str; 8] = [
    "read",
    "write",
    "delete",
    "manage",
    "execute",
    "approvals:approve",
    "system:manage",
    "stdio:execute",
];

/// The hub's own tools that a test needs.
fn own_tools(
    gateway: &Gateway,
    workflows: &Arc<Workflows>,
    artefacts: &Arc<Artefacts>,
) -> LocalUpstream {
    let mut tools = master::workflow_tools(workflows).unwrap();
    tools.extend(master::artefact_tools(artefacts).unwrap());
    let executor = Executor::new(SearchPath::system(), gateway.tasks.clone()).unwrap();
    let programs = Programs::new(
        &["uname".to_owned(), "cat".to_owned(), "sleep".to_owned()],
        Some(executor),
        Arc::clone(&gateway.clock),
        gateway.tasks.clone(),
    );
    tools.extend(master::stdio_tools(&programs.unwrap(), &gateway.clock).unwrap());
    let namespaces = ["orchestrator", "workflow", "artefacts", "stdio"];
    LocalUpstream::new("00_master_mcp", "1", &namespaces, tools).unwrap()
}

/// A view of one tool under another name.
fn views() -> Views {
    let settings = ViewSettings {
        include: vec!["test.*".into()],
        exclude: vec!["test.set".into()],
        rename: [("test.echo".to_owned(), "say".to_owned())].into(),
        descriptions: [("test.echo".to_owned(), "Say it again.".to_owned())].into(),
        principals: vec!["viewer of desk".into()],
    };
    Views::new(&[("desk".to_owned(), settings)].into()).unwrap()
}

/// The steps of a call over `store`, under the shipped policies.
async fn gateway(
    store: &Store,
    router: orchestrator::router::Router,
    limits: LimitsConfig,
    clock: SharedClock,
) -> (Gateway, Instance) {
    let instance = Instance::register(store.clone(), Arc::clone(&clock))
        .await
        .unwrap();
    let key = Arc::new(HubKey::generate().unwrap());
    let audit = Arc::new(
        Audit::start(&instance, Arc::clone(&key), None)
            .await
            .unwrap(),
    );
    let redactor = Arc::new(Redactor::new());
    let approvals = ApprovalsParts {
        store: store.clone(),
        audit: Arc::clone(&audit),
        key,
        redactor: Arc::clone(&redactor),
        clock: Arc::clone(&clock),
    };
    let gateway = Gateway {
        config: GatewayConfig {
            normal_timeout: Duration::from_secs(30),
            long_timeout: Duration::from_secs(300),
            max_depth: 4,
        },
        auth: Arc::new(Auth::new(
            store.clone(),
            Arc::clone(&clock),
            AuthConfig::default(),
        )),
        router,
        policy: Arc::new(Policy::parse(SHIPPED).unwrap()),
        approvals: Arc::new(Approvals::new(approvals, ApprovalsConfig::default())),
        audit,
        limits: Arc::new(Limits::new(limits)),
        ledger: Arc::new(Ledger::new(&instance)),
        cache: Arc::new(ReadCache::new(&CacheConfig::default())),
        metrics: Arc::new(Metrics::new("test")),
        clock,
        redactor,
        tasks: Tasks::new(),
    };
    (gateway, instance)
}

/// The way to services on loopback.
fn outside() -> Outside {
    let outbound = Outbound::allowing(&["127.0.0.1"]).unwrap();
    let web = calls::Guarded::new(outbound).unwrap();
    let outward = Outward::new(Calls::new(Arc::new(web)));
    Outside::new(outward, None, ResilienceConfig::default())
}

async fn key_for(hub: &transport::Hub, role: Role, permissions: &[&str]) -> String {
    let new = NewKey {
        permissions: permissions.iter().map(ToString::to_string).collect(),
        role,
        ..NewKey::named("test")
    };
    let issued = hub
        .gateway
        .auth
        .create_key(&Principal::local("test"), new)
        .await;
    issued.unwrap().text.expose().to_owned()
}

/// A request with a key; empty for none.
pub(crate) fn a(method: &str, path: &str, key: &str) -> http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    if key.is_empty() {
        request
    } else {
        request.header("x-api-key", key)
    }
}

/// A modern request with the right headers and `_meta`.
pub(crate) fn modern(key: &str, method: &str, mut params: Value) -> Request<Body> {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let name = params
        .get("name")
        .or_else(|| params.get("taskId"))
        .and_then(Value::as_str)
        .map(str::to_owned);
    let own = params
        .as_object_mut()
        .unwrap()
        .entry("_meta")
        .or_insert(json!({}));
    for (key, value) in meta.as_object().unwrap() {
        let own = own.as_object_mut().unwrap();
        own.entry(key).or_insert(value.clone());
    }
    let mut request = a("POST", "/mcp", key)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", method);
    if let Some(name) = name {
        request = request.header("mcp-name", name);
    }
    request.body(message(method, &params)).unwrap()
}

/// A legacy request without its body.
pub(crate) fn legacy(key: &str, revision: &str, _: &str, _: &Value) -> http::request::Builder {
    a("POST", "/mcp", key)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", revision)
}

/// A JSON-RPC request with id 1.
pub(crate) fn message(method: &str, params: &Value) -> Body {
    Body::from(json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string())
}
