//! Results that hold secrets, and what other systems are told of runs.

use crate::hub::TestHub;
use crate::workflow_calls::{Service, run, until};
use async_trait::async_trait;
use orchestrator::approvals::sign_webhook;
use orchestrator::calls;
use orchestrator::upstream::local::LocalUpstream;
use orchestrator::workflow::Hook;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::outbound::Outbound;
use shared::secret::Secret;
use shared::tool::{Call, Effect, Spec, ToolError, TypedTool, boxed};
use std::sync::Arc;

const VALUE: &str = "hunter2-hunter2-hunter2";

/// A store of secrets that shows them.
struct Vault;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
struct Shown {
    value: &'static str,
}

#[async_trait]
impl TypedTool for Vault {
    type Arguments = Nothing;
    type Output = Shown;

    fn spec(&self) -> Spec {
        Spec::new("vault.get", Effect::Read, "Show it.").sensitive()
    }

    async fn run(&self, _: Nothing, _: &Call) -> Result<Shown, ToolError> {
        Ok(Shown { value: VALUE })
    }
}

/// Acceptance: 58
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_passes_through_a_run_is_nowhere_in_the_store() {
    let hub = TestHub::start().await;
    let vault = LocalUpstream::new("78_vault_mcp", "1", &["vault"], vec![boxed(Vault).unwrap()]);
    hub.hub
        .registry
        .add_own(Arc::new(vault.unwrap()))
        .await
        .unwrap();
    let tasks = json!([
        {"get": {"call": "vault.get", "with": {}, "export": {"as": "${ {secret: .value} }"}}},
        {"use": {"call": "test.echo", "with": {"text": "${ $context.secret }"}}},
        {"hear": {"listen": {"to": {"one": {"with": {"type": "com.example.went"}}}}}},
        {"end": {"set": {"long": "${ $context.secret | length }", "said": "${ $context.secret }"}}},
    ]);
    let started = json!({"workflow": {
        "document": {"dsl": "1.0.3", "namespace": "test", "name": "secret", "version": "1.0.0"},
        "do": tasks}});
    let started = hub.post("/api/workflows", &hub.user, &started).await.json();
    let id = &started["data"]["workflow_id"];
    until(&hub, id, |run| {
        run["waits"].to_string().contains("\"event\"")
    })
    .await;
    nowhere(&hub);
    let event = json!({"id": "1", "source": "test", "type": "com.example.went"});
    hub.post("/api/events", &hub.user, &event).await;
    let run = until(&hub, id, |run| run["status"] == "completed").await;
    assert_eq!(
        run["output"]["long"],
        VALUE.len(),
        "the state was read again: {run}"
    );
    assert!(!run.to_string().contains(VALUE), "{run}");
    assert_eq!(hub.script.runs("test.echo"), 1);
    nowhere(&hub);
}

/// The store's files hold the value in no form.
fn nowhere(hub: &TestHub) {
    for entry in std::fs::read_dir(&hub.hub.settings.data_folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(VALUE.len()).any(|it| it == VALUE.as_bytes());
            assert!(!found, "{}", path.display());
        }
    }
}

/// A hub that tells a service outside, and where that service is.
async fn told() -> (TestHub, Service, String) {
    let hub = TestHub::start().await;
    let service = Service::default();
    let address = service.serve().await;
    let outbound = Outbound::allowing(&["127.0.0.1"]).unwrap();
    let workflows = hub.hub.workflows.clone().unwrap();
    workflows.tell_of_runs(Hook {
        url: format!("{address}/hook").parse().unwrap(),
        secret: Secret::new("0123456789abcdef0123456789abcdef"),
        web: Arc::new(calls::Guarded::new(outbound).unwrap()),
    });
    (hub, service, address)
}

/// The events the service was told, once one of this type is among them.
async fn events(service: &Service, kind: &str) -> Vec<Value> {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let seen = service.seen();
        let told = seen.iter().filter(|(line, ..)| line == "POST /hook");
        let mut events = Vec::new();
        for (_, headers, body) in told {
            let at = headers["x-waygate-timestamp"].to_str().unwrap();
            let secret = Secret::new("0123456789abcdef0123456789abcdef");
            let signature = sign_webhook(&secret, at.parse().unwrap(), body.as_bytes());
            assert_eq!(
                headers["x-waygate-signature"],
                format!("sha256={signature}")
            );
            assert_eq!(headers["content-type"], "application/cloudevents+json");
            events.push(serde_json::from_str::<Value>(body).unwrap());
        }
        if events.iter().any(|it| it["type"] == kind) {
            return events;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "not in time: {events:?}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_system_is_told_of_the_life_of_a_run() {
    let (hub, service, _) = told().await;
    let run = run(
        &hub,
        json!([{"say": {"call": "test.echo", "with": {"text": "a"}}}]),
    )
    .await;
    let events = events(&service, "io.serverlessworkflow.workflow.completed.v1").await;
    assert_eq!(
        events[0]["type"],
        "io.serverlessworkflow.workflow.started.v1"
    );
    assert!(
        events.iter().all(|it| it["subject"] == run["workflow_id"]),
        "{events:?}"
    );
    assert_eq!(events[0]["correlationid"], run["correlation_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_called_when_a_step_has_failed_as_often_as_it_may() {
    let (hub, service, address) = told().await;
    let with = json!({"method": "get", "endpoint": format!("{address}/busy")});
    let run = run(&hub, json!([{"ask": {"call": "http", "with": with}}])).await;
    let kind = "dev.waygate.workflow.operator-needed.v1";
    let events = events(&service, kind).await;
    let needed = events.iter().find(|it| it["type"] == kind).unwrap();
    assert_eq!(needed["subject"], run["workflow_id"]);
    assert_eq!(needed["data"]["why"], "exhausted", "{needed}");
    assert_eq!(needed["data"]["error"]["status"], 503);
    let stands = until(&hub, &run["workflow_id"], |run| run["phase"] == "suspended").await;
    assert_eq!(stands["status"], "waiting");
}
