//! The hub's own tools, called as any caller calls them.

mod consent;

use super::*;
use crate::approvals::{Approvals, ApprovalsConfig, ApprovalsParts};
use crate::audit::Audit;
use crate::keys::HubKey;
use crate::policy::unproven;
use crate::registry::{RegistryConfig, RegistryParts, SpokeConfig};
use crate::resilience::{Guarded, ResilienceConfig};
use crate::router::Router;
use crate::store::instance::Instance;
use crate::store::{DatabaseUrl, Store, StoreConfig};
use crate::upstream::Upstream;
use crate::upstream::scripted::{Scripted, call_of};
use serde_json::{Value, json};
use shared::clock::SystemClock;
use shared::id::ToolId;
use shared::tasks::Tasks;
use shared::tool::Effect;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

struct Hub {
    parts: MasterParts,
    approvals: Arc<Approvals>,
    own: LocalUpstream,
    registry: Arc<Registry>,
}

async fn hub() -> Hub {
    let url = DatabaseUrl::parse("sqlite::memory:").unwrap();
    let metrics = Arc::new(Metrics::new("1"));
    let store = Store::open(StoreConfig { url, pool_size: 2 });
    let store = store.await.unwrap();
    let instance = Instance::visitor(store.clone(), SystemClock::shared());
    let key = Arc::new(HubKey::generate().unwrap());
    let audit = Arc::new(
        Audit::start(&instance, Arc::clone(&key), None)
            .await
            .unwrap(),
    );
    let approvals = ApprovalsParts {
        store: store.clone(),
        audit: Arc::clone(&audit),
        key,
        redactor: Arc::default(),
        clock: SystemClock::shared(),
    };
    let approvals = Arc::new(Approvals::new(approvals, ApprovalsConfig::default()));
    let registry = Registry::new(RegistryParts {
        config: RegistryConfig::default(),
        store,
        audit,
        router: Router::default(),
        metrics: Arc::clone(&metrics),
        clock: SystemClock::shared(),
        tasks: Tasks::new(),
    });
    let parts = MasterParts {
        registry: Arc::downgrade(&registry),
        metrics,
        probe: HealthProbe::new().unwrap(),
        clock: SystemClock::shared(),
        started: Instant::now(),
        version: "1.2.3",
        port: 8000,
    };
    let own = upstream(&parts, approval_tools(&approvals).unwrap()).unwrap();
    Hub {
        parts,
        approvals,
        own,
        registry,
    }
}

impl Hub {
    fn spoke(&self, number: u8, namespaces: &[&str], url: String) {
        let service: Arc<str> = format!("{number:02}_stub_mcp").into();
        let inner = Scripted::answering(Vec::new());
        let metrics = Arc::clone(&self.parts.metrics);
        let config = ResilienceConfig::default();
        let guarded = Guarded::new(Arc::clone(&service), inner, &config, metrics);
        let spoke = SpokeConfig {
            number,
            service,
            url,
            namespaces: namespaces.iter().map(|&name| name.to_owned()).collect(),
            long_running: Vec::new(),
        };
        let added = self
            .registry
            .add_spoke(spoke, Arc::new(guarded), Arc::default());
        added.unwrap();
    }

    async fn call(&self, tool: &str, arguments: Value) -> Result<Value, String> {
        self.call_by("key:test", tool, arguments).await
    }

    async fn call_by(&self, who: &str, tool: &str, arguments: Value) -> Result<Value, String> {
        let mut call = call_of(Effect::Read);
        call.call.principal = who.to_owned();
        call.call.deadline = Instant::now() + Duration::from_secs(300);
        call.tool = ToolId::parse(tool).unwrap();
        call.arguments = arguments.to_string().into();
        let permit = unproven::permit(&call.tool, call.effect);
        let output = self
            .own
            .call(&permit, &call)
            .await
            .map_err(|error| error.to_string())?;
        Ok(serde_json::from_str(output.structured.get()).unwrap())
    }
}

/// A health page with this status, or one that never answers.
async fn page(status: Option<u16>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            if let Some(status) = status {
                let mut request = [0; 1024];
                let _read = stream.read(&mut request).await;
                let body = r#"{"status":"x"}"#;
                let length = body.len();
                let answer =
                    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}");
                let _written = stream.write_all(answer.as_bytes()).await;
            }
            open.push(stream);
        }
    });
    url
}

/// Acceptance: 77
#[tokio::test]
async fn service_health_is_asked_of_all_at_once() {
    let hub = hub().await;
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    hub.spoke(1, &["os.linux", "linux"], page(Some(200)).await);
    hub.spoke(2, &["os.windows"], page(Some(500)).await);
    hub.spoke(3, &["cloud.azure"], closed);
    hub.spoke(4, &["cloud.gcloud"], page(None).await);
    hub.spoke(5, &["infra.vmware"], page(None).await);
    let began = Instant::now();
    let health = hub
        .call("master.getServiceHealth", json!({}))
        .await
        .unwrap();
    assert!(began.elapsed() < Duration::from_secs(6));
    assert_eq!(
        health,
        json!({
            "cloud.azure": "unreachable",
            "cloud.gcloud": "unreachable",
            "infra.vmware": "unreachable",
            "linux": "healthy",
            "os.linux": "healthy",
            "os.windows": "unhealthy",
        })
    );
}

#[tokio::test]
async fn system_health_shows_documents_and_breakers() {
    let hub = hub().await;
    hub.spoke(2, &["os.windows"], page(Some(503)).await);
    let health = hub.call("system.health", json!({})).await.unwrap();
    assert_eq!(
        health,
        json!({
            "orchestrator_status": "healthy",
            "orchestrator_name": "waygate",
            "downstream_services": {
                "os.windows": {
                    "status": "unhealthy",
                    "code": 503,
                    "details": {"status": "x"},
                    "breaker": "CLOSED",
                },
            },
        })
    );
}

#[tokio::test]
async fn services_and_the_hub_describe_themselves() {
    let hub = hub().await;
    hub.spoke(12, &["cmdb"], "http://127.0.0.1:8012".into());
    let more = approval_tools(&hub.approvals).unwrap();
    let own = upstream(&hub.parts, more).unwrap();
    hub.registry.add_own(Arc::new(own)).await.unwrap();
    let listed = hub.call("system.listServices", json!({})).await.unwrap();
    assert_eq!(listed["count"], 8);
    let cmdb = &listed["configured_services"][7];
    assert_eq!(cmdb["namespace"], "cmdb");
    assert_eq!(cmdb["url"], "http://127.0.0.1:8012");
    assert_eq!(
        (&cmdb["number"], &cmdb["transport"]),
        (&json!(12), &json!("grpc"))
    );
    assert_eq!(listed["configured_services"][0]["tool_count"], 10);
    let info = hub.call("master.getServerInfo", json!({})).await.unwrap();
    assert_eq!(info["name"], "waygate");
    assert_eq!(info["proxied_namespaces"], json!(["cmdb"]));
    assert_eq!(info["protocol_versions"][0], "2026-07-28");
    assert_eq!(
        (&info["version"], &info["port"]),
        (&json!("1.2.3"), &json!(8000))
    );
}

#[tokio::test]
async fn small_tools_check_their_arguments() {
    let hub = hub().await;
    let hello = hub.call("master.hello_world", json!({})).await.unwrap();
    assert_eq!(hello, json!({"message": "Hello, World!"}));
    let sum = hub
        .call("master.add_numbers", json!({"a": 2, "b": -5}))
        .await
        .unwrap();
    assert_eq!(sum, json!({"sum": -3}));
    for wrong in [
        json!({"a": 1}),
        json!({"a": 1, "b": "2"}),
        json!({"a": 1, "b": 2, "c": 3}),
    ] {
        let error = hub.call("master.add_numbers", wrong).await.unwrap_err();
        assert!(error.contains("INVALID_INPUT"), "{error}");
    }
    let large = json!({"a": i64::MAX, "b": 1});
    assert!(
        hub.call("master.add_numbers", large)
            .await
            .unwrap_err()
            .contains("too large")
    );
    assert!(
        hub.call("master.nothing", json!({}))
            .await
            .unwrap_err()
            .contains("TOOL_NOT_FOUND")
    );
}

#[tokio::test]
async fn metrics_are_summed_up() {
    use crate::metrics::ErrorType;
    let hub = hub().await;
    let took = Duration::from_millis(1);
    hub.parts
        .metrics
        .call_ended("s", "s.a", took, None::<ErrorType>);
    hub.parts
        .metrics
        .call_ended("s", "s.a", took, Some(ErrorType::Timeout));
    let seen = hub.call("system.getMetrics", json!({})).await.unwrap();
    assert_eq!(seen["service"], SERVICE);
    assert_eq!(seen["metrics"]["calls_total"], 2);
    assert_eq!(seen["metrics"]["errors_total"], 1);
    assert_eq!(seen["metrics"]["calls_by_tool"], json!({"s.a": 2}));
    assert!(seen["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn every_tool_fits_its_namespaces_and_is_a_read() {
    let hub = hub().await;
    let description = hub.own.describe().await.unwrap();
    assert_eq!(description.tools.len(), 10);
    for tool in &description.tools {
        let (prefix, _) = tool.id.as_str().split_once('.').unwrap();
        assert!(NAMESPACES.contains(&prefix), "{}", tool.id);
        assert_eq!(tool.effect, Effect::Read);
    }
}
