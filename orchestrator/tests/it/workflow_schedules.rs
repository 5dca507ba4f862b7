//! Schedules on a clock that the test sets: what starts, what is left out, what is made up for.

use crate::hub::TestHub;
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::clock::{Clock, TestClock};
use std::time::Duration;

/// A Friday, seven hours before three o'clock in Berlin.
const BEGIN: &str = "2026-11-20T19:00:00Z";

/// A hub on a clock of its own.
struct Desk {
    hub: TestHub,
    clock: TestClock,
}

impl Desk {
    async fn open() -> Self {
        let clock = TestClock::at(BEGIN.parse().unwrap());
        Self {
            hub: TestHub::at(&clock).await,
            clock,
        }
    }

    /// Keeps a schedule: its id.
    async fn keep(&self, workflow: Value) -> String {
        let body = json!({"workflow": workflow});
        let made = self.hub.post(ALL, &self.hub.user, &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
        let id = made.json()["data"]["schedule_id"].clone();
        assert_eq!(
            made.header("location"),
            format!("{ALL}/{}", id.as_str().unwrap())
        );
        id.as_str().unwrap().to_owned()
    }

    async fn schedule(&self, id: &str) -> Value {
        let shown = self.hub.get(&format!("{ALL}/{id}"), &self.hub.user).await;
        shown.json()["data"].clone()
    }

    /// When a schedule is due next.
    async fn next(&self, id: &str) -> Timestamp {
        let schedule = self.schedule(id).await;
        let next = schedule["next_at"].as_str();
        next.unwrap_or_else(|| panic!("{schedule}"))
            .parse()
            .unwrap()
    }

    /// Sets the clock to when a schedule is due, and so much later.
    async fn pass(&self, id: &str, later: Duration) {
        let next = self.next(id).await;
        self.set(next.checked_add(later).unwrap());
    }

    fn set(&self, now: Timestamp) {
        self.clock.set(now);
        self.hub.hub.workflows.as_ref().unwrap().clock_was_set();
    }

    /// Runs, newest first.
    async fn runs(&self) -> Vec<Value> {
        let runs = self.hub.get("/api/workflows", &self.hub.admin).await;
        runs.json()["data"].as_array().unwrap().clone()
    }

    /// How runs stand, newest first, once they stand so.
    async fn until_runs_are(&self, wanted: &[&str]) -> Vec<Value> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let runs = self.runs().await;
            if runs.iter().map(|run| &run["status"]).eq(wanted) {
                return runs;
            }
            let late = tokio::time::Instant::now() >= deadline;
            assert!(!late, "wanted {wanted:?}: {runs:#?}");
            tokio::time::sleep(PACE).await;
        }
    }

    /// Returns once a schedule has been moved on.
    async fn until_it_is_due_after(&self, id: &str, date: Timestamp) -> Timestamp {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let schedule = self.schedule(id).await;
            let next = schedule["next_at"].as_str().map(|it| it.parse().unwrap());
            if let Some(next) = next.filter(|next| *next > date) {
                return next;
            }
            let late = tokio::time::Instant::now() >= deadline;
            assert!(!late, "still {schedule}");
            tokio::time::sleep(PACE).await;
        }
    }

    /// Ends every run that listens.
    async fn ring(&self) {
        let event = json!({
            "specversion": "1.0", "id": uuid::Uuid::now_v7().to_string(), "source": "test",
            "type": "test.rung", "data": {},
        });
        let answer = self.hub.post("/api/events", &self.hub.user, &event).await;
        assert!(answer.status.is_success(), "{}", answer.json());
    }
}

const ALL: &str = "/api/workflow-schedules";
/// Between two looks; slow enough for the limits of the front door.
const PACE: Duration = Duration::from_millis(150);
const AT_ONCE: Duration = Duration::ZERO;
const HOUR: Duration = Duration::from_hours(1);

/// A document that is done at once.
fn quick(schedule: Value, more: Value) -> Value {
    document(
        schedule,
        more,
        json!({"call": "test.echo", "with": {"text": "tick"}}),
    )
}

/// A document whose runs last until [`Desk::ring`].
fn lasting(more: Value) -> Value {
    let until = json!({"listen": {"to": {"one": {"with": {"type": "test.rung"}}}}});
    document(json!({"cron": "0 * * * *"}), more, until)
}

fn document(schedule: Value, more: Value, step: Value) -> Value {
    json!({
        "document": {
            "dsl": "1.0.3", "namespace": "test", "name": "beat", "version": "1.0.0",
            "metadata": {"hub": {"onFailure": "fail", "schedule": more}},
        },
        "schedule": schedule,
        "do": [{"step": step}],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_starts_one_run_at_each_of_its_dates() {
    let desk = Desk::open().await;
    let zone = json!({"timeZone": "Europe/Berlin"});
    let id = desk.keep(quick(json!({"cron": "0 3 * * *"}), zone)).await;
    let first = desk.next(&id).await;
    let three: Timestamp = "2026-11-21T02:00:00Z".parse().unwrap();
    let put_off = first.duration_since(three).as_millis();
    assert!((0..=10_000).contains(&put_off), "{first}");

    desk.set(first.checked_sub(Duration::from_secs(1)).unwrap());
    desk.hub.hub.workflows.as_ref().unwrap().clock_was_set();
    assert!(desk.runs().await.is_empty());
    desk.set(first);
    let runs = desk.until_runs_are(&["completed"]).await;
    assert_eq!(runs[0]["schedule_id"], *id);
    let next = desk.until_it_is_due_after(&id, first).await;
    assert_eq!(next.duration_since(first).as_hours(), 24);
    assert_eq!(desk.schedule(&id).await["last_run"], runs[0]["workflow_id"]);

    desk.set(next);
    desk.until_runs_are(&["completed", "completed"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_while_a_run_is_open_is_left_out() {
    let desk = Desk::open().await;
    let id = desk.keep(lasting(json!({}))).await;
    desk.pass(&id, AT_ONCE).await;
    desk.until_runs_are(&["waiting"]).await;
    let second = desk.next(&id).await;
    desk.pass(&id, AT_ONCE).await;
    desk.until_it_is_due_after(&id, second).await;
    assert_eq!(desk.runs().await.len(), 1);
    desk.ring().await;
    desk.until_runs_are(&["completed"]).await;
    desk.pass(&id, AT_ONCE).await;
    desk.until_runs_are(&["waiting", "completed"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_may_wait_for_the_end_of_the_run_before() {
    let desk = Desk::open().await;
    let more = json!({"overlap": "queue", "catchUp": "PT10M"});
    let id = desk.keep(lasting(more)).await;
    desk.pass(&id, AT_ONCE).await;
    let runs = desk.until_runs_are(&["waiting"]).await;
    // It waits far longer than a start may be late, which counts from when it could begin.
    desk.pass(&id, Duration::from_mins(30)).await;
    desk.ring().await;
    let now = desk.until_runs_are(&["waiting", "completed"]).await;
    assert_eq!(now[1]["workflow_id"], runs[0]["workflow_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_may_cancel_the_run_before() {
    let desk = Desk::open().await;
    let id = desk.keep(lasting(json!({"overlap": "cancelOld"}))).await;
    desk.pass(&id, AT_ONCE).await;
    desk.until_runs_are(&["waiting"]).await;
    desk.pass(&id, AT_ONCE).await;
    desk.until_runs_are(&["waiting", "cancelled"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_schedule_may_overlap() {
    let desk = Desk::open().await;
    let id = desk.keep(lasting(json!({"overlap": "allow"}))).await;
    desk.pass(&id, AT_ONCE).await;
    desk.until_runs_are(&["waiting"]).await;
    desk.pass(&id, AT_ONCE).await;
    desk.until_runs_are(&["waiting", "waiting"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_downtime_nothing_is_flooded() {
    let desk = Desk::open().await;
    let every = json!({"every": {"minutes": 1}});
    let id = desk.keep(quick(every, json!({}))).await;
    let first = desk.next(&id).await;
    let late = first
        .checked_add(HOUR * 2 + Duration::from_secs(1))
        .unwrap();
    desk.set(late);
    let next = desk.until_it_is_due_after(&id, late).await;
    assert!(next.duration_since(late).as_secs() < 60, "{next}");
    assert!(desk.runs().await.is_empty());
    desk.set(next);
    desk.until_runs_are(&["completed"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_was_missed_is_made_up_for_within_its_time() {
    let desk = Desk::open().await;
    let more = json!({"catchUp": "PT3H"});
    let id = desk.keep(quick(json!({"cron": "0 * * * *"}), more)).await;
    desk.pass(&id, HOUR * 2 + HOUR / 2).await;
    desk.until_runs_are(&["completed"]).await;
    let now = desk.clock.now();
    let next = desk.until_it_is_due_after(&id, now).await;
    assert_eq!(next.duration_since(now).as_mins(), 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_after_a_run_counts_from_its_end() {
    let desk = Desk::open().await;
    let mut workflow = lasting(json!({}));
    workflow["schedule"] = json!({"after": {"minutes": 30}});
    let id = desk.keep(workflow).await;
    let first = desk.next(&id).await;
    desk.set(first);
    desk.until_runs_are(&["waiting"]).await;
    let end = first.checked_add(HOUR * 5).unwrap();
    desk.set(end);
    desk.ring().await;
    desk.until_runs_are(&["completed"]).await;
    let next = desk.until_it_is_due_after(&id, end).await;
    let pause = next.duration_since(end).as_secs();
    assert!((1800..=1810).contains(&pause), "{pause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_fails_three_times_in_a_row_is_held() {
    let desk = Desk::open().await;
    let mut workflow = quick(json!({"cron": "0 * * * *"}), json!({}));
    workflow["do"] = json!([{"step": {"raise": {"error": {
        "type": "https://example.com/wrong", "status": 500, "title": "wrong",
    }}}}]);
    let id = desk.keep(workflow).await;
    for count in 1..=3 {
        desk.pass(&id, AT_ONCE).await;
        desk.until_runs_are(&vec!["failed"; count]).await;
    }
    desk.pass(&id, AT_ONCE).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while desk.schedule(&id).await["paused"].is_null() {
        assert!(tokio::time::Instant::now() < deadline, "it is not held");
        tokio::time::sleep(PACE).await;
    }
    assert_eq!(desk.runs().await.len(), 3);

    let path = format!("{ALL}/{id}/resume");
    let resumed = desk.hub.post(&path, &desk.hub.user, &json!({})).await;
    assert!(resumed.json()["data"]["paused"].is_null());
    desk.pass(&id, AT_ONCE).await;
    desk.until_runs_are(&["failed"; 4]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_or_removed_starts_nothing() {
    let desk = Desk::open().await;
    let every = json!({"cron": "0 * * * *"});
    let id = desk.keep(quick(every.clone(), json!({}))).await;
    let taken = json!({"workflow": quick(every, json!({}))});
    let again = desk.hub.post(ALL, &desk.hub.user, &taken).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let path = format!("{ALL}/{id}/pause");
    let reason = json!({"reason": "enough"});
    let held = desk.hub.post(&path, &desk.hub.user, &reason).await;
    assert_eq!(held.json()["data"]["paused"], "enough", "{}", held.json());
    let date = desk.next(&id).await;
    desk.set(date);
    // It looks forward from when it goes on.
    let path = format!("{ALL}/{id}/resume");
    desk.hub.post(&path, &desk.hub.user, &json!({})).await;
    assert!(desk.next(&id).await > date);
    assert!(desk.runs().await.is_empty());

    let path = format!("{ALL}/{id}");
    let request = crate::hub::a(Method::DELETE.as_str(), &path, &desk.hub.user);
    let request = request.body(axum::body::Body::empty()).unwrap();
    let removed = desk.hub.send(request).await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    let gone = desk.hub.get(&path, &desk.hub.user).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_whose_owner_may_not_act_is_held() {
    let desk = Desk::open().await;
    let key = desk.hub.key(&["read", "execute"]).await;
    let body = json!({"workflow": quick(json!({"cron": "0 * * * *"}), json!({}))});
    let made = desk.hub.post(ALL, &key, &body).await.json();
    let id = made["data"]["schedule_id"].as_str().unwrap();
    let owner = made["data"]["principal"].as_str().unwrap();
    let own = owner.strip_prefix("key:").unwrap();
    let auth = &desk.hub.hub.gateway.auth;
    let admin = orchestrator::auth::Principal::local("test");
    auth.revoke_key(&admin, own, None).await.unwrap();
    desk.pass(id, AT_ONCE).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while desk.schedule(id).await["paused"] != "its owner may not act" {
        assert!(tokio::time::Instant::now() < deadline, "it is not held");
        tokio::time::sleep(PACE).await;
    }
    assert!(desk.runs().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_schedule_is_refused() {
    let desk = Desk::open().await;
    let refused = [
        (
            json!({"every": {"milliseconds": 5}}),
            json!({}),
            "at least 1 s",
        ),
        (
            json!({"cron": "0 0 31 2 *"}),
            json!({}),
            "no date ever fits",
        ),
        (
            json!({"cron": "0 3 * * *"}),
            json!({"timeZone": "Mars/Olympus"}),
            "Mars",
        ),
        (
            json!({"cron": "0 3 * * *", "every": {"hours": 1}}),
            json!({}),
            "one of",
        ),
        (
            json!({"on": {"one": {"with": {"type": "a"}}}}),
            json!({}),
            "listen",
        ),
    ];
    for (schedule, more, why) in refused {
        let body = json!({"workflow": quick(schedule, more)});
        let answer = desk.hub.post(ALL, &desk.hub.user, &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.json());
        assert!(answer.json().to_string().contains(why), "{}", answer.json());
    }
    let mut without = quick(json!({"cron": "0 3 * * *"}), json!({}));
    without.as_object_mut().unwrap().remove("schedule");
    let body = json!({"workflow": without});
    let answer = desk.hub.post(ALL, &desk.hub.user, &body).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.json());
}
