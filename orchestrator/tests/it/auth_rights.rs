//! Who may make, see and revoke which keys.

use crate::auth_keys::{admin, auth};
use crate::fixture::Fixture;
use orchestrator::auth::{KeyError, KeyKind, NewKey, Permissions, Presented, Principal, Role};
use orchestrator::store::{Page, Statement};
use std::time::Duration;

#[tokio::test]
async fn nobody_hands_out_more_than_they_have() {
    let fixture = Fixture::new().await;
    let auth = auth(&fixture);
    let user = Principal {
        id: "user:1".into(),
        role: Role::User,
        permissions: Permissions::of_role(Role::User),
        ..admin()
    };
    let check = async |change: fn(&mut NewKey), expected: &str| {
        let mut new = NewKey::named("own");
        change(&mut new);
        let made = auth.create_key(&user, new).await;
        let word = made.map_or_else(|error| error.to_string(), |issued| issued.record.name);
        assert!(word.contains(expected), "{word}");
    };
    check(|_| {}, "own").await;
    check(|new| new.permissions = vec!["servers:write".into()], "own").await;
    check(
        |new| new.permissions = vec!["write".into()],
        "permission write",
    )
    .await;
    let approve = |new: &mut NewKey| new.permissions = vec!["approvals:approve".into()];
    check(approve, "permission approvals").await;
    check(
        |new| new.permissions = vec!["fly".into()],
        "not a permission",
    )
    .await;
    check(|new| new.role = Role::Admin, "role admin").await;
    check(|new| new.kind = KeyKind::A2a, "kind a2a").await;
    check(|new| new.name.clear(), "name").await;
    check(|new| new.expires_in_days = 0, "expires_in_days").await;
    check(|new| new.expires_in_days = 367, "expires_in_days").await;
    check(|new| new.namespace = Some("nowhere".into()), "namespace_id").await;
    let mut inside = NewKey::named("own");
    inside.namespace = Some("default".to_owned());
    let record = auth.create_key(&user, inside).await.unwrap().record;
    assert_eq!(record.namespace.as_deref(), Some("default"));
}

#[tokio::test]
async fn keys_are_listed_and_revoked_inside_their_organization() {
    let fixture = Fixture::new().await;
    let auth = auth(&fixture);
    let sql = "INSERT INTO organizations (id, name, slug, created_at, updated_at) \
               VALUES ('other', 'Other', 'other', 1, 1)";
    fixture
        .store
        .write(vec![Statement::new(sql)])
        .await
        .unwrap();
    let other = Principal {
        organization: "other".into(),
        ..admin()
    };
    let user = Principal {
        id: "user:1".into(),
        role: Role::User,
        ..admin()
    };
    let mut ids = Vec::new();
    for n in 0..3 {
        fixture.clock.advance(Duration::from_secs(1));
        let issued = auth
            .create_key(&admin(), NewKey::named(format!("k{n}")))
            .await
            .unwrap();
        ids.push(issued.record.id);
    }
    let page = auth.list_keys(&admin(), Page::new(1, 2)).await.unwrap();
    let names: Vec<&str> = page.rows.iter().map(|key| key.name.as_str()).collect();
    assert_eq!((names, page.total), (vec!["k2", "k1"], 3));
    assert_eq!(
        auth.list_keys(&admin(), Page::new(2, 2))
            .await
            .unwrap()
            .rows
            .len(),
        1
    );
    for stranger in [&other, &user] {
        assert_eq!(
            auth.list_keys(stranger, Page::new(1, 50))
                .await
                .unwrap()
                .total,
            0
        );
        let refused = auth.revoke_key(stranger, &ids[0], None).await;
        assert!(matches!(refused, Err(KeyError::NotFound)), "{refused:?}");
    }
    assert!(auth.key(&admin(), &ids[0]).await.unwrap().is_active);
}

#[tokio::test]
async fn a_key_belongs_to_a_person_an_admin_names() {
    let fixture = Fixture::new().await;
    let auth = auth(&fixture);
    let key_for = |user: &str| {
        let mut new = NewKey::named("own");
        new.user = Some(user.to_owned());
        new
    };
    let first = auth.create_key(&admin(), key_for("ann@example.com")).await;
    let first = first.unwrap();
    let second = auth.create_key(&admin(), key_for("Ann@Example.com")).await;
    let ann = first.record.user.clone().unwrap();
    assert_eq!(second.unwrap().record.user.as_deref(), Some(ann.as_str()));
    let presented = Presented::key(first.text);
    let known = auth.authenticate(&presented).await.unwrap();
    assert_eq!(known.person.as_deref(), Some(ann.as_str()));
    // What she makes is hers; nobody is made somebody else.
    let made = auth
        .create_key(&known, NewKey::named("more"))
        .await
        .unwrap();
    assert_eq!(made.record.user.as_deref(), Some(ann.as_str()));
    let other = auth.create_key(&known, key_for("bob@example.com")).await;
    assert!(matches!(other, Err(KeyError::Escalation(_))));
    for odd in ["nobody", "a@b@c", "@b", "a b@c"] {
        let refused = auth.create_key(&admin(), key_for(odd)).await;
        assert!(matches!(refused, Err(KeyError::Invalid { .. })), "{odd}");
    }
}
