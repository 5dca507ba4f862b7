//! The registry over scripted spokes and a store in memory.

mod kept;
mod wire;

use super::*;
use crate::keys::HubKey;
use crate::policy::unproven;
use crate::resilience::ResilienceConfig;
use crate::store::instance::Instance;
use crate::store::{DatabaseUrl, StoreConfig};
use crate::upstream::local::LocalUpstream;
use crate::upstream::scripted::{Scripted, call_of};
use crate::upstream::{Description, Health, ToolFacts};
use serde_json::value::RawValue;
use shared::clock::SystemClock;
use shared::tool::Effect;
use tokio::time::Instant;

struct Fixture {
    registry: Arc<Registry>,
    router: Router,
    store: Store,
    tasks: Tasks,
    metrics: Arc<Metrics>,
    audit: Arc<Audit>,
}

async fn audit(store: &Store) -> Arc<Audit> {
    let instance = Instance::visitor(store.clone(), SystemClock::shared());
    let key = Arc::new(HubKey::generate().unwrap());
    Arc::new(Audit::start(&instance, key, None).await.unwrap())
}

async fn store() -> Store {
    let url = DatabaseUrl::parse("sqlite::memory:").unwrap();
    Store::open(StoreConfig { url, pool_size: 4 })
        .await
        .unwrap()
}

async fn over(store: Store) -> Fixture {
    let audit = audit(&store).await;
    let (router, tasks) = (Router::default(), Tasks::new());
    let metrics = Arc::new(Metrics::new("1"));
    let config = RegistryConfig {
        health_interval: Duration::from_millis(50),
        health_timeout: Duration::from_millis(200),
        first_reconnect: Duration::from_millis(10),
        longest_reconnect: Duration::from_millis(50),
        announce_after: Duration::from_millis(20),
        ..RegistryConfig::default()
    };
    let registry = Registry::new(RegistryParts {
        config,
        store: store.clone(),
        router: router.clone(),
        audit: Arc::clone(&audit),
        metrics: Arc::clone(&metrics),
        clock: SystemClock::shared(),
        tasks: tasks.clone(),
    });
    Fixture {
        registry,
        router,
        store,
        tasks,
        metrics,
        audit,
    }
}

fn facts(id: &str, description: &str) -> Arc<ToolFacts> {
    let facts = ToolFacts {
        id: ToolId::parse(id).unwrap(),
        title: String::new(),
        description: description.into(),
        input_schema: RawValue::from_string(r#"{"type":"object"}"#.into()).unwrap(),
        output_schema: None,
        effect: Effect::Read,
        effect_per_call: false,
        idempotent: true,
        long_running: false,
        destructive: false,
        open_world: false,
        sensitive: false,
        live: false,
        aliases: Vec::new(),
        wire: None,
        digest: String::new(),
    };
    Arc::new(facts.digested())
}

fn description(service: &str, tools: Vec<Arc<ToolFacts>>) -> Description {
    Description {
        service: service.into(),
        version: "1.0.0".into(),
        boot_id: "boot".into(),
        namespaces: Vec::new(),
        manifest_digest: crate::upstream::manifest_digest(&tools),
        tools,
        canary: None,
    }
}

/// Adds a scripted spoke; one without tools cannot be reached.
fn spoke(fixture: &Fixture, service: &str, namespaces: &[&str], tools: &[&str]) -> Arc<Scripted> {
    let scripted = Scripted::answering(Vec::new());
    if tools.is_empty() {
        *scripted.health.lock() = None;
    } else {
        let tools = tools.iter().map(|id| facts(id, "")).collect();
        *scripted.description.lock() = Some(description(service, tools));
    }
    let config = SpokeConfig {
        number: service.get(..2).unwrap().parse().unwrap(),
        service: service.into(),
        url: "http://127.0.0.1:1".into(),
        namespaces: namespaces.iter().map(|&name| name.to_owned()).collect(),
        long_running: vec![LONG.to_owned()],
    };
    let metrics = Arc::clone(&fixture.metrics);
    let upstream = Arc::clone(&scripted) as Arc<dyn Upstream>;
    let guarded = Guarded::new(
        service.into(),
        upstream,
        &ResilienceConfig::default(),
        metrics,
    );
    let added = fixture
        .registry
        .add_spoke(config, Arc::new(guarded), Arc::default());
    added.unwrap();
    scripted
}

/// A tool that is given the long time by the settings.
const LONG: &str = "cmdb.export";

fn names(fixture: &Fixture) -> Vec<String> {
    let snapshot = fixture.router.snapshot();
    let routes = snapshot.routes().iter();
    routes.map(|route| route.tool.id.to_string()).collect()
}

fn quarantined(fixture: &Fixture, tool: &str) -> bool {
    fixture.router.snapshot().resolve(tool).unwrap().quarantined
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} does not come true");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Acceptance: 28
#[tokio::test]
async fn tools_are_offered_under_the_longest_prefix_only() {
    let fixture = over(store().await).await;
    spoke(
        &fixture,
        "01_linux_cli_mcp",
        &["os.linux", "linux"],
        &["os.linux.cli.readFile"],
    );
    spoke(
        &fixture,
        "15_freqtrade_mcp",
        &["freqtrade", "trading.freqtrade"],
        &["freqtrade.knowledge.x"],
    );
    fixture.registry.start().await.unwrap();
    let snapshot = fixture.router.snapshot();
    let service = |name| snapshot.service_for(name).map(ToString::to_string);
    assert_eq!(
        service("os.linux.cli.readFile").as_deref(),
        Some("01_linux_cli_mcp")
    );
    assert_eq!(
        service("trading.freqtrade.knowledge.x").as_deref(),
        Some("15_freqtrade_mcp")
    );
    assert_eq!(service("nowhere.x"), None);
    assert_eq!(
        names(&fixture),
        ["freqtrade.knowledge.x", "os.linux.cli.readFile"]
    );
}

#[tokio::test]
async fn a_spoke_cannot_offer_tools_of_another_namespace() {
    let fixture = over(store().await).await;
    let web = [
        "web.search.find",
        "secrets.getSecret",
        "os.linux.runCommand",
        "nowhere.x",
        "web.searching.x",
    ];
    let scripted = spoke(&fixture, "06_web_search_mcp", &["web.search"], &web);
    let mut odd = ToolFacts::clone(&facts("web.search.other", ""));
    odd.aliases = vec!["secrets.get".into(), "web.search.o".into()];
    if let Some(description) = &mut *scripted.description.lock() {
        description.tools.push(Arc::new(odd.digested()));
    }
    spoke(&fixture, "13_secrets_mcp", &["secrets"], &[]);
    fixture.registry.start().await.unwrap();
    assert_eq!(names(&fixture), ["web.search.find", "web.search.other"]);
    let snapshot = fixture.router.snapshot();
    assert!(snapshot.resolve("secrets.get").is_err());
    assert!(snapshot.resolve("web.search.o").is_ok());
}

#[tokio::test]
async fn two_services_cannot_share_a_name_or_a_namespace() {
    let fixture = over(store().await).await;
    spoke(&fixture, "12_cmdb_mcp", &["cmdb"], &["cmdb.a"]);
    let add = |service: &str, namespace: &str| {
        let inner = Scripted::answering(Vec::new());
        let metrics = Arc::clone(&fixture.metrics);
        let guarded = Guarded::new(service.into(), inner, &ResilienceConfig::default(), metrics);
        let config = SpokeConfig {
            number: 1,
            service: service.into(),
            url: String::new(),
            namespaces: vec![namespace.into()],
            long_running: Vec::new(),
        };
        fixture
            .registry
            .add_spoke(config, Arc::new(guarded), Arc::default())
    };
    assert!(matches!(
        add("12_cmdb_mcp", "x"),
        Err(RegistryError::ServiceTwice(_))
    ));
    assert!(matches!(
        add("13_x", "cmdb"),
        Err(RegistryError::NamespaceTwice { .. })
    ));
    assert!(add("13_x", "cmdb.local").is_ok());
}

/// Acceptance: 90
#[tokio::test]
async fn a_spoke_that_is_down_costs_its_own_tools_only_and_is_found_again() {
    let fixture = over(store().await).await;
    let cmdb = spoke(&fixture, "12_cmdb_mcp", &["cmdb"], &["cmdb.a"]);
    let docs = spoke(&fixture, "11_documentation_mcp", &["docs"], &["docs.a"]);
    *docs.health.lock() = None;
    let began = Instant::now();
    fixture.registry.start().await.unwrap();
    assert!(
        began.elapsed() < Duration::from_millis(450),
        "a refused connection is an answer"
    );
    assert_eq!(names(&fixture), ["cmdb.a"]);
    let status = || -> Vec<_> {
        let services = fixture.registry.services();
        services
            .iter()
            .map(|service| service.status.as_str())
            .collect()
    };
    assert_eq!(status(), ["unreachable", "healthy"]);
    let shown = fixture.metrics.render();
    assert!(shown.contains(r#"mcp_service_health{service="12_cmdb_mcp"} 1"#));
    assert!(shown.contains(r#"mcp_service_health{service="11_documentation_mcp"} 0"#));
    *docs.health.lock() = Some(Health::Healthy);
    until("the spoke is found", || {
        names(&fixture) == ["cmdb.a", "docs.a"]
    })
    .await;
    *cmdb.health.lock() = None;
    until("the loss is seen", || {
        status() == ["healthy", "unreachable"]
    })
    .await;
    assert_eq!(
        names(&fixture),
        ["cmdb.a", "docs.a"],
        "the last known tools stay"
    );
}

#[tokio::test]
async fn one_missed_look_is_forgiven_and_three_are_not() {
    let fixture = over(store().await).await;
    let cmdb = spoke(&fixture, "12_cmdb_mcp", &["cmdb"], &["cmdb.a"]);
    let target = fixture.registry.target("12_cmdb_mcp").unwrap();
    let status = || target.status().as_str();
    assert!(fixture.registry.look(&target).await);
    *cmdb.health.lock() = None;
    for expected in ["healthy", "healthy", "unreachable"] {
        assert!(!fixture.registry.look(&target).await);
        assert_eq!(status(), expected);
    }
    *cmdb.health.lock() = Some(Health::Unhealthy);
    assert!(!fixture.registry.look(&target).await);
    assert_eq!(status(), "unhealthy");
    *cmdb.health.lock() = Some(Health::Degraded);
    assert!(fixture.registry.look(&target).await);
    assert_eq!(status(), "degraded");
}

#[tokio::test]
async fn listeners_are_told_once_of_many_changes_and_not_of_none() {
    let fixture = over(store().await).await;
    let cmdb = spoke(&fixture, "12_cmdb_mcp", &["cmdb"], &["cmdb.a"]);
    spoke(&fixture, "11_documentation_mcp", &["docs"], &["docs.a"]);
    let mut version = fixture.registry.version();
    fixture.registry.start().await.unwrap();
    version.changed().await.unwrap();
    let after_start = *version.borrow_and_update();
    let looks = cmdb.asked.lock().0;
    until("several looks", || cmdb.asked.lock().0 > looks + 4).await;
    assert_eq!(*version.borrow(), after_start, "nothing changed");
    let tools = vec![facts("cmdb.a", ""), facts("cmdb.new", "")];
    *cmdb.description.lock() = Some(description("12_cmdb_mcp", tools));
    version.changed().await.unwrap();
    assert_eq!(names(&fixture), ["cmdb.a", "cmdb.new", "docs.a"]);
}

/// Acceptance: 79
#[tokio::test]
async fn an_open_breaker_is_probed_and_ends_early() {
    let fixture = over(store().await).await;
    let cmdb = spoke(&fixture, "12_cmdb_mcp", &["cmdb"], &["cmdb.a"]);
    fixture.registry.start().await.unwrap();
    let route = Arc::clone(fixture.router.snapshot().resolve("cmdb.a").unwrap());
    let call = call_of(Effect::Read);
    let permit = unproven::permit(&call.tool, call.effect);
    cmdb.fail_next(5);
    let mut call_once = call.clone();
    call_once.idempotent = false;
    for _ in 0..5 {
        assert!(route.upstream.call(&permit, &call_once).await.is_err());
    }
    let refused = route.upstream.call(&permit, &call).await;
    assert!(matches!(refused, Err(UpstreamError::BreakerOpen { .. })));
    assert_eq!(fixture.registry.breakers()[0].state.as_str(), "OPEN");
    let began = Instant::now();
    until("the probe ends it", || {
        fixture.registry.breakers()[0].state.as_str() != "OPEN"
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(route.upstream.call(&permit, &call).await.is_ok());
}

#[tokio::test]
async fn an_operator_closes_breakers_by_service() {
    let fixture = over(store().await).await;
    spoke(&fixture, "12_cmdb_mcp", &["cmdb"], &["cmdb.a"]);
    assert!(fixture.registry.reset_breakers("12_cmdb_mcp"));
    assert!(!fixture.registry.reset_breakers("99_x"));
    assert_eq!(fixture.registry.breakers().len(), 2);
}

#[tokio::test]
async fn the_hubs_own_tools_are_offered_without_pins() {
    let fixture = over(store().await).await;
    let own =
        LocalUpstream::new("00_master_mcp", "1.0.0", &["master", "system"], Vec::new()).unwrap();
    fixture.registry.add_own(Arc::new(own)).await.unwrap();
    fixture.registry.start().await.unwrap();
    let services = fixture.registry.services();
    assert!(services[0].own && services[0].status.is_available());
    assert!(fixture.registry.pins().await.unwrap().is_empty());
    assert!(fixture.store.ping().await.is_ok());
}
