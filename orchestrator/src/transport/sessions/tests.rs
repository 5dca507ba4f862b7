//! Sessions over an embedded store.

use super::*;
use crate::store::{DatabaseUrl, StoreConfig};
use shared::clock::TestClock;

fn sessions(store: &Store, clock: &TestClock) -> Sessions {
    Sessions::new(
        store.clone(),
        clock.shared(),
        Arc::new(Metrics::new("test")),
    )
}

async fn store() -> Store {
    let url = DatabaseUrl::parse("sqlite::memory:").unwrap();
    Store::open(StoreConfig { url, pool_size: 2 })
        .await
        .unwrap()
}

fn clock() -> TestClock {
    TestClock::at("2026-11-20T12:00:00Z".parse().unwrap())
}

fn principal(id: &str) -> Principal {
    Principal {
        id: Arc::from(id),
        name: Arc::from(id),
        person: None,
        organization: Arc::from("default"),
        namespace: Arc::from("default"),
        role: crate::auth::Role::User,
        kind: crate::auth::CredentialKind::UserKey,
        permissions: crate::auth::Permissions::default(),
        rate_limit: 0,
    }
}

#[tokio::test]
async fn a_session_survives_a_restart_and_serves_its_principal_only() {
    let (store, clock) = (store().await, clock());
    let (anna, bert) = (principal("key:anna"), principal("key:bert"));
    let before = sessions(&store, &clock);
    let client = Client {
        about: "{}".into(),
        capabilities: r#"{"roots":{},"elicitation":{"form":{}}}"#.into(),
    };
    let opened = before
        .open(&anna, Revision::June2025, &client)
        .await
        .unwrap();
    let watch = crate::upstream::offers::Watch::ending(|| {});
    assert!(
        opened
            .watched
            .add("test://a", "a".into(), "test://a".into(), watch)
    );
    before.keep_watched(&opened).await.unwrap();
    let level = LogLevel::Warning;
    before.set_log_level(&opened, level).await.unwrap();
    let after = sessions(&store, &clock);
    let found = after.find(&opened.id, &anna).await.unwrap();
    assert_eq!(found.revision, Revision::June2025);
    assert_eq!(found.log_level(), Some(LogLevel::Warning));
    assert!(found.abilities.allow("roots/list") && found.abilities.allow("elicitation/create"));
    assert!(!found.abilities.allow("sampling/createMessage"));
    assert_eq!(found.take_remembered(), ["test://a"]);
    assert!(found.take_remembered().is_empty());
    let foreign = after.find(&opened.id, &bert).await;
    assert!(matches!(foreign, Err(SessionError::Unknown)));
}

#[tokio::test]
async fn closed_and_old_sessions_are_unknown() {
    let (store, clock) = (store().await, clock());
    let anna = principal("key:anna");
    let sessions = sessions(&store, &clock);
    let closed = sessions
        .open(&anna, Revision::June2025, &Client::default())
        .await
        .unwrap();
    sessions.close(&closed.id, &anna).await.unwrap();
    assert!(sessions.find(&closed.id, &anna).await.is_err());
    let old = sessions
        .open(&anna, Revision::June2025, &Client::default())
        .await
        .unwrap();
    clock.advance(LIFE);
    assert!(sessions.find(&old.id, &anna).await.is_err());
    sessions.sweep_once().await.unwrap();
    let rows = store.read(rows::count()).await.unwrap();
    assert_eq!(rows[0].integer("open").unwrap(), 0);
    for nonsense in ["", "x", &"é".repeat(16), &"a".repeat(33)] {
        assert!(sessions.find(nonsense, &anna).await.is_err());
    }
}

#[tokio::test]
async fn a_request_is_cancellable_while_it_runs() {
    let (store, clock) = (store().await, clock());
    let sessions = sessions(&store, &clock);
    let anna = principal("key:anna");
    let session = sessions
        .open(&anna, Revision::June2025, &Client::default())
        .await
        .unwrap();
    let token = CancellationToken::new();
    let guard = session.cancellable("7", token.clone());
    session.cancel("8");
    assert!(!token.is_cancelled());
    session.cancel("7");
    assert!(token.is_cancelled());
    drop(guard);
    assert!(session.cancellable.lock().is_empty());
}
