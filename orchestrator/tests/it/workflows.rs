//! Workflows through the front door: REST and MCP, over scripted tools.

use crate::hub::TestHub;
use http::StatusCode;
use serde_json::{Value, json};
use std::time::Duration;

/// Starts a workflow and waits for its end, or for what it stands on.
async fn run(hub: &TestHub, key: &str, workflow: Value) -> Value {
    let body = json!({"workflow": workflow, "wait": true, "timeout": 30});
    let answer = hub.post("/api/workflows", key, &body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.json());
    answer.json()["data"].clone()
}

fn step(name: &str, tool: &str, params: Value) -> Value {
    json!({"name": name, "service": "test", "tool": tool, "params": params})
}

/// Looks at a run until it is as wanted.
async fn until(hub: &TestHub, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let answer = hub.get(&format!("/api/workflows/{id}"), &hub.admin).await;
        let run = answer.json()["data"].clone();
        if wanted(&run) {
            return run;
        }
        assert!(tokio::time::Instant::now() < deadline, "not in time: {run}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Acceptance: 67
#[tokio::test(flavor = "multi_thread")]
async fn steps_run_in_order() {
    let hub = TestHub::start().await;
    let workflow = json!({"name": "three", "steps": [
        step("one", "echo", json!({"text": "a"})),
        step("two", "echo", json!({"text": "b"})),
        step("three", "test.echo", json!({"text": "${steps.one.result.text}", "times": 2})),
    ]});
    let run = run(&hub, &hub.user, workflow).await;
    assert_eq!(run["status"], "completed", "{run}");
    assert_eq!(run["phase"], "completed");
    let names: Vec<&str> = run["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["step_name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["one", "two", "three"]);
    assert_eq!(run["results"][2]["result"]["text"], "aa");
    assert_eq!(hub.script.runs("test.echo"), 3);
}

/// Acceptance: 68
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_step_ends_the_short_form() {
    let hub = TestHub::start().await;
    let workflow = json!({"name": "fails", "steps": [
        step("one", "echo", json!({"text": "a"})),
        step("two", "fail", json!({"code": "NOT_FOUND"})),
        step("three", "echo", json!({"text": "c"})),
    ]});
    let run = run(&hub, &hub.user, workflow).await;
    assert_eq!(run["status"], "failed", "{run}");
    assert_eq!(run["step_failed_at"], 1);
    assert!(!run["reason"].as_str().unwrap().is_empty());
    assert_eq!(hub.script.runs("test.echo"), 1);
}

/// Acceptance: 347, 98
#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_for_an_approval_and_goes_on() {
    let hub = TestHub::start().await;
    let workflow = json!({"name": "asks", "steps": [step("add", "add", json!({"amount": 5}))]});
    let run = run(&hub, &hub.user, workflow).await;
    assert_eq!(run["status"], "waiting", "{run}");
    assert_eq!(hub.script.total(), 0);
    let id = run["workflow_id"].as_str().unwrap().to_owned();
    let request = run["approval"]["request_id"].as_str().unwrap().to_owned();
    let path = format!("/api/approvals/{request}/approve");
    let decided = hub.post(&path, &hub.admin, &json!({})).await;
    assert_eq!(decided.status, StatusCode::OK, "{}", decided.json());
    let run = until(&hub, &id, |run| run["status"] == "completed").await;
    assert_eq!(hub.script.total(), 5, "{run}");
}

/// Acceptance: 347
#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_fails_the_run_with_its_reason() {
    let hub = TestHub::start().await;
    let workflow = json!({"name": "asks", "steps": [step("add", "add", json!({"amount": 5}))]});
    let run = run(&hub, &hub.user, workflow).await;
    let id = run["workflow_id"].as_str().unwrap().to_owned();
    let request = run["approval"]["request_id"].as_str().unwrap().to_owned();
    let path = format!("/api/approvals/{request}/reject");
    hub.post(&path, &hub.admin, &json!({"note": "not today"}))
        .await;
    let run = until(&hub, &id, |run| run["status"] == "failed").await;
    assert!(
        run["reason"].as_str().unwrap().contains("not today"),
        "{run}"
    );
    assert_eq!(hub.script.total(), 0);
}

/// Acceptance: 349
#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_starts_one_run() {
    let hub = TestHub::start().await;
    let body = |text: &str| {
        let workflow =
            json!({"name": "once", "steps": [step("one", "echo", json!({"text": text}))]});
        json!({"workflow": workflow, "wait": true, "timeout": 30, "idempotency_key": "k1"})
    };
    let first = hub
        .post("/api/workflows", &hub.user, &body("a"))
        .await
        .json();
    let again = hub
        .post("/api/workflows", &hub.user, &body("a"))
        .await
        .json();
    assert_eq!(first["data"]["workflow_id"], again["data"]["workflow_id"]);
    assert_eq!(hub.script.runs("test.echo"), 1);
    let other = hub.post("/api/workflows", &hub.user, &body("b")).await;
    assert_eq!(other.json()["error"]["code"], "CONFLICT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_document_is_refused_with_its_places() {
    let hub = TestHub::start().await;
    let workflow =
        json!({"name": "wrong", "steps": [step("one", "nothing_of_this_name", json!({}))]});
    let answer = hub
        .post("/api/workflows", &hub.user, &json!({"workflow": workflow}))
        .await;
    assert_eq!(
        answer.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        answer.json()
    );
    assert!(
        !answer.json()["error"]["details"]["fields"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_is_paused_resumed_and_cancelled() {
    let hub = TestHub::start().await;
    let document = "document: {dsl: '1.0.3', namespace: test, name: naps, version: '1.0.0'}\n\
                    do:\n- nap: {wait: {hours: 1}}\n";
    let body = json!({"workflow": document});
    let started = hub.post("/api/workflows", &hub.user, &body).await.json();
    let id = started["data"]["workflow_id"].as_str().unwrap().to_owned();
    until(&hub, &id, |run| run["phase"] == "waiting").await;
    let order = |verb: &str| format!("/api/workflows/{id}/{verb}");
    let reason = json!({"reason": "maintenance"});
    let paused = hub.post(&order("suspend"), &hub.user, &reason).await.json();
    assert_eq!(paused["data"]["phase"], "suspended", "{paused}");
    let resumed = hub
        .post(&order("resume"), &hub.user, &json!({}))
        .await
        .json();
    assert_eq!(resumed["data"]["phase"], "waiting", "{resumed}");
    let cancelled = hub.post(&order("cancel"), &hub.user, &reason).await.json();
    assert_eq!(cancelled["data"]["status"], "cancelled", "{cancelled}");
    let again = hub.post(&order("cancel"), &hub.user, &reason).await;
    assert_eq!(again.json()["error"]["code"], "CONFLICT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_nobody_started_is_not_found() {
    let hub = TestHub::start().await;
    let missing = hub.get("/api/workflows/wf_0", &hub.user).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_fires_and_an_event_is_heard() {
    let hub = TestHub::start().await;
    let document = "document: {dsl: '1.0.3', namespace: test, name: hears, version: '1.0.0'}\n\
                    do:\n\
                    - nap: {wait: {milliseconds: 20}}\n\
                    - hear: {listen: {to: {one: {with: {type: com.example.went}}}}}\n";
    let body = json!({"workflow": document});
    let started = hub.post("/api/workflows", &hub.user, &body).await.json();
    let id = started["data"]["workflow_id"].as_str().unwrap().to_owned();
    let listens = |run: &Value| run["waits"].to_string().contains("\"event\"");
    until(&hub, &id, listens).await;
    let event = json!({"specversion": "1.0", "id": "1", "source": "test", "type": "com.example.went",
                       "data": {"n": 7}});
    let heard = hub.post("/api/events", &hub.user, &event).await;
    assert_eq!(heard.json()["data"]["listeners"], 1, "{}", heard.json());
    let run = until(&hub, &id, |run| run["status"] == "completed").await;
    assert!(run["output"].to_string().contains('7'), "{run}");
    let again = hub.post("/api/events", &hub.user, &event).await;
    assert_eq!(again.json()["data"]["listeners"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_stops_the_next_step() {
    let hub = TestHub::start().await;
    let key = hub.key(&["read", "execute"]).await;
    let document = "document: {dsl: '1.0.3', namespace: test, name: naps, version: '1.0.0'}\n\
                    do:\n- nap: {wait: {seconds: 1}}\n\
                    - say: {call: test.echo, with: {text: a}}\n";
    let started = hub
        .post("/api/workflows", &key, &json!({"workflow": document}))
        .await
        .json();
    let id = started["data"]["workflow_id"].as_str().unwrap().to_owned();
    let principal = started["data"]["principal"].as_str().unwrap();
    let key_id = principal.strip_prefix("key:").unwrap();
    let by = orchestrator::auth::Principal::local("test");
    hub.hub
        .gateway
        .auth
        .revoke_key(&by, key_id, None)
        .await
        .unwrap();
    let stands = |run: &Value| run["status"] == "failed" || run["phase"] == "suspended";
    let run = until(&hub, &id, stands).await;
    assert_eq!(hub.script.runs("test.echo"), 0, "{run}");
}

/// The history can be read from any line, and ends with the run.
#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_run_is_a_stream_of_cloud_events() {
    let hub = TestHub::start().await;
    let workflow = json!({"name": "told", "steps": [step("one", "echo", json!({"text": "a"}))]});
    let run = run(&hub, &hub.user, workflow).await;
    let path = format!(
        "/api/workflows/{}/events",
        run["workflow_id"].as_str().unwrap()
    );
    let events = hub.get(&path, &hub.user).await.events();
    let types: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types.first(),
        Some(&"io.serverlessworkflow.workflow.started.v1")
    );
    assert_eq!(
        types.last(),
        Some(&"io.serverlessworkflow.workflow.completed.v1")
    );
    assert!(types.contains(&"io.serverlessworkflow.task.completed.v1"));
}
