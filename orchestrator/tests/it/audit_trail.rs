//! What the trail records, in which order, and what happens when it cannot.

use crate::fixture::{Fixture, eventually, open};
use crate::trail::{Trail, event, intent, ok, sql};
use orchestrator::audit::{ABANDONED, Audit, AuditError, Filter, IN_DOUBT, Phase, export};
use orchestrator::ledger::{Ledger, NewEffect};
use orchestrator::recovery::{Recovered, recover};
use orchestrator::store::instance::Instance;
use orchestrator::store::{Page, Statement};
use serde_json::{Value, json};
use shared::id::ToolId;
use shared::tool::Effect;
use std::sync::Arc;
use std::time::Duration;

/// Acceptance: 145
#[tokio::test]
async fn a_change_is_on_disk_before_it_runs_and_its_outcome_follows() {
    let fixture = Fixture::new().await;
    let trail = Trail::start(&fixture.store, fixture.clock.shared(), None).await;
    let record = trail
        .audit
        .open(intent("cmdb.local.deleteServer", Effect::Mutate))
        .await
        .unwrap();
    // Another process sees it without any waiting.
    let other = open(&fixture.file()).await;
    let rows = other
        .read(Statement::new("SELECT * FROM audit_logs"))
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    let row = rows.first().unwrap();
    assert_eq!(row.text("phase").unwrap(), "intent");
    assert_eq!(row.text("actor_id").unwrap(), "key:1");
    assert_eq!(row.text("correlation_id").unwrap(), "abc");
    let metadata: Value = serde_json::from_str(row.text("metadata").unwrap()).unwrap();
    assert_eq!(metadata["arguments"]["name"], "a\n\u{1b}[2J");
    assert!(!row.text("metadata").unwrap().contains('\n'));
    other.close().await;
    record.close(ok());
    let read = trail
        .audit
        .open(intent("cmdb.local.getServer", Effect::Read))
        .await
        .unwrap();
    read.close(ok());
    drop(
        trail
            .audit
            .open(intent("cmdb.local.x", Effect::MutateOwn))
            .await
            .unwrap(),
    );
    trail.audit.close().await;
    assert_eq!(
        trail.codes("cmdb.local.deleteServer").await,
        ["intent", "OK"]
    );
    assert_eq!(trail.codes("cmdb.local.getServer").await, ["intent", "OK"]);
    assert_eq!(trail.codes("cmdb.local.x").await, ["intent", ABANDONED]);
    assert_eq!(trail.verdict().await, "ok");
}

#[tokio::test]
async fn a_read_is_written_without_anybody_waiting_for_it() {
    let fixture = Fixture::new().await;
    let trail = Trail::start(&fixture.store, fixture.clock.shared(), None).await;
    let read = trail
        .audit
        .open(intent("cmdb.local.getServer", Effect::Read))
        .await
        .unwrap();
    eventually("the intent", async || {
        trail.codes("cmdb.local.getServer").await == ["intent"]
    })
    .await;
    read.close(ok());
    eventually("the outcome", async || {
        trail.codes("cmdb.local.getServer").await.len() == 2
    })
    .await;
}

#[tokio::test]
async fn nothing_runs_that_cannot_be_recorded() {
    let fixture = Fixture::new().await;
    let trail = Trail::start(&fixture.store, fixture.clock.shared(), None).await;
    // The database refuses every record.
    sql(
        &fixture.store,
        &["CREATE TRIGGER full BEFORE INSERT ON audit_logs BEGIN SELECT RAISE(ABORT, 'full'); END"],
    )
    .await;
    let refused = trail
        .audit
        .open(intent("cmdb.local.x", Effect::Mutate))
        .await;
    assert!(matches!(refused, Err(AuditError::NotWritten(_))));
    assert!(matches!(
        trail.audit.event(event("k")).await,
        Err(AuditError::NotWritten(_))
    ));
    // Reads are taken as long as there is room for them, and refused then.
    let mut taken = Vec::new();
    let full = loop {
        match trail
            .audit
            .open(intent("cmdb.local.getServer", Effect::Read))
            .await
        {
            Ok(record) => taken.push(record),
            Err(error) => break error,
        }
        assert!(taken.len() < 100_000, "the queue has no end");
    };
    assert!(matches!(full, AuditError::Overloaded), "{full}");
    // Once it can be written again, nothing that was taken is lost.
    sql(&fixture.store, &["DROP TRIGGER full"]).await;
    let count = taken.len();
    drop(taken);
    trail.audit.close().await;
    let filter = Filter {
        phase: Some(Phase::Outcome),
        ..Filter::default()
    };
    let listed = trail.audit.list(&filter, Page::new(1, 1)).await.unwrap();
    // One more: the refused change took a place for its outcome and gave it up.
    assert_eq!(listed.total, count as u64 + 1);
    assert_eq!(trail.verdict().await, "ok");
}

#[tokio::test]
async fn two_processes_share_one_chain() {
    let fixture = Fixture::new().await;
    let other = open(&fixture.file()).await;
    let hub = Trail::start(&fixture.store, fixture.clock.shared(), None).await;
    let visitor = Instance::visitor(other.clone(), fixture.clock.shared());
    let command = Audit::start(&visitor, Arc::clone(&hub.key), None)
        .await
        .unwrap();
    let writes = (0..100).map(|n| {
        let audit = if n % 2 == 0 { &hub.audit } else { &command };
        audit.event(event(&format!("k{n}")))
    });
    for written in futures::future::join_all(writes).await {
        written.unwrap();
    }
    let report = hub.audit.verify().await.unwrap();
    assert_eq!((report.records, report.first_bad), (100, None));
    other.close().await;
}

#[tokio::test]
async fn what_a_killed_hub_left_open_is_closed_once() {
    let fixture = Fixture::new().await;
    let killed = Trail::start(&fixture.store, fixture.clock.shared(), None).await;
    let open_call = killed
        .audit
        .open(intent("cmdb.local.x", Effect::Critical))
        .await
        .unwrap();
    killed
        .audit
        .open(intent("cmdb.local.y", Effect::Mutate))
        .await
        .unwrap()
        .close(ok());
    killed.audit.event(event("after")).await.unwrap();
    let ledger = Ledger::new(&killed.instance);
    let tool = ToolId::parse("cmdb.local.x").unwrap();
    let effect = NewEffect {
        organization: "default",
        principal: "key:1",
        key: "k",
        tool: &tool,
        arguments_hash: "ab",
    };
    let ticket = ledger.begin(effect).await.unwrap();
    // As if by `kill -9`: neither the call nor its ticket ever ends.
    std::mem::forget((open_call, ticket));

    let next = Trail::start(&fixture.store, fixture.clock.shared(), None).await;
    let ledger = Ledger::new(&next.instance);
    let recovered = recover(&next.instance, &next.audit, &ledger).await.unwrap();
    let expected = Recovered {
        hubs: 1,
        intents: 1,
        effects: 1,
    };
    assert_eq!(recovered, expected);
    assert_eq!(next.codes("cmdb.local.x").await, ["intent", IN_DOUBT]);
    assert_eq!(next.codes("cmdb.local.y").await, ["intent", "OK"]);
    let again = ledger.begin(effect).await.unwrap();
    assert!(
        matches!(again, orchestrator::ledger::Begun::Unknown),
        "{again:?}"
    );
    assert_eq!(
        recover(&next.instance, &next.audit, &ledger).await.unwrap(),
        Recovered::default()
    );
    assert_eq!(next.verdict().await, "ok");
}

#[tokio::test]
async fn a_hub_that_stops_in_order_leaves_nothing_to_recover() {
    let fixture = Fixture::new().await;
    let hub = Trail::start(&fixture.store, fixture.clock.shared(), None).await;
    hub.audit.close().await;
    hub.instance.leave().await.unwrap();
    let next = Instance::register(fixture.store.clone(), fixture.clock.shared())
        .await
        .unwrap();
    assert!(next.dead().await.unwrap().is_empty());
    assert!(matches!(
        hub.audit.event(event("late")).await,
        Err(AuditError::Closed)
    ));
}

#[tokio::test]
async fn records_are_found_by_what_they_say() {
    let fixture = Fixture::new().await;
    let trail = Trail::start(&fixture.store, fixture.clock.shared(), None).await;
    trail.write(3).await;
    fixture.clock.advance(Duration::from_secs(60));
    let change = intent("cmdb.local.x", Effect::Mutate);
    trail.audit.open(change).await.unwrap().close(ok());
    let mut foreign = event("t");
    foreign.action = "call.denied";
    foreign.organization = "other".into();
    trail.audit.event(foreign).await.unwrap();
    trail.audit.close().await;
    let later = shared::clock::Clock::now(&fixture.clock);
    let check = async |change: &dyn Fn(&mut Filter), expected: u64| {
        let mut filter = Filter::default();
        change(&mut filter);
        let listed = trail.audit.list(&filter, Page::new(1, 2)).await.unwrap();
        assert_eq!(listed.total, expected, "{filter:?}");
        assert!(listed.rows.len() <= 2 && listed.rows.is_sorted_by(|a, b| a.seq > b.seq));
    };
    check(&|_| {}, 6).await;
    check(&|f| f.organization = Some("default".into()), 5).await;
    check(&|f| f.action = Some("key.created".into()), 3).await;
    check(&|f| f.phase = Some(Phase::Outcome), 1).await;
    check(&|f| f.actor = Some("key:2".into()), 0).await;
    check(&|f| f.correlation_id = Some("abc".into()), 6).await;
    check(&|f| f.since = Some(later), 3).await;
    check(&|f| f.until = Some(later), 3).await;
    let both = |f: &mut Filter| {
        f.until = Some(later);
        f.resource_id = Some("k1".into());
    };
    check(&both, 1).await;
}

#[tokio::test]
async fn records_are_exported_as_they_were_hashed_and_are_bounded() {
    let fixture = Fixture::new().await;
    let trail = Trail::start(&fixture.store, fixture.clock.shared(), None).await;
    trail.write(3).await;
    let mut large = event("large");
    large.details = json!({ "text": "x".repeat(50_000) });
    trail.audit.event(large).await.unwrap();
    let lines = export(&fixture.store, 0, 1000).await.unwrap();
    assert_eq!(lines.len(), 4);
    for line in &lines {
        let parsed: Value = serde_json::from_str(&line.json).unwrap();
        let (_, record) = line.json.split_once("\"record\":").unwrap();
        let record = record.strip_suffix('}').unwrap();
        let hashed = format!("{}{record}", parsed["prev_hash"].as_str().unwrap());
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, hashed.as_bytes());
        assert_eq!(parsed["hash"], hex::encode(hash));
        assert!(line.json.len() < 20_000, "{} bytes", line.json.len());
    }
    let one = export(&fixture.store, 2, 1).await.unwrap();
    assert_eq!(one.iter().map(|line| line.seq).collect::<Vec<_>>(), [3]);
}
