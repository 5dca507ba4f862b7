//! One kill between two steps: what the first gave is there, and only the second is made.

use crate::installation;
use crate::load::Load;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

const PACE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(60);

/// Acceptance: 70, 71, 102
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_killed_after_its_first_step_goes_on_at_the_second() {
    let (mut stack, spoke) = installation(&[]).await;
    let load = Load::new(&stack.url, &stack.agent, 1);
    load.until_tools_are_known().await;
    let step = |name: &str| json!({"call": "crash.change", "with": {"run": "one", "step": name}});
    let workflow = json!({
        "document": {"dsl": "1.0.3", "namespace": "crash", "name": "two", "version": "1.0.0"},
        "do": [
            {"first": step("first")},
            {"rest": {"wait": {"seconds": 3}}},
            {"second": step("second")},
        ],
    });
    let body = json!({ "workflow": workflow });
    let (status, answer) = load.post("/api/workflows", &body).await.unwrap();
    assert_eq!(status, 201, "{answer}");
    let id = answer["data"]["workflow_id"].as_str().unwrap();
    until(&load, id, |run| run["steps"][0]["status"] == "completed").await;

    tokio::task::block_in_place(|| stack.crash_hub());
    let run = until(&load, id, |run| run["status"] != "pending").await;
    assert_eq!(run["steps"][0]["result"]["ran"], true, "{run}");
    let run = until(&load, id, |run| run["status"] == "completed").await;
    assert_eq!(run["steps"].as_array().unwrap().len(), 3, "{run}");
    let times = ["first", "second"].map(|name| spoke.effects.times("one", name));
    assert_eq!(times, [1, 1]);
}

async fn until(load: &Load, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let run = load.show(id).await.unwrap_or_default();
        if !run.is_null() && wanted(&run) {
            return run;
        }
        assert!(Instant::now() < deadline, "not in time: {run}");
        tokio::time::sleep(PACE).await;
    }
}
