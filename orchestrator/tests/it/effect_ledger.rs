//! One effect per idempotency key, on both databases.

use crate::fixture::{Fixture, eventually};
use crate::postgres::Postgres;
use futures::future::join_all;
use orchestrator::ledger::{Begun, Ledger, NewEffect, Ticket};
use orchestrator::store::instance::Instance;
use orchestrator::store::{Store, StoreConfig};
use serde_json::value::RawValue;
use shared::clock::{SharedClock, TestClock};
use shared::error::Code;
use shared::id::ToolId;
use shared::tasks::Tasks;
use shared::tool::{Content, ContentKind, Output, ToolError};
use std::sync::Arc;
use std::time::Duration;

struct Desk {
    ledger: Arc<Ledger>,
    tool: ToolId,
}

impl Desk {
    async fn open(store: &Store, clock: SharedClock) -> Self {
        let instance = Instance::register(store.clone(), clock).await.unwrap();
        Self {
            ledger: Arc::new(Ledger::new(&instance)),
            tool: ToolId::parse("cmdb.local.deleteServer").unwrap(),
        }
    }

    const fn effect<'a>(&'a self, key: &'a str) -> NewEffect<'a> {
        NewEffect {
            organization: "default",
            principal: "key:1",
            key,
            tool: &self.tool,
            arguments_hash: "ab",
        }
    }

    async fn begin(&self, key: &str) -> Begun {
        self.ledger.begin(self.effect(key)).await.unwrap()
    }

    async fn fresh(&self, key: &str) -> Ticket {
        match self.begin(key).await {
            Begun::Fresh(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    async fn word(&self, key: &str) -> String {
        match self.begin(key).await {
            Begun::Fresh(ticket) => {
                ticket.withdrawn().await.unwrap();
                "fresh".to_owned()
            }
            Begun::Replay(output) => format!("replay {}", output.structured.get()),
            Begun::Failed(error) => error.to_string(),
            Begun::Conflict => "conflict".to_owned(),
            Begun::Running => "running".to_owned(),
            Begun::Unknown => "unknown".to_owned(),
        }
    }
}

fn output(json: &str) -> Output {
    Output::structured(RawValue::from_string(json.to_owned()).unwrap())
}

async fn check(store: &Store, clock: &TestClock) {
    let desk = Desk::open(store, clock.shared()).await;
    each_end_is_remembered(&desk).await;
    a_key_stands_for_one_call(&desk).await;
    one_of_many_begins(&desk).await;
    a_dropped_ticket_is_unknown(&desk).await;
    a_day_later_it_is_free(&desk, clock).await;
}

/// Acceptance: 349
#[tokio::test]
async fn sqlite_gives_each_key_one_effect() {
    let fixture = Fixture::new().await;
    check(&fixture.store, &fixture.clock).await;
}

/// Acceptance: 349
#[tokio::test]
async fn postgres_gives_each_key_one_effect() {
    let server = Postgres::start();
    let config = StoreConfig {
        url: server.url(),
        pool_size: 4,
    };
    let store = Store::open(config).await.unwrap();
    let clock = TestClock::at(jiff::Timestamp::from_second(1_800_000_000).unwrap());
    check(&store, &clock).await;
    store.close().await;
}

async fn each_end_is_remembered(desk: &Desk) {
    let mut made = output(r#"{ "big": 123456789012345678901234567890, "a":1.0 }"#);
    made.content.push(Content {
        kind: ContentKind::Image,
        mime_type: "image/png".to_owned(),
        data: vec![0, 255].into(),
    });
    desk.fresh("done").await.done(&made).await.unwrap();
    match desk.begin("done").await {
        Begun::Replay(again) => {
            assert_eq!(again.structured.get(), made.structured.get());
            assert_eq!(again.content, made.content);
            assert!(again.replayed);
        }
        other => panic!("{other:?}"),
    }
    let mut failure = ToolError::new(Code::NotFound, "no such server");
    failure.retry_after = Some(Duration::from_secs(2));
    desk.fresh("failed").await.failed(&failure).await.unwrap();
    match desk.begin("failed").await {
        Begun::Failed(again) => {
            assert_eq!(again.to_string(), "NOT_FOUND: no such server");
            assert_eq!(again.retry_after, failure.retry_after);
            assert!(!again.did_not_run);
        }
        other => panic!("{other:?}"),
    }
    desk.fresh("withdrawn").await.withdrawn().await.unwrap();
    assert_eq!(desk.word("withdrawn").await, "fresh");
    desk.fresh("unknown").await.unknown().await.unwrap();
    assert_eq!(desk.word("unknown").await, "unknown");
    let mut secret = output(r#"{"password":"hunter2"}"#);
    secret.sensitive = true;
    desk.fresh("secret").await.done(&secret).await.unwrap();
    assert!(desk.word("secret").await.starts_with("CONFLICT"));
    let large = output(&format!("\"{}\"", "x".repeat(2_000_000)));
    desk.fresh("large").await.done(&large).await.unwrap();
    assert!(desk.word("large").await.contains("too large"));
}

async fn a_key_stands_for_one_call(desk: &Desk) {
    let running = desk.fresh("one").await;
    assert_eq!(desk.word("one").await, "running");
    let other_tool = ToolId::parse("cmdb.local.x").unwrap();
    let begin = async |principal: &str, tool: &ToolId, hash: &str| {
        desk.ledger
            .begin(NewEffect {
                principal,
                key: "one",
                tool,
                arguments_hash: hash,
                organization: "default",
            })
            .await
            .unwrap()
    };
    assert!(matches!(
        begin("key:1", &desk.tool, "cd").await,
        Begun::Conflict
    ));
    assert!(matches!(
        begin("key:1", &other_tool, "ab").await,
        Begun::Conflict
    ));
    assert!(matches!(
        begin("key:2", &desk.tool, "ab").await,
        Begun::Fresh(_)
    ));
    running.done(&output("1")).await.unwrap();
    assert_eq!(desk.word("one").await, "replay 1");
    let long = "x".repeat(10_000);
    desk.fresh(&long).await.done(&output("2")).await.unwrap();
    assert_eq!(desk.word(&long).await, "replay 2");
    assert_eq!(desk.word("nul\0key").await, "fresh");
}

async fn one_of_many_begins(desk: &Desk) {
    let all = join_all((0..100).map(|_| desk.begin("race"))).await;
    let fresh = all
        .iter()
        .filter(|begun| matches!(begun, Begun::Fresh(_)))
        .count();
    let running = all
        .iter()
        .filter(|begun| matches!(begun, Begun::Running))
        .count();
    assert_eq!((fresh, running), (1, 99));
}

async fn a_dropped_ticket_is_unknown(desk: &Desk) {
    drop(desk.fresh("dropped").await);
    eventually("unknown", async || desk.word("dropped").await == "unknown").await;
}

async fn a_day_later_it_is_free(desk: &Desk, clock: &TestClock) {
    desk.fresh("old").await.done(&output("1")).await.unwrap();
    let open = desk.fresh("still open").await;
    clock.advance(Duration::from_secs(86_399));
    assert_eq!(desk.word("old").await, "replay 1");
    clock.advance(Duration::from_secs(1));
    assert_eq!(desk.word("old").await, "fresh");
    assert_eq!(desk.word("still open").await, "running");
    assert!(desk.ledger.expire().await.unwrap() > 0);
    assert_eq!(desk.word("still open").await, "running");
    open.done(&output("1")).await.unwrap();
}

#[tokio::test]
async fn tickets_dropped_while_the_queue_is_full_are_written_later() {
    let fixture = Fixture::new().await;
    let desk = Desk::open(&fixture.store, fixture.clock.shared()).await;
    let ticket = desk.fresh("k").await;
    // On this single thread the writer cannot run before the next await, so the queue stays full.
    let noop = || orchestrator::store::Statement::new("DELETE FROM effect_ledger WHERE 1 = 0");
    while fixture.store.try_write_later(vec![noop()]).is_ok() {}
    drop(ticket);
    let tasks = Tasks::new();
    desk.ledger.start_jobs(&tasks);
    eventually("unknown", async || desk.word("k").await == "unknown").await;
    assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
}
