//! A trail at work, for tests: what they write and how they ask about it.

use orchestrator::audit::{Audit, AuditOutcome, Event, Filter, Intent};
use orchestrator::keys::HubKey;
use orchestrator::store::instance::Instance;
use orchestrator::store::{Page, Statement, Store};
use serde_json::json;
use shared::clock::SharedClock;
use shared::id::CorrelationId;
use shared::tool::Effect;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) struct Trail {
    pub(crate) audit: Audit,
    pub(crate) instance: Instance,
    pub(crate) key: Arc<HubKey>,
}

impl Trail {
    pub(crate) async fn start(store: &Store, clock: SharedClock, file: Option<PathBuf>) -> Self {
        Self::with_key(
            store,
            clock,
            file,
            Arc::new(HubKey::from_bytes(&[0xa5; 32]).unwrap()),
        )
        .await
    }

    pub(crate) async fn with_key(
        store: &Store,
        clock: SharedClock,
        file: Option<PathBuf>,
        key: Arc<HubKey>,
    ) -> Self {
        let instance = Instance::register(store.clone(), clock).await.unwrap();
        let audit = Audit::start(&instance, Arc::clone(&key), file)
            .await
            .unwrap();
        Self {
            audit,
            instance,
            key,
        }
    }

    /// `count` events, one after the other.
    pub(crate) async fn write(&self, count: usize) {
        for n in 0..count {
            self.audit.event(event(&format!("k{n}"))).await.unwrap();
        }
    }

    /// The place and the reason of the first bad record, or `ok`.
    pub(crate) async fn verdict(&self) -> String {
        let report = self.audit.verify().await.unwrap();
        report.first_bad.map_or_else(
            || "ok".to_owned(),
            |bad| format!("{} {}", bad.seq, bad.reason),
        )
    }

    pub(crate) async fn codes(&self, tool: &str) -> Vec<String> {
        let filter = Filter {
            resource_id: Some(tool.to_owned()),
            ..Filter::default()
        };
        let listed = self.audit.list(&filter, Page::new(1, 100)).await.unwrap();
        let word = |row: &orchestrator::audit::AuditRow| {
            row.code
                .clone()
                .unwrap_or_else(|| row.phase.as_str().to_owned())
        };
        listed.rows.iter().rev().map(word).collect()
    }
}

pub(crate) fn event(resource: &str) -> Event {
    Event {
        action: "key.created",
        resource_type: "api_key",
        resource_id: resource.to_owned(),
        actor: "key:1".into(),
        organization: "default".into(),
        address: Some([127, 0, 0, 1].into()),
        details: json!({ "name": "ci" }),
        correlation_id: Some(CorrelationId::parse("abc").unwrap()),
    }
}

pub(crate) fn intent(tool: &str, effect: Effect) -> Intent {
    Intent {
        call_id: uuid::Uuid::now_v7().to_string(),
        principal: "key:1".into(),
        organization: "default".into(),
        namespace: "default".into(),
        tool: tool.into(),
        service: "12_cmdb_mcp".into(),
        effect,
        arguments: json!({ "name": "a\n\u{1b}[2J", "password": "[redacted]" }),
        arguments_hash: "ab".into(),
        correlation_id: CorrelationId::parse("abc").unwrap(),
        request_id: "req_1".into(),
        address: None,
        door: "mcp",
        idempotency_key: Some("k".to_owned()),
    }
}

pub(crate) fn ok() -> AuditOutcome {
    AuditOutcome {
        code: "OK",
        rule: Some("base".to_owned()),
        approval_id: None,
        duration: Duration::from_micros(1500),
        output_bytes: 12,
        cached: false,
        replayed: false,
    }
}

pub(crate) async fn sql(store: &Store, statements: &[&'static str]) {
    let batch = statements.iter().map(|sql| Statement::new(sql)).collect();
    store.write(batch).await.unwrap();
}
