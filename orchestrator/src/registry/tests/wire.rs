//! The registry over stubs on real sockets.

use super::*;
use crate::upstream::UpstreamCall;
use crate::upstream::grpc::stub::{Script, Serving, TOKEN, serve};
use crate::upstream::grpc::{SpokeClient, SpokeTarget};
use shared::secret::Secret;

/// Every service of the catalogue with its namespaces.
const SERVICES: [(&str, &[&str]); 18] = [
    ("01_linux_cli_mcp", &["os.linux", "linux"]),
    ("02_windows_mcp", &["os.windows"]),
    ("03_azure_mcp", &["cloud.azure"]),
    ("04_google_cloud_mcp", &["cloud.gcloud"]),
    ("05_vmware_mcp", &["infra.vmware"]),
    ("06_web_search_mcp", &["web.search"]),
    ("07_web_browsing_mcp", &["web.browse"]),
    ("08_k8s_mcp", &["infra.k8s"]),
    ("09_n8n_mcp", &["workflows.n8n"]),
    ("10_macos_mcp", &["os.macos"]),
    ("11_documentation_mcp", &["docs"]),
    ("12_cmdb_mcp", &["cmdb"]),
    ("13_secrets_mcp", &["secrets"]),
    ("14_aider_mcp", &["aider"]),
    ("15_freqtrade_mcp", &["freqtrade", "trading.freqtrade"]),
    ("16_ai_models_mcp", &["ai.models"]),
    ("17_crypto_trader_mcp", &["crypto"]),
    ("18_vector_db_mcp", &["vector"]),
];

struct Wired {
    script: Arc<Script>,
    serving: Option<Serving>,
}

/// A stub with one tool per namespace, known to the registry.
async fn wired(fixture: &Fixture, key: &Arc<HubKey>, service: &str, namespaces: &[&str]) -> Wired {
    let tools: Vec<_> = namespaces
        .iter()
        .map(|name| format!("{name}.stub.tool"))
        .collect();
    let ids: Vec<_> = tools.iter().map(String::as_str).collect();
    let script = Script::new(service, &ids, key);
    let serving = serve(&script, 0).await;
    let restarted = Arc::new(Notify::new());
    let target = SpokeTarget {
        service: service.into(),
        url: serving.url(),
        token: Some(Secret::new(TOKEN)),
    };
    let clock = SystemClock::shared();
    let client = SpokeClient::new(&target, Arc::clone(key), clock, Arc::clone(&restarted)).unwrap();
    let metrics = Arc::clone(&fixture.metrics);
    let config = ResilienceConfig::default();
    let guarded = Guarded::new(service.into(), Arc::new(client), &config, metrics);
    let spoke = SpokeConfig {
        number: service.get(..2).unwrap().parse().unwrap(),
        service: service.into(),
        url: target.url,
        namespaces: namespaces.iter().map(|&name| name.to_owned()).collect(),
        long_running: Vec::new(),
    };
    fixture
        .registry
        .add_spoke(spoke, Arc::new(guarded), restarted)
        .unwrap();
    Wired {
        script,
        serving: Some(serving),
    }
}

async fn call(fixture: &Fixture, name: &str) -> Result<String, UpstreamError> {
    let snapshot = fixture.router.snapshot();
    let route = snapshot
        .resolve(name)
        .map_err(|error| UpstreamError::Refused(format!("{error:?}")))?;
    let call = UpstreamCall {
        tool: route.tool.id.clone(),
        ..call_of(Effect::Read)
    };
    let permit = unproven::permit(&call.tool, call.effect);
    let output = route.upstream.call(&permit, &call).await?;
    Ok(output.structured.get().to_owned())
}

/// Acceptance: 27, 28
#[tokio::test]
async fn a_tool_of_every_namespace_reaches_its_spoke() {
    let fixture = over(store().await).await;
    let key = Arc::new(HubKey::generate().unwrap());
    let mut stubs = Vec::new();
    for (service, namespaces) in SERVICES {
        stubs.push(wired(&fixture, &key, service, namespaces).await);
    }
    fixture.registry.start().await.unwrap();
    until("all are known", || names(&fixture).len() == 20).await;
    for (service, namespaces) in SERVICES {
        for namespace in namespaces {
            let answer = call(&fixture, &format!("{namespace}.stub.tool"))
                .await
                .unwrap();
            assert_eq!(answer, format!(r#"{{"from":"{service}"}}"#));
        }
    }
    let nowhere = call(&fixture, "cloud.other.stub.tool")
        .await
        .unwrap_err()
        .to_string();
    assert!(nowhere.contains("UnknownNamespace"), "{nowhere}");
    let sent: usize = stubs
        .iter()
        .map(|stub| stub.script.requests.lock().len())
        .sum();
    assert_eq!(sent, 20, "the unknown name reached nobody");
}

/// Acceptance: 30, 69, 79
#[tokio::test]
async fn a_killed_spoke_costs_its_tools_and_is_used_again_within_two_seconds() {
    let fixture = over(store().await).await;
    let key = Arc::new(HubKey::generate().unwrap());
    let mut cmdb = wired(&fixture, &key, "12_cmdb_mcp", &["cmdb"]).await;
    let _docs = wired(&fixture, &key, "11_documentation_mcp", &["docs"]).await;
    fixture.registry.start().await.unwrap();
    assert!(call(&fixture, "cmdb.stub.tool").await.is_ok());
    let port = cmdb.serving.take().unwrap().address.port();
    let status = || fixture.registry.services()[1].status;
    until("the loss is seen", || {
        status() == ServiceStatus::Unreachable
    })
    .await;
    let began = Instant::now();
    while call(&fixture, "cmdb.stub.tool").await.is_err() {
        assert!(
            call(&fixture, "docs.stub.tool").await.is_ok(),
            "others serve"
        );
        if fixture
            .registry
            .breakers()
            .iter()
            .any(|breaker| breaker.failures >= 5)
        {
            break;
        }
    }
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "errors come at once"
    );
    let refused = call(&fixture, "cmdb.stub.tool").await.unwrap_err();
    assert!(
        matches!(refused, UpstreamError::BreakerOpen { .. }),
        "{refused:?}"
    );
    *cmdb.script.boot_id.lock() = "boot-2".into();
    cmdb.serving = Some(serve(&cmdb.script, port).await);
    let back = Instant::now();
    while call(&fixture, "cmdb.stub.tool").await.is_err() {
        assert!(
            back.elapsed() < Duration::from_secs(2),
            "it is back and not found"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(status().is_available());
}
