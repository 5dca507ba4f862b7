//! Approvals from asking to using, against real databases.

mod asking;
mod deciding;
mod desk;
mod using;

use crate::fixture::{Fixture, open};
use crate::postgres::Postgres;
use desk::Desk;
use orchestrator::approvals::{ApprovalState, Verdict};
use orchestrator::store::{Store, StoreConfig};
use std::time::Duration;

/// Everything that must hold on every database; each part has an organisation of its own.
async fn check(store: &Store) {
    let desk = |name: &'static str| Desk::open(store.clone(), name);
    asking::the_same_call_is_one_request(&desk("same").await).await;
    asking::a_flood_is_held_back(&desk("flood").await).await;
    asking::a_rejected_call_is_not_asked_for_again(&desk("again").await).await;
    deciding::two_of_three_takes_two_people(&desk("quorum").await).await;
    deciding::readers_see_what_they_may(&desk("readers").await).await;
    using::a_token_fits_one_call_once(&desk("bound").await).await;
    using::of_a_hundred_one_gets_the_grant(&desk("race").await).await;
    using::time_running_out_is_a_no(&desk("late").await).await;
}

#[tokio::test]
async fn sqlite_keeps_the_rules_of_approvals() {
    let fixture = Fixture::new().await;
    Box::pin(check(&fixture.store)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_the_rules_of_approvals() {
    let postgres = Postgres::start();
    let config = StoreConfig {
        url: postgres.url(),
        pool_size: 4,
    };
    let store = Store::open(config).await.unwrap();
    Box::pin(check(&store)).await;
    store.close().await;
}

/// Acceptance: 345
#[tokio::test]
async fn a_request_survives_the_hub() {
    let fixture = Fixture::new().await;
    let desk = Desk::open(fixture.store.clone(), "first").await;
    let asked = desk.ask("key:1", "hash").await.unwrap();
    fixture.store.close().await;

    let store = open(&fixture.file()).await;
    let later = Desk::reopen(store, "first", desk.clock.clone()).await;
    later
        .decide(&asked.id, "key:boss", Verdict::Approve)
        .await
        .unwrap();
    let token = later.token(&asked.id, "key:1").await.unwrap();
    assert!(later.redeem(&token, "key:1", "hash").await.is_ok());
    assert!(later.redeem(&token, "key:1", "hash").await.is_err());
}

#[tokio::test]
async fn who_waits_is_told_at_once_and_looks_for_itself() {
    let fixture = Fixture::new().await;
    let desk = Desk::open(fixture.store.clone(), "wait").await;
    let elsewhere = Desk::reopen(fixture.store.clone(), "wait", desk.clock.clone()).await;
    for decider in [&desk, &elsewhere] {
        let asked = desk.ask("key:1", "hash").await.unwrap();
        let requester = desk.principal("key:1");
        let wait = desk
            .approvals
            .wait(&asked.id, &requester, Duration::from_secs(20));
        let (waited, decided) = tokio::join!(
            wait,
            decider.decide(&asked.id, "key:boss", Verdict::Approve)
        );
        assert_eq!(waited.unwrap().state, ApprovalState::Approved);
        let token = desk.token(&decided.unwrap().id, "key:1").await.unwrap();
        desk.redeem(&token, "key:1", "hash").await.unwrap();
    }
    let asked = desk.ask("key:1", "hash").await.unwrap();
    let requester = desk.principal("key:1");
    let waited = desk
        .approvals
        .wait(&asked.id, &requester, Duration::from_millis(5))
        .await;
    assert_eq!(waited.unwrap().state, ApprovalState::Pending);
}
