//! What workflows leave in the store: JSON, and nothing else; state that others keep beside it.

use crate::fixture::open;
use crate::hub::TestHub;
use http::StatusCode;
use orchestrator::store::Statement;
use serde_json::{Value, json};

async fn completed(hub: &TestHub) -> String {
    let workflow = json!({"name": "three", "steps": [
        {"name": "one", "service": "test", "tool": "echo", "params": {"text": "a", "times": 5000}},
        {"name": "two", "service": "test", "tool": "note", "params": {}},
    ]});
    let body =
        json!({"workflow": workflow, "input": {"a": [1, null]}, "wait": true, "timeout": 60});
    let answer = hub.post("/api/workflows", &hub.user, &body).await;
    assert_eq!(
        answer.json()["data"]["status"],
        "completed",
        "{}",
        answer.json()
    );
    let id = answer.json()["data"]["workflow_id"].clone();
    id.as_str().unwrap().to_owned()
}

/// Acceptance: 73
#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_stored_of_a_run_is_json() {
    let hub = TestHub::start().await;
    let waits = json!({"workflow": {
        "document": {"dsl": "1.0.3", "namespace": "test", "name": "rest", "version": "1.0.0"},
        "do": [{"rest": {"wait": {"hours": 1}}}],
    }, "wait": true, "timeout": 1});
    let waiting = hub.post("/api/workflows", &hub.user, &waits).await;
    assert_eq!(waiting.status, StatusCode::CREATED, "{}", waiting.json());
    completed(&hub).await;
    let columns = [
        ("workflow_states", "state"),
        ("workflows", "input"),
        ("workflows", "output"),
        ("workflows", "waits"),
        ("workflow_steps", "params"),
        ("workflow_steps", "result"),
        ("workflow_blobs", "content"),
        ("workflow_events", "data"),
    ];
    for (table, column) in columns {
        let sql = format!("SELECT {column} AS value FROM {table} WHERE {column} IS NOT NULL");
        let rows = hub
            .hub
            .store
            .read(Statement::new(sql.leak()))
            .await
            .unwrap();
        assert!(!rows.is_empty(), "{table}.{column} is never used");
        for row in &rows {
            let text = row.text("value").unwrap();
            let parsed = serde_json::from_str::<Value>(text);
            assert!(parsed.is_ok(), "{table}.{column}: {text}");
        }
    }
}

/// Acceptance: 74
#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_was_kept_comes_back_as_it_was() {
    let hub = TestHub::start().await;
    let workflows = hub.hub.workflows.as_ref().unwrap();
    let state = json!({"number": 1.5, "none": null, "list": [1, "zwei", {"drei": true}]});
    assert_eq!(workflows.load_workflow_state("w1").await.unwrap(), None);
    workflows
        .save_workflow_state("w1", &json!("old"))
        .await
        .unwrap();
    workflows.save_workflow_state("w1", &state).await.unwrap();
    let loaded = workflows.load_workflow_state("w1").await.unwrap();
    assert_eq!(loaded, Some(state.clone()));
    workflows
        .save_checkpoint("w1", "two", &json!(2))
        .await
        .unwrap();
    let two = workflows
        .restore_from_checkpoint("w1", "two")
        .await
        .unwrap();
    assert_eq!(two, Some(json!(2)));
    assert_eq!(
        workflows
            .restore_from_checkpoint("w1", "three")
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        workflows.load_workflow_state("w1").await.unwrap(),
        Some(state)
    );
    let large = json!("x".repeat(2 * 1024 * 1024));
    assert!(workflows.save_workflow_state("w1", &large).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_of_a_run_are_kept_over_rest() {
    let hub = TestHub::start().await;
    let id = completed(&hub).await;
    let path = format!("/api/workflows/{id}/checkpoints");
    let body = json!({"step": "one", "state": {"done": [1, 2]}});
    let kept = hub.post(&path, &hub.user, &body).await;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.json());
    let wanted = json!({"checkpoint_id": kept.json()["data"]["checkpoint_id"]});
    let path = format!("/api/workflows/{id}/restore");
    let found = hub.post(&path, &hub.user, &wanted).await;
    assert_eq!(
        found.json()["data"]["state"],
        body["state"],
        "{}",
        found.json()
    );
    let unknown = json!({"checkpoint_id": format!("{id}:two")});
    let missing = hub.post(&path, &hub.user, &unknown).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let nobody = hub
        .post("/api/workflows/wf_0/checkpoints", &hub.user, &body)
        .await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

/// Acceptance: 72
#[tokio::test(flavor = "multi_thread")]
async fn the_folder_of_the_state_is_made() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("deep/er/state.db");
    let store = open(&file).await;
    assert!(file.is_file());
    store.close().await;
}
