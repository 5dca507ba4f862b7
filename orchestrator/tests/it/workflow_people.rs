//! People within runs: how many, what they fill in, how long they have, and newer documents.

use crate::hub::TestHub;
use crate::workflow_calls::{run, until};
use http::StatusCode;
use serde_json::{Value, json};

/// A `listen` that people end.
fn asks(approval: Value) -> Value {
    json!([{"ask": {
        "listen": {"to": {"one": {"with": {"type": "dev.hub.approval.decided.v1"}}}},
        "metadata": {"hub": {"approval": approval}},
    }}])
}

async fn decide(hub: &TestHub, key: &str, run: &Value, body: Value) -> (StatusCode, Value) {
    let id = run["approval"]["request_id"].as_str().unwrap();
    let answer = hub
        .post(&format!("/api/approvals/{id}/approve"), key, &body)
        .await;
    (answer.status, answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_has_to_fit_and_is_what_the_step_gives() {
    let hub = TestHub::start().await;
    let form = json!({"type": "object", "required": ["window"], "additionalProperties": false,
        "properties": {"window": {"enum": ["day", "night"]}}});
    let thresholds = json!([{"approve": 1, "deny": 1}]);
    let approval = json!({"thresholds": thresholds, "form": form, "reason": "required",
        "message": "when?"});
    let run = run(&hub, asks(approval)).await;
    assert_eq!(run["approval"]["form"], form, "{run}");
    for (body, part) in [
        (json!({"note": "go"}), "form"),
        (json!({"note": "go", "form": {"window": "noon"}}), "window"),
        (json!({"form": {"window": "night"}}), "reason"),
    ] {
        let (status, answer) = decide(&hub, &hub.admin, &run, body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        assert!(answer.to_string().contains(part), "{answer}");
    }
    let body = json!({"note": "quiet then", "form": {"window": "night"}});
    let (status, answer) = decide(&hub, &hub.admin, &run, body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let ended = until(&hub, &run["workflow_id"], |run| {
        run["status"] == "completed"
    })
    .await;
    assert_eq!(
        ended["output"][0]["form"],
        json!({"window": "night"}),
        "{ended}"
    );
    assert_eq!(ended["output"][0]["reason"], "quiet then");
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_people_decide_as_the_threshold_says() {
    let hub = TestHub::start().await;
    let second = hub.key(&["read", "approvals:approve"]).await;
    let run = run(
        &hub,
        asks(json!({"thresholds": [{"approve": 2, "deny": 1}]})),
    )
    .await;
    let (status, _) = decide(&hub, &hub.user, &run, json!({})).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "the starter has no right to");
    let (status, _) = decide(&hub, &hub.admin, &run, json!({"note": "yes"})).await;
    assert_eq!(status, StatusCode::OK);
    let id = &run["workflow_id"];
    let path = format!("/api/workflows/{}/history", id.as_str().unwrap());
    let mut lines = Value::Null;
    while !lines.to_string().contains(".voted.") {
        lines = hub.get(&path, &hub.user).await.json();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let still = hub
        .get(
            &format!("/api/workflows/{}", id.as_str().unwrap()),
            &hub.user,
        )
        .await;
    assert_eq!(still.json()["data"]["status"], "waiting");
    let (status, answer) = decide(&hub, &second, &run, json!({"note": "yes"})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    until(&hub, id, |run| run["status"] == "completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_running_out_is_a_no() {
    let hub = TestHub::start().await;
    let approval = json!({"thresholds": [{"approve": 1, "deny": 1}], "expires": "PT0.2S"});
    let run = run(&hub, asks(approval)).await;
    let ended = until(&hub, &run["workflow_id"], |run| run["status"] == "failed").await;
    assert!(
        ended["reason"]
            .as_str()
            .unwrap()
            .contains("nobody decided in time"),
        "{ended}"
    );
}

fn document(tasks: Value) -> Value {
    json!({
        "document": {"dsl": "1.0.3", "namespace": "test", "name": "grows", "version": "1.0.0"},
        "do": tasks,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_stands_still_goes_on_with_a_newer_document() {
    let hub = TestHub::start().await;
    let tasks = |said: &str, last: u32| {
        json!([
            {"say": {"call": "test.echo", "with": {"text": said}}},
            {"nap": {"wait": {"hours": 1}}},
            {"end": {"set": {"v": last}}},
        ])
    };
    let body = json!({"workflow": document(tasks("a", 1))});
    let started = hub.post("/api/workflows", &hub.user, &body).await.json();
    let id = &started["data"]["workflow_id"];
    until(&hub, id, |run| run["phase"] == "waiting").await;
    let path = format!("/api/workflows/{}", id.as_str().unwrap());
    let adopt = async |key: &str, tasks: Value, dry_run: bool| {
        let body = json!({"workflow": document(tasks), "dry_run": dry_run});
        hub.post(&format!("{path}/adopt"), key, &body).await
    };
    let passed = adopt(&hub.user, tasks("b", 2), true).await.json();
    let forbids = |at: usize| passed["data"]["changes"][at]["forbids"] == true;
    assert!(forbids(0) && !forbids(1), "{passed}");
    let refused = adopt(&hub.user, tasks("b", 2), false).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.json());
    let foreign = adopt(&hub.admin, tasks("a", 2), false).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    let adopted = adopt(&hub.user, tasks("a", 2), false).await;
    assert_eq!(
        adopted.json()["data"]["adopted"],
        true,
        "{}",
        adopted.json()
    );
    let body = json!({"resolution": "skip", "path": "/do/1/nap", "reason": "awake"});
    hub.post(&format!("{path}/resume"), &hub.user, &body).await;
    let run = until(&hub, id, |run| run["status"] == "completed").await;
    assert_eq!(run["output"], json!({"v": 2}), "{run}");
    assert_eq!(run["digest"], adopted.json()["data"]["to"]);
}
