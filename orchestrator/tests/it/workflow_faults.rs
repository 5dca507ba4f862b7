//! Runs while the store or the clock misbehaves, and what watches over them: held up at worst, never lost,
//! no effect twice. Power cuts and kills are tried with the real program elsewhere.

use crate::hub::TestHub;
use http::StatusCode;
use jiff::Timestamp;
use orchestrator::store::Statement;
use serde_json::{Value, json};
use shared::clock::{Clock, TestClock};
use sqlx::{Connection, SqliteConnection};
use std::time::Duration;

const BEGIN: &str = "2026-11-20T19:00:00Z";
const HOUR: Duration = Duration::from_hours(1);
/// Between two looks; slow enough for the limits of the front door.
const PACE: Duration = Duration::from_millis(150);
/// Longer than the store waits for another process before it gives up once.
const LOCKED: Duration = Duration::from_secs(7);

fn document(tasks: Value) -> Value {
    json!({
        "document": {"dsl": "1.0.3", "namespace": "test", "name": "fault", "version": "1.0.0"},
        "do": tasks,
    })
}

/// A wait, then something that must not be done twice.
fn wait_then_note(wait: Value) -> Value {
    document(json!([{"rest": {"wait": wait}}, {"note": {"call": "test.note", "with": {}}}]))
}

async fn start(hub: &TestHub, workflow: Value) -> String {
    let body = json!({ "workflow": workflow });
    let answer = hub.post("/api/workflows", &hub.user, &body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.json());
    let id = answer.json()["data"]["workflow_id"].clone();
    id.as_str().unwrap().to_owned()
}

/// Looks at a run until it is as wanted.
async fn until(hub: &TestHub, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let answer = hub.get(&format!("/api/workflows/{id}"), &hub.admin).await;
        let run = answer.json()["data"].clone();
        if wanted(&run) {
            return run;
        }
        assert!(tokio::time::Instant::now() < deadline, "not in time: {run}");
        tokio::time::sleep(PACE).await;
    }
}

async fn until_metric(hub: &TestHub, line: &str) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let text = hub.hub.gateway.metrics.render();
        if text.lines().any(|own| own == line) {
            return;
        }
        let own: Vec<_> = text.lines().filter(|it| it.contains("workflow")).collect();
        assert!(tokio::time::Instant::now() < deadline, "{line}: {own:#?}");
        tokio::time::sleep(PACE).await;
    }
}

async fn hub_at(moment: &str) -> (TestHub, TestClock) {
    let clock = TestClock::at(moment.parse().unwrap());
    (TestHub::at(&clock).await, clock)
}

fn set(hub: &TestHub, clock: &TestClock, now: Timestamp) {
    clock.set(now);
    hub.hub.workflows.as_ref().unwrap().clock_was_set();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_holds_runs_up_and_loses_nothing() {
    let hub = TestHub::start().await;
    let tasks = json!([
        {"slow": {"call": "test.slow", "with": {}}},
        {"note": {"call": "test.note", "with": {}}},
        {"again": {"call": "test.note", "with": {"text": "again"}}},
    ]);
    let id = start(&hub, document(tasks)).await;
    hub.script.waiting().await;
    let file = hub.hub.settings.data_folder.join("waygate.db");
    let url = format!("sqlite:{}", file.display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    hub.script.release();
    tokio::time::sleep(LOCKED).await;
    assert_eq!(
        hub.script.runs("test.note"),
        0,
        "no effect without its commit"
    );
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    let run = until(&hub, &id, |run| run["status"] == "completed").await;
    assert_eq!(hub.script.runs("test.note"), 2, "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_ahead_fires_what_is_due_once() {
    let (hub, clock) = hub_at(BEGIN).await;
    let id = start(&hub, wait_then_note(json!({"hours": 1}))).await;
    until(&hub, &id, |run| run["status"] == "waiting").await;
    set(&hub, &clock, clock.now().checked_add(HOUR * 3).unwrap());
    until(&hub, &id, |run| run["status"] == "completed").await;
    assert_eq!(hub.script.runs("test.note"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_back_loses_no_timer() {
    let (hub, clock) = hub_at(BEGIN).await;
    let id = start(&hub, wait_then_note(json!({"minutes": 30}))).await;
    until(&hub, &id, |run| run["status"] == "waiting").await;
    let due = clock.now().checked_add(HOUR / 2).unwrap();
    set(&hub, &clock, clock.now().checked_sub(HOUR).unwrap());
    // What begins while the clock is wrong waits for its own time.
    let early = start(&hub, wait_then_note(json!({"minutes": 30}))).await;
    until(&hub, &early, |run| run["status"] == "waiting").await;
    set(&hub, &clock, clock.now().checked_add(HOUR / 2).unwrap());
    until(&hub, &early, |run| run["status"] == "completed").await;
    let first = until(&hub, &id, |run| run["status"] == "waiting").await;
    assert_eq!(hub.script.runs("test.note"), 1, "{first}");
    set(&hub, &clock, due);
    until(&hub, &id, |run| run["status"] == "completed").await;
    assert_eq!(hub.script.runs("test.note"), 2);
}

/// Acceptance: 348
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_over_a_step_in_flight_does_not_repeat_it() {
    let (hub, clock) = hub_at(BEGIN).await;
    let tasks = json!([{"note": {"call": "test.note", "with": {"wait": true}}}]);
    let id = start(&hub, document(tasks)).await;
    hub.script.waiting().await;
    set(&hub, &clock, clock.now().checked_add(HOUR).unwrap());
    let rests = |run: &Value| run["phase"] == "suspended" || run["status"] == "completed";
    let run = until(&hub, &id, rests).await;
    hub.script.release();
    assert_eq!(hub.script.runs("test.note"), 1, "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_for_nothing_raises_an_alarm() {
    let hub = TestHub::start().await;
    let id = start(&hub, wait_then_note(json!({"hours": 1}))).await;
    until(&hub, &id, |run| run["status"] == "waiting").await;
    until_metric(&hub, "waygate_workflows_open{phase=\"waiting\"} 1").await;
    until_metric(&hub, "waygate_workflows_stuck 0").await;
    let delete = Statement::new("DELETE FROM workflow_timers WHERE workflow_id = $1").bind(id);
    hub.hub.store.write(vec![delete]).await.unwrap();
    until_metric(&hub, "waygate_workflows_stuck 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_whose_outcome_is_unknown_are_counted() {
    let (hub, clock) = hub_at(BEGIN).await;
    let tasks = json!([{"note": {"call": "test.note", "with": {"wait": true}}}]);
    let id = start(&hub, document(tasks)).await;
    hub.script.waiting().await;
    set(&hub, &clock, clock.now().checked_add(HOUR).unwrap());
    until(&hub, &id, |run| run["phase"] == "suspended").await;
    until_metric(&hub, "waygate_workflow_steps_unknown 1").await;
    until_metric(&hub, "waygate_workflows_open{phase=\"suspended\"} 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_over_long_enough_goes_and_open_runs_stay() {
    let (hub, clock) = hub_at(BEGIN).await;
    let tasks = json!([{"say": {"call": "test.echo", "with": {"text": "a", "times": 6000}}}]);
    let over = start(&hub, document(tasks)).await;
    until(&hub, &over, |run| run["status"] == "completed").await;
    let bell = json!([{"bell": {"listen": {"to": {"one": {"with": {"type": "test.rung"}}}}}}]);
    let open = start(&hub, document(bell)).await;
    until(&hub, &open, |run| run["status"] == "waiting").await;
    let kept = hub.get(&format!("/api/workflows/{over}"), &hub.admin).await;
    assert_eq!(kept.status, StatusCode::OK);

    clock.advance(HOUR * 24 * 91);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let path = format!("/api/workflows/{over}");
    while hub.get(&path, &hub.admin).await.status != StatusCode::NOT_FOUND {
        assert!(tokio::time::Instant::now() < deadline, "it is kept");
        tokio::time::sleep(PACE).await;
    }
    for table in ["workflow_steps", "workflow_events", "workflow_blobs"] {
        let sql = format!(
            "SELECT COUNT(*) AS total FROM {table} WHERE {}",
            match table {
                "workflow_blobs" => "digest <> $1",
                _ => "workflow_id = $1",
            }
        );
        let count = Statement::new(sql.leak()).bind(over.as_str());
        let rows = hub.hub.store.read(count).await.unwrap();
        assert_eq!(
            rows.first().unwrap().integer("total").unwrap(),
            0,
            "{table}"
        );
    }
    let still = hub.get(&format!("/api/workflows/{open}"), &hub.admin).await;
    assert_eq!(still.status, StatusCode::OK);
}

/// A document that has a lock while it listens for an event of its own.
fn locked(name: &str) -> Value {
    let bell = json!({"one": {"with": {"type": format!("test.rung.{name}")}}});
    let mut workflow = document(json!([{"hold": {
        "listen": {"to": bell},
        "metadata": {"hub": {"lock": ["host:a"]}},
    }}]));
    workflow["document"]["name"] = json!(name);
    workflow
}

fn waits_for(run: &Value, what: &str) -> bool {
    run["waits"]
        .as_array()
        .is_some_and(|waits| waits.iter().any(|wait| wait["for"] == what))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_has_one_holder_and_goes_to_the_next_in_line() {
    let hub = TestHub::start().await;
    let first = start(&hub, locked("first")).await;
    until(&hub, &first, |run| waits_for(run, "event")).await;
    let second = start(&hub, locked("second")).await;
    until(&hub, &second, |run| waits_for(run, "lock")).await;
    let third = start(&hub, locked("third")).await;
    until(&hub, &third, |run| waits_for(run, "lock")).await;

    let event = json!({
        "specversion": "1.0", "id": "1", "source": "test", "type": "test.rung.first", "data": {},
    });
    hub.post("/api/events", &hub.user, &event).await;
    until(&hub, &first, |run| run["status"] == "completed").await;
    until(&hub, &second, |run| waits_for(run, "event")).await;
    until(&hub, &third, |run| waits_for(run, "lock")).await;

    // Whoever is killed gives back what it has.
    let path = format!("/api/workflows/{second}/kill");
    let killed = hub
        .post(&path, &hub.user, &json!({"reason": "stuck"}))
        .await;
    assert_eq!(killed.status, StatusCode::OK, "{}", killed.json());
    until(&hub, &third, |run| waits_for(run, "event")).await;
}
