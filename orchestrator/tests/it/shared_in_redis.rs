//! Limits and cached answers that hubs share in Redis, and what happens while it is away. The server
//! is a real one, started for each test.
#![expect(
    clippy::disallowed_methods,
    reason = "starts a server for tests; `shared::exec` is for what tools run"
)]

use orchestrator::cache::{CacheConfig, CacheKey, ReadCache};
use orchestrator::limits::{Limits, LimitsConfig};
use orchestrator::metrics::Metrics;
use orchestrator::redis::Redis;
use serde_json::value::RawValue;
use shared::tool::{Content, ContentKind, Output};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// A Redis server that can go away and come back at its address, empty.
struct Server {
    port: u16,
    child: Child,
}

impl Server {
    fn start() -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        Self {
            port,
            child: spawn(port),
        }
    }

    fn open(&self) -> (Arc<Redis>, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::new("0"));
        let url = format!("redis://127.0.0.1:{}/0", self.port);
        let redis = Redis::open(&url, None, Arc::clone(&metrics)).unwrap();
        (Arc::new(redis), metrics)
    }

    fn go_away(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn come_back(&mut self) {
        self.child = spawn(self.port);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(port: u16) -> Child {
    let mut child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .stdout(Stdio::null())
        .spawn()
        .expect("this test needs Redis: install the package `redis-server`");
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert_eq!(child.try_wait().unwrap(), None, "Redis ended");
        assert!(Instant::now() < deadline, "Redis does not listen");
        std::thread::yield_now();
    }
    child
}

async fn until_it_answers(redis: &Redis) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    while !redis.answers().await {
        assert!(Instant::now() < deadline, "Redis is not used again");
        ticks.tick().await;
    }
}

fn fallback(metrics: &Metrics) -> bool {
    let text = metrics.render();
    let line = |value| format!("\nwaygate_redis_fallback_active {value}\n");
    assert!(text.contains(&line(0)) || text.contains(&line(1)), "{text}");
    text.contains(&line(1))
}

/// Calls that are admitted of twenty, by hubs in turn.
async fn admitted(hubs: &[&Limits], route: &str) -> usize {
    let mut admitted = 0;
    for hub in hubs.iter().cycle().take(20) {
        let allowed = hub.admit_endpoint("key:1", route, 5).await;
        match allowed {
            Ok(allowance) => {
                assert_eq!(allowance.limit, 5);
                admitted += 1;
                assert_eq!(usize::try_from(allowance.remaining).unwrap(), 5 - admitted);
            }
            Err(limited) => {
                assert!(limited.retry_after > Duration::from_secs(50));
                assert!(limited.retry_after <= Duration::from_secs(61));
            }
        }
    }
    admitted
}

/// Acceptance: 82
#[tokio::test]
async fn hubs_share_limits_in_redis_and_go_on_in_memory() {
    let mut server = Server::start();
    let (one, metrics) = server.open();
    let (two, _) = server.open();
    let limits = |redis: &Arc<Redis>| Limits::shared(LimitsConfig::default(), Arc::clone(redis));
    let (here, there) = (limits(&one), limits(&two));
    assert_eq!(admitted(&[&here, &there], "/shared").await, 5);
    assert!(!fallback(&metrics));

    server.go_away();
    assert_eq!(admitted(&[&here], "/away").await, 5);
    assert!(fallback(&metrics), "the metric does not tell");
    assert!(!one.answers().await);

    server.come_back();
    until_it_answers(&one).await;
    until_it_answers(&two).await;
    assert!(!fallback(&metrics));
    assert_eq!(admitted(&[&there, &here], "/back").await, 5);
}

#[tokio::test]
async fn a_large_limit_is_counted_in_bounded_space() {
    let server = Server::start();
    let (redis, _) = server.open();
    let limits = Limits::shared(LimitsConfig::default(), Arc::clone(&redis));
    for _ in 0..500 {
        assert!(limits.admit_endpoint("key:1", "/x", 500).await.is_ok());
    }
    let refused = limits.admit_endpoint("key:1", "/x", 500).await.unwrap_err();
    assert_eq!((refused.scope, refused.limit), ("endpoint", 500));
    let mut connection = redis.connection();
    let keys: Vec<String> = redis::cmd("KEYS")
        .arg("*")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(keys.len(), 1);
    assert!(!keys[0].contains("key:1"), "{keys:?}");
    let slices: usize = redis::cmd("HLEN")
        .arg(&keys[0])
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!(slices <= 130, "{slices} slices");
    let life: i64 = redis::cmd("PTTL")
        .arg(&keys[0])
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!((50_000..=62_000).contains(&life), "{life}");
}

/// A hub's cache, and how often it asked upstream.
struct Hub {
    cache: ReadCache,
    asked: AtomicU64,
}

impl Hub {
    fn new(redis: &Arc<Redis>) -> Self {
        Self {
            cache: ReadCache::shared(&CacheConfig::default(), Arc::clone(redis)),
            asked: AtomicU64::new(0),
        }
    }

    /// The answer, and how often upstream has been asked by now.
    async fn ask(&self) -> (Arc<Output>, u64) {
        let fetch = async {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let mut output =
                Output::structured(RawValue::from_string("{\"n\":1.0}".into()).unwrap());
            output.content.push(Content {
                kind: ContentKind::Image,
                mime_type: "image/png".into(),
                data: vec![0, 255, 1].into(),
            });
            Ok::<_, ()>(output)
        };
        let (output, _) = self.cache.get_or_call(key(), fetch).await.unwrap();
        (output, self.asked.load(Ordering::SeqCst))
    }

    async fn asked(&self) -> u64 {
        self.ask().await.1
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

/// Acceptance: 82
#[tokio::test]
async fn an_answer_is_fetched_once_for_all_hubs() {
    let mut server = Server::start();
    let ((one, metrics), (two, _)) = (server.open(), server.open());
    let (here, there) = (Hub::new(&one), Hub::new(&two));
    assert_eq!((here.asked().await, there.asked().await), (1, 0));
    let (kept, _) = there.ask().await;
    assert_eq!(kept.structured.get(), "{\"n\":1.0}");
    assert_eq!(kept.content[0].data.as_ref(), [0, 255, 1]);
    assert_eq!(kept.content[0].kind, ContentKind::Image);

    // A change through either hub counts for both.
    there.cache.forget_service("12_cmdb_mcp").await;
    assert_eq!((here.asked().await, there.asked().await), (2, 0));

    server.go_away();
    assert_eq!((here.asked().await, here.asked().await), (3, 3));
    assert!(fallback(&metrics));
    here.cache.forget_service("12_cmdb_mcp").await;
    server.come_back();
    until_it_answers(&one).await;
    assert_eq!((here.asked().await, here.asked().await), (4, 4));
}

/// What changed while Redis could not be told is told before its old answers are believed again.
#[tokio::test]
async fn a_change_during_an_outage_is_not_lost() {
    let server = Server::start();
    let ((one, _), (two, _)) = (server.open(), server.open());
    let (here, there) = (Hub::new(&one), Hub::new(&two));
    assert_eq!(here.asked().await, 1);
    // This hub alone loses Redis: its connection waits for writers it holds up.
    let mut connection = two.connection();
    redis::cmd("CLIENT")
        .arg(&["PAUSE", "1500", "ALL"])
        .query_async::<()>(&mut connection)
        .await
        .unwrap();
    here.cache.forget_service("12_cmdb_mcp").await;
    until_it_answers(&one).await;
    until_it_answers(&two).await;
    assert_eq!((here.asked().await, there.asked().await), (2, 0));
}
