//! Each tool against the stub.

use serde_json::{Value, json};
use shared::error::Code;
use shared::tool::{Effect, ToolError};
use spoke_09_n8n_mcp::SERVICE;
use tests::n8n::{KEY, N8n};
use tests::rig::Rig;

const LIST: &str = "workflows.n8n.workflows.listWorkflows";
const GET: &str = "workflows.n8n.workflows.getWorkflow";
const ON: &str = "workflows.n8n.workflows.activateWorkflow";
const OFF: &str = "workflows.n8n.workflows.deactivateWorkflow";
const TRIGGER: &str = "workflows.n8n.executions.triggerWorkflow";
const EXECUTIONS: &str = "workflows.n8n.executions.listExecutions";
const EXECUTION: &str = "workflows.n8n.executions.getExecution";

async fn before(stub: &N8n) -> Rig {
    Rig::start(
        &SERVICE,
        &[
            ("N8N_API_URL", &stub.url()),
            ("N8N_API_KEY", KEY),
            ("WAYGATE_OUTBOUND_ALLOW", "127.0.0.1"),
        ],
    )
    .await
}

async fn triggered(rig: &mut Rig, arguments: Value) -> Result<Value, ToolError> {
    rig.approved(TRIGGER, arguments, Effect::Mutate).await
}

/// Acceptance: 65
#[tokio::test]
async fn workflows_are_listed_page_by_page_and_read() {
    let stub = N8n::start().await;
    let mut n8n = before(&stub).await;
    let first = n8n
        .call(LIST, json!({"active": true, "limit": 2}))
        .await
        .unwrap();
    assert_eq!(
        first["workflows"][0],
        json!({
            "id": "posted", "name": "Flow posted", "active": true, "tags": ["ops"],
            "created_at": "2026-01-02T03:04:05.678Z", "updated_at": "2026-02-03T04:05:06.789Z",
            "trigger_types": ["n8n-nodes-base.webhook"],
        })
    );
    assert_eq!(first["count"], 2);
    let cursor = first["next_cursor"].clone();
    let arguments = json!({"active": true, "limit": 2, "cursor": cursor});
    let second = n8n.call(LIST, arguments).await.unwrap();
    assert_eq!(second["workflows"][0]["id"], "timed");
    assert_eq!(second["next_cursor"], Value::Null);
    let whole = n8n.call(GET, json!({"id": "fetched"})).await.unwrap();
    assert_eq!(whole["nodes"][0]["parameters"]["path"], "look");
    assert_eq!(whole["settings"]["executionOrder"], "v1");
    assert_eq!(
        stub.seen(),
        [
            "GET /api/v1/workflows?limit=2&active=true",
            "GET /api/v1/workflows?limit=2&active=true&cursor=after-2",
            "GET /api/v1/workflows/fetched",
        ]
    );
}

#[tokio::test]
async fn workflows_are_switched_with_approval_only() {
    let stub = N8n::start().await;
    let mut n8n = before(&stub).await;
    for tool in [ON, OFF, TRIGGER] {
        let refused = n8n.call(tool, json!({"id": "idle"})).await.unwrap_err();
        assert_eq!(refused.code, Code::ApprovalRequired);
    }
    let summary = n8n.summary(ON, json!({"id": "idle"})).await;
    assert!(summary.contains("\"Flow idle\""), "{summary}");
    for (tool, active) in [(ON, true), (ON, true), (OFF, false)] {
        let arguments = json!({"id": "idle"});
        let flow = n8n.approved(tool, arguments, Effect::Mutate).await.unwrap();
        assert_eq!(flow["active"], active);
    }
}

/// Acceptance: 65
#[tokio::test]
async fn a_trigger_calls_the_webhook_and_finds_its_execution() {
    let stub = N8n::start().await;
    let mut n8n = before(&stub).await;
    let arguments = json!({"id": "posted", "data": {"ref": "main", "n": [1]}});
    let summary = n8n.summary(TRIGGER, arguments.clone()).await;
    assert!(summary.contains("\"ref\": \"main\""), "{summary}");
    let started = triggered(&mut n8n, arguments).await.unwrap();
    assert_eq!(
        started,
        json!({"execution_id": "100", "status": "running",
               "response": {"message": "Workflow was started"}})
    );
    let called = "POST /webhook/deploy {\"ref\":\"main\",\"n\":[1]}";
    assert!(stub.seen().iter().any(|line| line == called));
    let arguments = json!({"id": "fetched", "data": {"q": "a b", "n": 2}, "wait": true});
    let ended = triggered(&mut n8n, arguments).await.unwrap();
    assert_eq!(
        (&ended["execution_id"], &ended["status"]),
        (&json!("101"), &json!("success"))
    );
    assert!(
        stub.seen()
            .iter()
            .any(|line| line == "GET /webhook/look?q=a+b&n=2")
    );
    let listed = n8n
        .call(EXECUTIONS, json!({"workflowId": "fetched"}))
        .await
        .unwrap();
    assert_eq!(
        listed["executions"][0]["finished_at"],
        "2026-03-01T00:00:09Z"
    );
    assert_eq!(listed["count"], 1);
    let running = n8n
        .call(EXECUTIONS, json!({"status": "running"}))
        .await
        .unwrap();
    assert_eq!(running["executions"][0]["id"], "100");
    let plain = n8n.call(EXECUTION, json!({"id": "101"})).await.unwrap();
    assert_eq!(plain["data"], Value::Null);
    let arguments = json!({"id": "101", "include_data": true});
    let data = n8n.call(EXECUTION, arguments).await.unwrap();
    assert_eq!(data["data"]["resultData"]["lastNodeExecuted"], "Webhook");
}

#[tokio::test]
async fn a_workflow_that_cannot_be_triggered_says_why_and_nothing_is_sent() {
    let stub = N8n::start().await;
    let mut n8n = before(&stub).await;
    for (id, data, code) in [
        ("timed", json!({}), Code::NotSupported),
        ("idle", json!({}), Code::Conflict),
        ("nothing", json!({}), Code::NotFound),
        ("fetched", json!({"deep": {"x": 1}}), Code::InvalidInput),
    ] {
        let error = triggered(&mut n8n, json!({"id": id, "data": data}))
            .await
            .unwrap_err();
        assert_eq!(
            (error.code, error.did_not_run),
            (code, true),
            "{id}: {error}"
        );
    }
    let seen = stub.seen();
    assert!(
        seen.iter().all(|line| !line.contains("/webhook/")),
        "{seen:?}"
    );
}

#[tokio::test]
async fn refusals_are_told_without_what_does_not_belong_to_the_caller() {
    let stub = N8n::start().await;
    let mut n8n = before(&stub).await;
    let secret = json!({"message": "password hunter2"});
    for (status, code, retryable) in [
        (403, Code::BadGateway, false),
        (429, Code::RateLimited, true),
        (500, Code::ServiceUnavailable, true),
    ] {
        stub.refuse_next(status, secret.clone());
        let error = n8n.call(LIST, json!({})).await.unwrap_err();
        assert_eq!((error.code, error.retryable), (code, retryable), "{status}");
        assert!(!error.message.contains("hunter2"), "{error}");
    }
    let (_, health) = n8n.probe("/health").await;
    assert_eq!(health["status"], "degraded", "{health}");
    stub.refuse_next(400, json!({"message": "Invalid cursor"}));
    let error = n8n.call(LIST, json!({"cursor": "x"})).await.unwrap_err();
    assert_eq!(error.code, Code::InvalidInput);
    assert!(error.message.ends_with("Invalid cursor"), "{error}");
    stub.refuse_next(200, json!({"data": 7}));
    let error = n8n.call(LIST, json!({})).await.unwrap_err();
    assert_eq!(error.code, Code::BadGateway);
    let url = stub.url();
    let wrong = [
        ("N8N_API_URL", url.as_str()),
        ("N8N_API_KEY", "another"),
        ("WAYGATE_OUTBOUND_ALLOW", "127.0.0.1"),
    ];
    let mut n8n = Rig::start(&SERVICE, &wrong).await;
    let error = n8n.call(LIST, json!({})).await.unwrap_err();
    assert!(error.message.contains("N8N_API_KEY_SECRET_PATH"), "{error}");
}

#[tokio::test]
async fn ids_lead_nowhere_else() {
    let stub = N8n::start().await;
    let mut n8n = before(&stub).await;
    for (tool, arguments) in [
        (GET, json!({"id": "../users"})),
        (GET, json!({"id": "a/b"})),
        (EXECUTION, json!({"id": "1?x=y"})),
        (EXECUTIONS, json!({"workflowId": "a b"})),
        (EXECUTIONS, json!({"status": "finished"})),
        (LIST, json!({"limit": 251})),
        (LIST, json!({"limit": 0})),
    ] {
        let error = n8n.call(tool, arguments).await.unwrap_err();
        assert_eq!((error.code, error.did_not_run), (Code::InvalidInput, true));
    }
    assert!(stub.seen().is_empty());
}

/// Acceptance: 65
#[tokio::test]
async fn without_settings_the_missing_one_is_named_and_health_says_so() {
    for (variables, setting) in [
        (vec![], "N8N_API_URL"),
        (
            vec![("N8N_API_URL", "https://n8n.example")],
            "N8N_API_KEY_SECRET_PATH",
        ),
    ] {
        let mut n8n = Rig::start(&SERVICE, &variables).await;
        let error = n8n.call(LIST, json!({})).await.unwrap_err();
        assert_eq!(error.code, Code::NotConfigured);
        assert!(error.message.contains(setting), "{error}");
        let (_, health) = n8n.probe("/health").await;
        assert_eq!(health["status"], "degraded");
        assert!(health.to_string().contains(setting), "{health}");
    }
}
