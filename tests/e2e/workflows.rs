//! Workflows over a real spoke, from the command line: approved in the middle, started by a schedule.

use serde_json::{Value, json};
use std::process::Output;
use std::time::Duration;
use tests::stack::Stack;
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(60);

/// Writes a document where the command line finds it: its path.
fn document(stack: &Stack, name: &str, more: &Value, tasks: &Value) -> String {
    let mut workflow = json!({
        "document": {"dsl": "1.0.3", "namespace": "e2e", "name": name, "version": "1.0.0"},
        "do": tasks,
    });
    let whole = workflow.as_object_mut().unwrap();
    whole.extend(more.as_object().unwrap().clone());
    let path = stack.files().join(format!("{name}.json"));
    std::fs::write(&path, workflow.to_string()).unwrap();
    path.display().to_string()
}

fn until(what: &str, mut found: impl FnMut() -> Option<Value>) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Acceptance: 98, 102, 347
#[test]
fn a_change_in_a_run_waits_for_somebody_and_is_made_once() {
    let stack = Stack::start(&[1], &[]);
    let file = stack.files().join("note.txt");
    std::fs::write(&file, "old").unwrap();
    let path = file.display().to_string();
    let tasks = json!([
        {"look": {"call": "os.linux.cli.readFile", "with": {"path": path}}},
        {"change": {"call": "os.linux.cli.writeFile", "with": {"path": path, "content": "new"}}},
    ]);
    let workflow = document(&stack, "change", &json!({}), &tasks);
    let run = stack.cli_json(&stack.agent, &["workflow", "run", &workflow, "--detach"]);
    let id = run["workflow_id"].as_str().unwrap().to_owned();
    let shown = || stack.cli_json(&stack.agent, &["runs", "show", &id]);
    let waits = until("a question", || {
        Some(shown()).filter(|run| !run["approval"].is_null())
    });
    assert_eq!(waits["status"], "waiting", "{waits}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "old");
    let question = waits["approval"]["request_id"].as_str().unwrap();
    drop(stack.cli_json(&stack.operator, &["approvals", "approve", question]));
    until("the end", || {
        Some(shown()).filter(|run| run["status"] == "completed")
    });
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
}

#[test]
fn a_workflow_starts_by_itself_until_its_schedule_is_held() {
    let stack = Stack::start(&[1], &[]);
    let file = stack.files().join("note.txt");
    std::fs::write(&file, "old").unwrap();
    let look =
        json!({"call": "os.linux.cli.readFile", "with": {"path": file.display().to_string()}});
    let every = json!({"schedule": {"every": {"seconds": 1}}});
    let workflow = document(&stack, "beat", &every, &json!([{ "look": look }]));
    let schedules = |words: &[&str]| {
        let all = ["workflow", "schedules"].iter().chain(words);
        stack.cli_json(&stack.agent, &all.copied().collect::<Vec<_>>())
    };
    let made = schedules(&["create", &workflow, "--name", "beat"]);
    let id = made["schedule_id"].as_str().unwrap().to_owned();
    until("two runs", || {
        let runs = stack.cli_json(&stack.agent, &["runs", "list", "--status", "completed"]);
        Some(runs).filter(|runs| runs.as_array().is_some_and(|runs| runs.len() > 1))
    });
    let held = schedules(&["pause", &id, "--reason", "enough"]);
    assert_eq!(held["paused"], "enough");
    let table = printed(&stack.cli(&stack.agent, &["workflow", "schedules", "list"]));
    assert!(
        table.contains("beat") && table.contains("every 1 s"),
        "{table}"
    );
    assert!(schedules(&["resume", &id])["paused"].is_null());
    let removed = stack.cli(&stack.agent, &["workflow", "schedules", "remove", &id]);
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(schedules(&["list"]), json!([]));
}
