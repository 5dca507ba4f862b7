//! What somebody who can write to the database cannot hide.

use crate::fixture::{Fixture, open};
use crate::postgres::Postgres;
use crate::trail::{Trail, sql};
use orchestrator::audit::verify;
use orchestrator::keys::HubKey;
use orchestrator::store::{Store, StoreConfig};
use std::sync::Arc;

/// Acceptance: 350
#[tokio::test]
async fn sqlite_names_the_place_of_every_forgery() {
    let allow = [
        "DROP TRIGGER audit_logs_no_update",
        "DROP TRIGGER audit_logs_no_delete",
    ];
    for (forgery, expected) in FORGERIES {
        let fixture = Fixture::new().await;
        let trail = Trail::start(&fixture.store, fixture.clock.shared(), None).await;
        trail.write(10).await;
        assert_eq!(trail.verdict().await, "ok");
        sql(&fixture.store, &allow).await;
        sql(&fixture.store, forgery).await;
        assert_eq!(trail.verdict().await, *expected, "{forgery:?}");
        // The hub that goes on writing does not cover it up.
        trail.write(1).await;
        assert_ne!(trail.verdict().await, "ok", "{forgery:?}");
        fixture.store.close().await;
    }
}

/// Acceptance: 350
#[tokio::test]
async fn postgres_names_the_place_of_every_forgery() {
    let server = Postgres::start();
    let clock = shared::clock::SystemClock::shared();
    for (forgery, expected) in FORGERIES {
        let config = StoreConfig {
            url: server.url(),
            pool_size: 3,
        };
        let store = Store::open(config).await.unwrap();
        let trail = Trail::start(&store, Arc::clone(&clock), None).await;
        trail.write(10).await;
        assert_eq!(trail.verdict().await, "ok");
        sql(&store, &["ALTER TABLE audit_logs DISABLE TRIGGER ALL"]).await;
        sql(&store, forgery).await;
        assert_eq!(trail.verdict().await, *expected, "{forgery:?}");
        trail.audit.close().await;
        store.close().await;
        orchestrator::store::migrate::down(&server.url(), usize::MAX)
            .await
            .unwrap();
    }
}

/// What somebody with the password of the database may try, and what the check says.
const FORGERIES: &[(&[&str], &str)] = &[
    (
        &["UPDATE audit_logs SET actor_id = 'key:2' WHERE seq = 4"],
        "4 the record was changed",
    ),
    (
        &["UPDATE audit_logs SET metadata = '{}' WHERE seq = 1"],
        "1 the record was changed",
    ),
    (
        &["DELETE FROM audit_logs WHERE seq = 5"],
        "5 the record is missing",
    ),
    (
        &["DELETE FROM audit_logs WHERE seq < 4"],
        "1 the record is missing",
    ),
    (
        &["DELETE FROM audit_logs WHERE seq > 7"],
        "8 records are missing at the end",
    ),
    (
        &["DELETE FROM audit_logs"],
        "1 records are missing at the end",
    ),
    (
        &[
            "UPDATE audit_logs SET seq = 100 WHERE seq = 3",
            "UPDATE audit_logs SET seq = 3 WHERE seq = 6",
            "UPDATE audit_logs SET seq = 6 WHERE seq = 100",
        ],
        "3 the record does not follow the one before it",
    ),
    (
        &[
            "INSERT INTO audit_logs SELECT 11, id, phase, organization_id, namespace_id, action, \
           resource_type, resource_id, actor_id, actor_ip, code, metadata, correlation_id, instance, \
           created_at, hash, hash FROM audit_logs WHERE seq = 10",
        ],
        "11 the record is not covered by the signed checkpoint",
    ),
    (
        &[
            "DELETE FROM audit_logs WHERE seq > 7",
            "DELETE FROM audit_checkpoint",
        ],
        "1 the signed checkpoint is missing",
    ),
    (
        &[
            "DELETE FROM audit_logs WHERE seq > 7",
            "UPDATE audit_checkpoint SET seq = 7, hash = (SELECT hash FROM audit_logs WHERE seq = 7)",
        ],
        "7 the checkpoint is not signed by this hub",
    ),
];

/// Acceptance: 350
#[tokio::test]
async fn a_database_put_back_to_an_older_state_is_noticed() {
    let fixture = Fixture::new().await;
    let file = fixture.folder().join("audit.checkpoint");
    let copy = fixture.folder().join("copy.db");
    let first = Trail::start(&fixture.store, fixture.clock.shared(), Some(file.clone())).await;
    first.write(3).await;
    for end in ["", "-wal"] {
        let from = format!("{}{end}", fixture.file().display());
        std::fs::copy(from, format!("{}{end}", copy.display())).unwrap();
    }
    first.write(3).await;
    first.audit.close().await;
    assert_eq!(first.verdict().await, "ok");
    // The old copy is whole in itself; only the file knows that there was more.
    let old = open(&copy).await;
    let key = first.key.public_key();
    assert_eq!(verify(&old, Some(key)).await.unwrap().first_bad, None);
    let report = orchestrator::audit::verify_with_file(&old, key, &file)
        .await
        .unwrap();
    assert_eq!(report.first_bad.unwrap().seq, 4);
    // A hub that starts on it says so in the chain, and that stays.
    let second = Trail::start(&old, fixture.clock.shared(), Some(file.clone())).await;
    second.write(5).await;
    assert_eq!(
        second.verdict().await,
        "4 the hub found the trail changed when it started here"
    );
    old.close().await;
}

/// Acceptance: 350
#[tokio::test]
async fn another_chain_signed_with_another_key_is_not_ours() {
    let (ours, theirs) = (Fixture::new().await, Fixture::new().await);
    let trail = Trail::start(&ours.store, ours.clock.shared(), None).await;
    trail.write(3).await;
    let key = Arc::new(HubKey::generate().unwrap());
    let forged = Trail::with_key(&theirs.store, theirs.clock.shared(), None, key).await;
    forged.write(3).await;
    assert_eq!(forged.verdict().await, "ok");
    let report = verify(&theirs.store, Some(trail.key.public_key()))
        .await
        .unwrap();
    assert_eq!(
        report.first_bad.unwrap().reason,
        "the checkpoint is not signed by this hub"
    );
}
