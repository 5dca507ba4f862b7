//! Calls whose host comes back for the answer.

use crate::hub::TestHub;
use serde_json::{Value, json};
use std::time::Duration;

fn meta(more: &Value) -> Value {
    let mut capabilities = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    for (name, value) in more.as_object().into_iter().flatten() {
        capabilities[name] = value.clone();
    }
    json!({"io.modelcontextprotocol/clientCapabilities": capabilities})
}

async fn call(hub: &TestHub, tool: &str, arguments: Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments, "_meta": meta(&json!({}))});
    hub.modern("tools/call", params).await.json()["result"].clone()
}

async fn ask(hub: &TestHub, method: &str, id: &str) -> Value {
    let params = json!({"taskId": id, "inputResponses": {}, "_meta": meta(&json!({}))});
    hub.modern(method, params).await.json()
}

/// The task as soon as it is in one of these states.
async fn until(hub: &TestHub, id: &str, states: &[&str]) -> Value {
    let look = async {
        loop {
            let task = ask(hub, "tasks/get", id).await["result"].clone();
            if states.iter().any(|state| task["status"] == *state) {
                return task;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_call_that_takes_long_becomes_a_task_and_a_short_one_does_not() {
    let hub = TestHub::start().await;
    let short = call(&hub, "test.echo", json!({"text": "a"})).await;
    assert_eq!(short["resultType"], "complete", "{short}");
    let created = call(&hub, "test.slow", json!({"text": "b"})).await;
    assert_eq!(created["resultType"], "task", "{created}");
    assert_eq!(created["status"], "working");
    assert!(created["ttlMs"].as_u64().unwrap() > 0);
    let id = created["taskId"].as_str().unwrap();
    let now = ask(&hub, "tasks/get", id).await;
    assert_eq!(now["result"]["status"], "working", "{now}");
    hub.script.release();
    let done = until(&hub, id, &["completed", "failed", "cancelled"]).await;
    assert_eq!(done["result"]["structuredContent"]["text"], "b", "{done}");
    assert_eq!(done["resultType"], "complete");
    // Another one's task is no task.
    let other = hub.key(&["read", "execute"]).await;
    let params = json!({"taskId": id, "_meta": meta(&json!({}))});
    let stranger = hub
        .send(crate::hub::modern(&other, "tasks/get", params))
        .await;
    assert_eq!(stranger.json()["error"]["code"], -32602);
}

#[tokio::test]
async fn a_cancelled_task_ends_its_call() {
    let hub = TestHub::start().await;
    let created = call(&hub, "test.slow", json!({})).await;
    let id = created["taskId"].as_str().unwrap();
    let done = ask(&hub, "tasks/cancel", id).await;
    assert_eq!(done["result"]["resultType"], "complete", "{done}");
    assert!(done["result"].get("status").is_none());
    hub.script.dropped().await;
    until(&hub, id, &["cancelled"]).await;
    let again = ask(&hub, "tasks/cancel", id).await;
    assert_eq!(again["result"]["resultType"], "complete");
}

#[tokio::test]
async fn hosts_that_do_not_know_tasks_get_none() {
    let hub = TestHub::start().await;
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let answer = hub.modern(method, json!({"taskId": "task_x"})).await;
        assert_eq!(answer.status, 400);
        let error = answer.json()["error"].clone();
        assert_eq!(error["code"], -32021);
        let needed = &error["data"]["requiredCapabilities"]["extensions"];
        assert!(
            needed["io.modelcontextprotocol/tasks"].is_object(),
            "{error}"
        );
    }
    let unknown = ask(&hub, "tasks/get", "task_x").await;
    assert_eq!(unknown["error"]["code"], -32602);
    for gone in ["tasks/list", "tasks/result"] {
        assert_eq!(ask(&hub, gone, "task_x").await["error"]["code"], -32601);
    }
    let discovered = hub.modern("server/discover", json!({})).await.json();
    let extensions = &discovered["result"]["capabilities"]["extensions"];
    assert!(extensions["io.modelcontextprotocol/tasks"].is_object());
}

#[tokio::test]
async fn a_call_that_needs_a_person_waits_as_a_task_and_runs_after_the_yes() {
    let hub = TestHub::start().await;
    let created = call(&hub, "test.add", json!({"amount": 6})).await;
    assert_eq!(created["resultType"], "task", "{created}");
    let note = created["statusMessage"].as_str().unwrap().to_owned();
    let approval = note
        .split(' ')
        .find(|word| word.starts_with("apr_"))
        .unwrap();
    assert_eq!(hub.script.total(), 0);
    let path = format!("/api/approvals/{approval}/approve");
    let approved = hub.post(&path, &hub.admin, &json!({})).await;
    assert_eq!(approved.status, 200);
    let id = created["taskId"].as_str().unwrap();
    let done = until(&hub, id, &["completed", "failed", "cancelled"]).await;
    assert_eq!(done["result"]["structuredContent"]["total"], 6, "{done}");
    assert_eq!(hub.script.total(), 6);
}

#[tokio::test]
async fn a_rejected_call_is_a_task_that_ended_with_an_error() {
    let hub = TestHub::start().await;
    let created = call(&hub, "test.add", json!({"amount": 7})).await;
    let note = created["statusMessage"].as_str().unwrap().to_owned();
    let approval = note
        .split(' ')
        .find(|word| word.starts_with("apr_"))
        .unwrap();
    let path = format!("/api/approvals/{approval}/reject");
    let rejected = hub.post(&path, &hub.admin, &json!({"note": "no"})).await;
    assert_eq!(rejected.status, 200, "{:?}", rejected.json());
    let id = created["taskId"].as_str().unwrap();
    let done = until(&hub, id, &["completed", "failed", "cancelled"]).await;
    assert_eq!(done["result"]["isError"], true, "{done}");
    assert_eq!(hub.script.total(), 0);
}

/// A workflow whose starter wants to hear its end is a task as long as it runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_takes_long_is_a_task_until_it_ends() {
    let hub = TestHub::start().await;
    let step = json!({"name": "one", "service": "test", "tool": "slow", "params": {"text": "b"}});
    let workflow = json!({"name": "slow", "steps": [step]});
    let arguments = json!({"workflow": workflow, "wait": true});
    let created = call(&hub, "orchestrator.executeWorkflow", arguments).await;
    assert_eq!(created["resultType"], "task", "{created}");
    hub.script.waiting().await;
    hub.script.release();
    let id = created["taskId"].as_str().unwrap();
    let done = until(&hub, id, &["completed", "failed", "cancelled"]).await;
    let run = &done["result"]["structuredContent"];
    assert_eq!(run["status"], "completed", "{done}");
    assert_eq!(run["results"][0]["result"]["text"], "b", "{done}");
}
