//! The hub's own tools, without a hub around them.

use orchestrator::approvals::{Approvals, ApprovalsConfig, ApprovalsParts};
use orchestrator::audit::Audit;
use orchestrator::keys::HubKey;
use orchestrator::master::{self, HealthProbe, MasterParts};
use orchestrator::metrics::Metrics;
use orchestrator::store::instance::Instance;
use orchestrator::store::{DatabaseUrl, Store, StoreConfig};
use orchestrator::upstream::{ToolFacts, Upstream};
use shared::clock::SystemClock;
use shared::redact::Redactor;
use std::sync::{Arc, Weak};
use tests::contract::described::Described;

/// What the hub offers itself.
pub(crate) async fn own_tools() -> Vec<Described> {
    let parts = MasterParts {
        registry: Weak::new(),
        metrics: Arc::new(Metrics::new("1.2.3")),
        probe: HealthProbe::new().unwrap(),
        clock: SystemClock::shared(),
        started: tokio::time::Instant::now(),
        version: "1.2.3",
        port: 8000,
    };
    let approvals = master::approval_tools(&approvals().await).unwrap();
    let own = master::upstream(&parts, approvals).unwrap();
    let tools = own.describe().await.unwrap().tools;
    tools.iter().map(|tool| described(tool)).collect()
}

async fn approvals() -> Arc<Approvals> {
    let url = DatabaseUrl::parse("sqlite::memory:").unwrap();
    let store = Store::open(StoreConfig { url, pool_size: 2 })
        .await
        .unwrap();
    let instance = Instance::visitor(store.clone(), SystemClock::shared());
    let key = Arc::new(HubKey::generate().unwrap());
    let audit = Audit::start(&instance, Arc::clone(&key), None)
        .await
        .unwrap();
    let parts = ApprovalsParts {
        store,
        audit: Arc::new(audit),
        key,
        redactor: Arc::new(Redactor::default()),
        clock: SystemClock::shared(),
    };
    Arc::new(Approvals::new(parts, ApprovalsConfig::default()))
}

/// What the hub knows of a tool.
fn described(tool: &ToolFacts) -> Described {
    let output = tool
        .output_schema
        .as_ref()
        .expect("the hub's own tools say what they give");
    Described {
        id: tool.id.to_string(),
        description: tool.description.clone(),
        input: serde_json::from_str(tool.input_schema.get()).unwrap(),
        output: serde_json::from_str(output.get()).unwrap(),
        effect: tool.effect.to_string(),
        per_call: tool.effect_per_call,
        idempotent: tool.idempotent,
        long_running: tool.long_running,
        destructive: tool.destructive,
        open_world: tool.open_world,
        aliases: tool.aliases.clone(),
    }
}
