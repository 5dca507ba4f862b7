//! What every database behind the store must do alike.

use crate::postgres::Postgres;
use futures::future::join_all;
use orchestrator::store::{
    Argument, DatabaseUrl, Statement, Store, StoreConfig, StoreError, migrate,
};
use std::path::Path;

const TABLES: [&str; 33] = [
    "api_keys",
    "approval_votes",
    "approvals",
    "artefacts",
    "audit_checkpoint",
    "audit_logs",
    "deferred_calls",
    "effect_ledger",
    "hub_instances",
    "idempotency_keys",
    "mcp_servers",
    "mcp_sessions",
    "namespaces",
    "organizations",
    "server_tokens",
    "tool_aliases",
    "tool_pins",
    "users",
    "workflow_approvals",
    "workflow_attributes",
    "workflow_awaits",
    "workflow_blobs",
    "workflow_checkpoints",
    "workflow_cloudevents",
    "workflow_definitions",
    "workflow_events",
    "workflow_inbox",
    "workflow_locks",
    "workflow_schedules",
    "workflow_states",
    "workflow_steps",
    "workflow_timers",
    "workflows",
];

async fn open(url: &DatabaseUrl) -> Store {
    let config = StoreConfig {
        url: url.clone(),
        pool_size: 4,
    };
    Store::open(config).await.unwrap()
}

fn sqlite(folder: &Path) -> DatabaseUrl {
    DatabaseUrl::parse(&format!("sqlite:{}/data/waygate.db", folder.display())).unwrap()
}

/// Runs the contract on one database.
async fn check(url: &DatabaseUrl) {
    schema_goes_up_and_down(url).await;
    starts_are_idempotent(url).await;
    let store = open(url).await;
    values_survive(&store).await;
    batches_are_all_or_nothing(&store).await;
    failures_stay_in_their_batch(&store).await;
    one_of_many_wins(&store).await;
    the_trail_cannot_be_changed(&store).await;
    later_writes_arrive(&store).await;
    every_table_is_there(&store).await;
    let stats = store.pool_stats();
    assert!(stats.open <= stats.max && stats.idle <= stats.open);
    store.ping().await.unwrap();
    store.close().await;
    assert!(store.ping().await.is_err());
    assert!(matches!(
        store.write(vec![insert("late", 1)]).await,
        Err(StoreError::Unavailable(_))
    ));
}

/// Acceptance: 134, 248
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    check(&sqlite(folder.path())).await;
}

/// Acceptance: 134, 248
#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_the_contract() {
    let server = Postgres::start();
    check(&server.url()).await;
}

#[tokio::test]
async fn a_store_in_memory_keeps_its_rows_between_statements() {
    let store = open(&DatabaseUrl::parse("sqlite::memory:").unwrap()).await;
    values_survive(&store).await;
    one_of_many_wins(&store).await;
    store.close().await;
}

/// What was answered `Ok` is there after the server went down without warning.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_postgres_costs_no_answered_write() {
    let server = Postgres::start();
    let store = open(&server.url()).await;
    store.write(vec![insert("before", 1)]).await.unwrap();
    server.crash_and_restart();
    // The first attempts may meet dead connections of the pool.
    let mut written = Err(StoreError::Overloaded);
    for _ in 0..10 {
        written = store.write(vec![insert("after", 1)]).await;
        if written.is_ok() {
            break;
        }
    }
    written.unwrap();
    assert_eq!(
        count(&store, "before").await + count(&store, "after").await,
        2
    );
    store.close().await;
}

async fn schema_goes_up_and_down(url: &DatabaseUrl) {
    assert_eq!(migrate::down(url, usize::MAX).await.unwrap(), [0_i64; 0]);
    assert_eq!(migrate::up(url, 1).await.unwrap(), [1]);
    assert_eq!(migrate::down(url, 1).await.unwrap(), [1]);
    let known = migrate::status(url).await.unwrap();
    let all: Vec<i64> = known.iter().map(|step| step.version).collect();
    assert!(all.starts_with(&[1, 2, 3]), "{all:?}");
    assert_eq!(migrate::up(url, usize::MAX).await.unwrap(), all);
    let states = migrate::status(url).await.unwrap();
    assert!(states.iter().all(|step| step.applied_at.is_some()));
    let last = all.last().copied().unwrap();
    assert_eq!(migrate::down(url, 1).await.unwrap(), [last]);
    assert!(
        migrate::status(url)
            .await
            .unwrap()
            .last()
            .unwrap()
            .applied_at
            .is_none()
    );
    let rest: Vec<i64> = all.iter().rev().skip(1).copied().collect();
    assert_eq!(migrate::down(url, usize::MAX).await.unwrap(), rest);
    assert!(
        migrate::status(url)
            .await
            .unwrap()
            .iter()
            .all(|step| step.applied_at.is_none())
    );
}

/// Two processes are two stores here: each has connections of its own and waits for the other's lock.
async fn starts_are_idempotent(url: &DatabaseUrl) {
    let (one, two, three) = tokio::join!(open(url), open(url), open(url));
    for store in [one, two, three] {
        assert_eq!(
            count_all(&store, "SELECT COUNT(*) AS n FROM organizations").await,
            1
        );
        store.close().await;
    }
    let again = open(url).await;
    assert_eq!(
        count_all(&again, "SELECT COUNT(*) AS n FROM namespaces").await,
        1
    );
    again.close().await;
}

async fn values_survive(store: &Store) {
    let text = "ä\n\u{1f600}'\"; DROP TABLE x";
    let sql = "INSERT INTO organizations (id, name, slug, is_active, created_at, updated_at) \
               VALUES ($1, $2, $3, $4, $5, $5) RETURNING id, created_at";
    let statement = Statement::new(sql)
        .bind("values")
        .bind(text)
        .bind("values")
        .bind(true)
        .bind(i64::MAX);
    let outcomes = store.write(vec![statement]).await.unwrap();
    let outcome = outcomes.first().unwrap();
    assert_eq!(outcome.touched, 1);
    assert_eq!(
        outcome.rows.first().unwrap().integer("created_at").unwrap(),
        i64::MAX
    );
    let sql = "INSERT INTO api_keys (id, organization_id, namespace_id, name, key_hash, prefix, \
               expires_at, created_by, created_at, updated_at) \
               VALUES ($1, 'values', $2, 'n', 'h', 'p', $3, 'me', 1, 1)";
    let statement = Statement::new(sql)
        .bind("k")
        .bind(Argument::Null)
        .bind(None::<i64>);
    store.write(vec![statement]).await.unwrap();
    let sql = "SELECT k.namespace_id, k.expires_at, k.is_active, o.name FROM api_keys k \
               JOIN organizations o ON o.id = k.organization_id WHERE k.id = $1";
    let rows = store.read(Statement::new(sql).bind("k")).await.unwrap();
    let row = rows.first().unwrap();
    assert_eq!(row.optional_text("namespace_id").unwrap(), None);
    assert_eq!(row.optional_integer("expires_at").unwrap(), None);
    assert_eq!(row.integer("is_active").unwrap(), 1);
    assert_eq!(row.text("name").unwrap(), text);
    assert!(matches!(
        row.integer("name"),
        Err(StoreError::Column("name"))
    ));
    assert!(matches!(
        row.text("nowhere"),
        Err(StoreError::Column("nowhere"))
    ));
}

async fn batches_are_all_or_nothing(store: &Store) {
    let rename = Statement::new("UPDATE organizations SET name = 'x' WHERE id = $1");
    let missing = rename.bind("nobody").expect(1);
    let refused = store.write(vec![insert("half", 1), missing]).await;
    assert!(
        matches!(refused, Err(StoreError::Unexpected(1))),
        "{refused:?}"
    );
    assert_eq!(count(store, "half").await, 0);
    let twice = store
        .write(vec![insert("half", 1), insert("half", 2)])
        .await;
    assert!(matches!(twice, Err(StoreError::Exists(_))), "{twice:?}");
    assert_eq!(count(store, "half").await, 0);
    let nonsense = store
        .write(vec![insert("half", 1), Statement::new("SELECT nonsense")])
        .await;
    assert!(
        matches!(nonsense, Err(StoreError::Refused(_))),
        "{nonsense:?}"
    );
    assert_eq!(count(store, "half").await, 0);
    assert!(store.write(Vec::new()).await.unwrap().is_empty());
    let rename = Statement::new("UPDATE organizations SET name = 'x' WHERE id = $1");
    let missing = rename.bind("nobody").expect(1);
    let batch = vec![missing, insert("half", 1), insert("half", 2)];
    let refused = store.write(batch).await;
    assert!(
        matches!(refused, Err(StoreError::Unexpected(0))),
        "what follows from a miss is not the reason: {refused:?}"
    );
    large_batches_are_no_other(store).await;
}

async fn large_batches_are_no_other(store: &Store) {
    let many = || (0..200_i64).map(|n| insert(&format!("many{n}"), n));
    let twice = many().chain([insert("many150", 1)]).collect();
    let refused = store.write(twice).await;
    assert!(matches!(refused, Err(StoreError::Exists(_))), "{refused:?}");
    assert_eq!(count(store, "many0").await, 0);
    let outcomes = store.write(many().collect()).await.unwrap();
    assert!(outcomes.len() == 200 && outcomes.iter().all(|outcome| outcome.touched == 1));
    assert_eq!(count(store, "many199").await, 1);
}

/// Batches that wait together are committed together; a bad one among them hurts itself only.
async fn failures_stay_in_their_batch(store: &Store) {
    let writes = (0..300_i64).map(|n| {
        let batch = if n % 7 == 3 {
            vec![insert(&format!("g{n}"), 1), insert(&format!("g{n}"), 2)]
        } else {
            vec![insert(&format!("g{n}"), 1)]
        };
        store.write(batch)
    });
    for (n, answer) in join_all(writes).await.into_iter().enumerate() {
        assert_eq!(answer.is_ok(), n % 7 != 3, "{n}: {answer:?}");
        assert_eq!(count(store, &format!("g{n}")).await, i64::from(n % 7 != 3));
    }
}

async fn one_of_many_wins(store: &Store) {
    store.write(vec![insert("contest", 0)]).await.unwrap();
    let attempts = (0..50).map(|_| {
        let sql = "UPDATE effect_ledger SET state = 'done' \
                   WHERE principal = $1 AND state = 'intent'";
        store.write(vec![Statement::new(sql).bind("contest").expect(1)])
    });
    let answers = join_all(attempts).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let sql = "INSERT INTO effect_ledger (principal, idempotency_key, tool, arguments_hash, state, \
               instance, created_at, expires_at) VALUES ($1, 'k', 't', 'a', 'intent', 'i', 1, 1) \
               ON CONFLICT (principal, idempotency_key) DO NOTHING";
    let outcomes = store
        .write(vec![Statement::new(sql).bind("contest")])
        .await
        .unwrap();
    assert_eq!(outcomes.first().unwrap().touched, 0);
}

async fn the_trail_cannot_be_changed(store: &Store) {
    let sql = "INSERT INTO audit_logs (seq, id, phase, organization_id, action, resource_type, \
               resource_id, actor_id, metadata, instance, created_at, prev_hash, hash) \
               VALUES (1, 'i', 'event', 'default', 'a', 'r', 'x', 'me', '{}', 'h', 1, '', '')";
    store.write(vec![Statement::new(sql)]).await.unwrap();
    for sql in [
        "UPDATE audit_logs SET actor_id = 'you'",
        "DELETE FROM audit_logs",
    ] {
        let refused = store.write(vec![Statement::new(sql)]).await;
        assert!(
            matches!(refused, Err(StoreError::Refused(_))),
            "{sql}: {refused:?}"
        );
    }
    let sql = "SELECT COUNT(*) AS n FROM audit_logs WHERE actor_id = 'me'";
    assert_eq!(count_all(store, sql).await, 1);
}

async fn later_writes_arrive(store: &Store) {
    store.try_write_later(vec![insert("later", 1)]).unwrap();
    // The queue keeps its order: when the second write is done, so is the first.
    store.write(vec![insert("after-later", 1)]).await.unwrap();
    assert_eq!(count(store, "later").await, 1);
}

async fn every_table_is_there(store: &Store) {
    let sql = if store.is_embedded() {
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    } else {
        "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() ORDER BY name"
    };
    let rows = store.read(Statement::new(sql)).await.unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row.text("name").unwrap()).collect();
    let ours: Vec<&str> = names
        .into_iter()
        .filter(|name| *name != "schema_migrations")
        .collect();
    assert_eq!(ours, TABLES);
}

fn insert(principal: &str, created_at: i64) -> Statement {
    let sql = "INSERT INTO effect_ledger (principal, idempotency_key, tool, arguments_hash, state, \
               instance, created_at, expires_at) VALUES ($1, 'k', 't', 'a', 'intent', 'i', $2, 1)";
    Statement::new(sql).bind(principal).bind(created_at)
}

async fn count(store: &Store, principal: &str) -> i64 {
    let sql = "SELECT COUNT(*) AS n FROM effect_ledger WHERE principal = $1";
    let rows = store
        .read(Statement::new(sql).bind(principal))
        .await
        .unwrap();
    rows.first().unwrap().integer("n").unwrap()
}

async fn count_all(store: &Store, sql: &'static str) -> i64 {
    let rows = store.read(Statement::new(sql)).await.unwrap();
    rows.first().unwrap().integer("n").unwrap()
}

/// Acceptance: 134
#[tokio::test(flavor = "multi_thread")]
async fn many_may_start_on_a_fresh_file_at_the_same_moment() {
    for _ in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let url = sqlite(folder.path());
        for store in join_all((0..8).map(|_| open(&url))).await {
            store.close().await;
        }
    }
}
