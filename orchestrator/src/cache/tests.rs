//! The cache under paused time.

use super::*;
use serde_json::value::RawValue;
use std::sync::atomic::AtomicUsize;
use tokio::sync::Notify;

/// Counts the calls that reached the upstream.
struct Upstream {
    cache: ReadCache,
    calls: AtomicUsize,
}

fn upstream() -> Upstream {
    Upstream {
        cache: ReadCache::new(&CacheConfig::default()),
        calls: AtomicUsize::new(0),
    }
}

fn key() -> CacheKey {
    CacheKey {
        organization: "o".into(),
        namespace: "n".into(),
        scope: "key:1".into(),
        service: "12_cmdb_mcp".into(),
        tool: "cmdb.local.getServer".into(),
        digest: "d".into(),
        arguments_hash: "h".into(),
    }
}

fn output(text: &str) -> Output {
    Output::structured(RawValue::from_string(text.to_owned()).unwrap())
}

impl Upstream {
    async fn ask(&self, key: CacheKey, answer: Result<Output, &'static str>) -> bool {
        let before = self.calls.load(Ordering::SeqCst);
        let fetch = async {
            self.calls.fetch_add(1, Ordering::SeqCst);
            answer
        };
        let result = self.cache.get_or_call(key, fetch).await;
        let called = self.calls.load(Ordering::SeqCst) > before;
        if let Ok((_, hit)) = result {
            assert_eq!(hit, !called);
        }
        called
    }
}

/// Acceptance: 81
#[tokio::test(start_paused = true)]
async fn one_call_within_the_time_to_live_and_another_after_it() {
    let up = upstream();
    assert!(up.ask(key(), Ok(output("1"))).await);
    tokio::time::advance(Duration::from_secs(299)).await;
    assert!(!up.ask(key(), Ok(output("2"))).await);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(up.ask(key(), Ok(output("3"))).await);
    assert!(!up.ask(key(), Ok(output("4"))).await);
}

/// Acceptance: 81
#[tokio::test(start_paused = true)]
async fn whatever_an_answer_depends_on_keeps_answers_apart() {
    let up = upstream();
    assert!(up.ask(key(), Ok(output("1"))).await);
    let changes: [fn(&mut CacheKey); 7] = [
        |k| k.organization = "x".into(),
        |k| k.namespace = "x".into(),
        |k| k.scope = "x".into(),
        |k| k.service = "x".into(),
        |k| k.tool = "x".into(),
        |k| k.digest = "x".into(),
        |k| k.arguments_hash = "x".into(),
    ];
    for change in changes {
        let mut other = key();
        change(&mut other);
        assert!(up.ask(other, Ok(output("2"))).await);
    }
    assert!(!up.ask(key(), Ok(output("3"))).await);
}

/// Acceptance: 81
#[tokio::test(start_paused = true)]
async fn errors_and_secrets_and_giants_are_not_kept() {
    let up = upstream();
    assert!(up.ask(key(), Err("down")).await);
    let mut secret = output("1");
    secret.sensitive = true;
    assert!(up.ask(key(), Ok(secret)).await);
    let giant = format!("\"{}\"", "x".repeat(5 * 1024 * 1024));
    assert!(up.ask(key(), Ok(output(&giant))).await);
    assert!(up.ask(key(), Ok(output("1"))).await);
    assert!(!up.ask(key(), Err("down")).await);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_service_makes_its_answers_old() {
    let up = upstream();
    assert!(up.ask(key(), Ok(output("1"))).await);
    up.cache.forget_service("01_linux_cli_mcp").await;
    assert!(!up.ask(key(), Ok(output("2"))).await);
    up.cache.forget_service("12_cmdb_mcp").await;
    assert!(up.ask(key(), Ok(output("3"))).await);
    assert!(!up.ask(key(), Ok(output("4"))).await);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_overlaps_a_change_is_not_kept() {
    let up = upstream();
    let during = async {
        up.cache.forget_service("12_cmdb_mcp").await;
        Ok::<_, &str>(output("1"))
    };
    assert!(!up.cache.get_or_call(key(), during).await.unwrap().1);
    assert!(up.ask(key(), Ok(output("2"))).await);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_with_one_question_makes_one_call() {
    let (up, release) = (upstream(), Notify::new());
    let fetch = || async {
        up.calls.fetch_add(1, Ordering::SeqCst);
        release.notified().await;
        Ok::<_, &str>(output("1"))
    };
    let crowd = futures::future::join_all((0..50).map(|_| up.cache.get_or_call(key(), fetch())));
    let (answers, ()) = tokio::join!(crowd, async {
        tokio::task::yield_now().await;
        release.notify_waiters();
    });
    assert_eq!(up.calls.load(Ordering::SeqCst), 1);
    let hits = answers
        .into_iter()
        .filter(|answer| answer.as_ref().unwrap().1)
        .count();
    assert_eq!(hits, 49);
}

#[tokio::test(start_paused = true)]
async fn when_the_asker_gives_up_another_one_asks() {
    let up = upstream();
    let never = std::future::pending::<Result<Output, &str>>();
    let mut first = Box::pin(up.cache.get_or_call(key(), never));
    assert!(futures::poll!(first.as_mut()).is_pending());
    let second = up.ask(key(), Ok(output("1")));
    let mut second = Box::pin(second);
    assert!(futures::poll!(second.as_mut()).is_pending());
    drop(first);
    assert!(second.await);
}

#[tokio::test(start_paused = true)]
async fn the_bytes_kept_are_bounded() {
    let cache = ReadCache::new(&CacheConfig {
        ttl: Duration::from_secs(300),
        max_bytes: 100_000,
    });
    for n in 0..200 {
        let mut key = key();
        key.arguments_hash = n.to_string().into();
        let text = format!("\"{}\"", "x".repeat(3000));
        let fetch = async { Ok::<_, &str>(output(&text)) };
        assert!(!cache.get_or_call(key, fetch).await.unwrap().1);
    }
    cache.kept.run_pending_tasks().await;
    assert!(cache.kept.weighted_size() <= 100_000);
}
