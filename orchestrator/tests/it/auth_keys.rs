//! Keys from making to revoking, against a real store.

use crate::fixture::{Fixture, eventually};
use orchestrator::auth::{
    Auth, AuthConfig, AuthError, Bootstrapped, NewKey, Permissions, Presented, Principal, Role,
    Verb,
};
use orchestrator::store::Statement;
use shared::secret::Secret;
use shared::tasks::Tasks;
use std::sync::Arc;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn auth(fixture: &Fixture) -> Arc<Auth> {
    let clock = Arc::new(fixture.clock.clone());
    Arc::new(Auth::new(
        fixture.store.clone(),
        clock,
        AuthConfig::default(),
    ))
}

pub(crate) fn admin() -> Principal {
    Principal::local("test")
}

async fn word(auth: &Auth, text: &str) -> String {
    match auth.authenticate(&Presented::key(Secret::new(text))).await {
        Ok(principal) => principal.name.to_string(),
        Err(error) => format!("{error:?}"),
    }
}

/// Acceptance: 128, 137
#[tokio::test]
async fn a_key_is_known_by_its_hash_and_kept_nowhere() {
    let fixture = Fixture::new().await;
    let auth = auth(&fixture);
    let new = NewKey {
        permissions: vec!["read".into(), "servers:write".into()],
        rate_limit: 7,
        ..NewKey::named("ci")
    };
    let issued = auth.create_key(&admin(), new).await.unwrap();
    let text = issued.text.expose().to_owned();
    let principal = auth
        .authenticate(&Presented::key(issued.text.clone()))
        .await
        .unwrap();
    assert_eq!(principal.id.as_ref(), format!("key:{}", issued.record.id));
    assert_eq!(
        (
            principal.organization.as_ref(),
            principal.namespace.as_ref()
        ),
        ("default", "default")
    );
    assert_eq!((principal.rate_limit, principal.role), (7, Role::ApiUser));
    assert!(principal.permissions.allow("servers", Verb::Write));
    assert!(!principal.permissions.allow("policies", Verb::Write));
    let rows = fixture
        .store
        .read(Statement::new("SELECT * FROM api_keys"))
        .await
        .unwrap();
    let row = rows.first().unwrap();
    assert_eq!(row.text("key_hash").unwrap(), sha256(&text));
    assert_eq!(Some(row.text("prefix").unwrap()), text.get(4..12));
    for column in [
        "user_id",
        "namespace_id",
        "description",
        "revoked_by",
        "revoke_reason",
    ] {
        assert_eq!(row.optional_text(column).unwrap(), None, "{column}");
    }
    for column in ["last_used_at", "revoked_at"] {
        assert_eq!(row.optional_integer(column).unwrap(), None, "{column}");
    }
    for column in [
        "rate_limit",
        "expires_at",
        "is_active",
        "created_at",
        "updated_at",
    ] {
        assert!(row.integer(column).unwrap() > 0, "{column}");
    }
    fixture.store.close().await;
    for entry in std::fs::read_dir(fixture.folder()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let found = bytes
            .windows(30)
            .any(|part| part == &text.as_bytes()[13..43]);
        assert!(!found, "the key's secret part is in the store");
    }
}

fn sha256(text: &str) -> String {
    hex::encode(aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        text.as_bytes(),
    ))
}

/// Acceptance: 138
#[tokio::test]
async fn inactive_and_expired_keys_are_told_apart() {
    let fixture = Fixture::new().await;
    let auth = auth(&fixture);
    let short = NewKey {
        expires_in_days: 1,
        ..NewKey::named("short")
    };
    let short = auth.create_key(&admin(), short).await.unwrap();
    let long = auth
        .create_key(&admin(), NewKey::named("long"))
        .await
        .unwrap();
    let principal = auth
        .authenticate(&Presented::key(short.text.clone()))
        .await
        .unwrap();
    assert!(auth.still_valid(&principal));
    fixture.clock.advance(DAY);
    assert_eq!(word(&auth, short.text.expose()).await, "Expired");
    assert_eq!(AuthError::Expired.code().as_str(), "KEY_EXPIRED");
    assert!(!auth.still_valid(&principal));
    let long_principal = auth
        .authenticate(&Presented::key(long.text.clone()))
        .await
        .unwrap();
    let record = auth
        .revoke_key(&admin(), &long.record.id, Some("lost"))
        .await
        .unwrap();
    assert!(!record.is_active && record.revoked_at.is_some());
    // At once, although the store's answer is still remembered.
    assert_eq!(word(&auth, long.text.expose()).await, "Inactive");
    assert_eq!(AuthError::Inactive.code().as_str(), "UNAUTHORIZED");
    assert!(!auth.still_valid(&long_principal));
    // And for good: another process learns it from the store.
    let other = self::auth(&fixture);
    assert_eq!(word(&other, long.text.expose()).await, "Inactive");
}

#[tokio::test]
async fn unknown_keys_are_refused_the_misspelt_ones_without_the_store() {
    let fixture = Fixture::new().await;
    let auth = auth(&fixture);
    let other = Fixture::new().await;
    let foreign = self::auth(&other)
        .create_key(&admin(), NewKey::named("x"))
        .await
        .unwrap();
    assert_eq!(word(&auth, foreign.text.expose()).await, "Invalid");
    fixture.store.close().await;
    let mut misspelt = foreign.text.expose().to_owned();
    misspelt.replace_range(
        20..21,
        if misspelt.as_bytes()[20] == b'a' {
            "b"
        } else {
            "a"
        },
    );
    for text in [misspelt.as_str(), "", "hello", "a.b.c"] {
        assert_eq!(word(&auth, text).await, "Invalid", "{text}");
    }
    // A well-formed one does need the store.
    let another = self::auth(&other)
        .create_key(&admin(), NewKey::named("y"))
        .await
        .unwrap();
    assert!(
        word(&auth, another.text.expose())
            .await
            .starts_with("Unavailable")
    );
}

/// Acceptance: 139
#[tokio::test]
async fn last_used_at_moves() {
    let fixture = Fixture::new().await;
    let auth = auth(&fixture);
    let tasks = Tasks::new();
    auth.start_jobs(&tasks);
    let issued = auth.create_key(&admin(), NewKey::named("k")).await.unwrap();
    let last_used = async || {
        auth.key(&admin(), &issued.record.id)
            .await
            .unwrap()
            .last_used_at
    };
    assert_eq!(last_used().await, None);
    for _ in 0..2 {
        fixture.clock.advance(Duration::from_secs(60));
        let now = orchestrator::store::moment(orchestrator::store::micros(
            shared::clock::Clock::now(&fixture.clock),
        ));
        word(&auth, issued.text.expose()).await;
        eventually("last use written", async || last_used().await == Some(now)).await;
    }
    assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
}

#[tokio::test]
async fn a_revocation_by_another_hub_arrives_by_itself() {
    let fixture = Fixture::new().await;
    let (here, there) = (auth(&fixture), auth(&fixture));
    let tasks = Tasks::new();
    here.start_jobs(&tasks);
    let issued = here.create_key(&admin(), NewKey::named("k")).await.unwrap();
    let principal = here
        .authenticate(&Presented::key(issued.text.clone()))
        .await
        .unwrap();
    there
        .revoke_key(&admin(), &issued.record.id, None)
        .await
        .unwrap();
    eventually("revocation known", async || !here.still_valid(&principal)).await;
    assert_eq!(word(&here, issued.text.expose()).await, "Inactive");
    assert!(tasks.shutdown(Duration::from_secs(5)).await.is_empty());
}

/// Acceptance: 146
#[tokio::test]
async fn the_bootstrap_key_is_replaced_and_removed() {
    let fixture = Fixture::new().await;
    let auth = auth(&fixture);
    let (one, two) = (
        "f3d1c0b79a8e6f5d4c3b2a1908f7e6d5",
        "0d9c8b7a6f5e4d3c2b1a0f9e8d7c6b5a",
    );
    let install = async |key: Option<&str>| auth.bootstrap(key.map(Secret::new)).await.unwrap();
    assert_eq!(install(None).await, Bootstrapped::Unchanged);
    assert_eq!(word(&auth, one).await, "Invalid");
    assert_eq!(install(Some(one)).await, Bootstrapped::Installed);
    assert_eq!(word(&auth, one).await, "bootstrap");
    let principal = auth
        .authenticate(&Presented::key(Secret::new(one)))
        .await
        .unwrap();
    assert_eq!(principal.permissions, Permissions::of_role(Role::Admin));
    assert_eq!(principal.role, Role::Admin);
    assert_eq!(install(Some(one)).await, Bootstrapped::Unchanged);
    assert_eq!(install(Some(two)).await, Bootstrapped::Installed);
    assert_eq!(
        (
            word(&auth, one).await.as_str(),
            word(&auth, two).await.as_str()
        ),
        ("Invalid", "bootstrap")
    );
    assert!(!auth.still_valid(&principal));
    assert_eq!(install(Some(one)).await, Bootstrapped::Installed);
    assert_eq!(word(&auth, one).await, "bootstrap");
    // What a person revoked does not come back with the next start.
    let id = principal.id.strip_prefix("key:").unwrap();
    auth.revoke_key(&admin(), id, None).await.unwrap();
    assert_eq!(install(Some(one)).await, Bootstrapped::Unchanged);
    assert_eq!(word(&auth, one).await, "Inactive");
    assert!(auth.bootstrap(Some(Secret::new("changeme"))).await.is_err());
    // Only hashes stand in the store, in the file and in what is not yet moved into it.
    for name in ["waygate.db", "waygate.db-wal"] {
        let bytes = std::fs::read(fixture.folder().join(name)).unwrap();
        for key in [one, two] {
            let found = bytes.windows(key.len()).any(|it| it == key.as_bytes());
            assert!(!found, "a key stands in {name}");
        }
    }
}
